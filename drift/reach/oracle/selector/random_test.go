package selector

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// Selectors made by the grammar are selectors to both, and mean the same.
func TestGenerated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := expression(t, 3)
		assert.True(t, compare(t, text), "%q is no selector", text)
	})
}

// Selectors that lost, doubled or exchanged a piece are or are not selectors to both.
func TestDamaged(t *testing.T) {
	parsed, failed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		text := expression(t, 2)
		for range rapid.IntRange(1, 3).Draw(t, "times") {
			text = damage(t, text)
		}
		if compare(t, text) {
			parsed++
		} else {
			failed++
		}
	})
	assert.NotZero(t, parsed)
	assert.NotZero(t, failed)
}

func pick(t *rapid.T, values ...string) string { return rapid.SampledFrom(values).Draw(t, "of") }

func space(t *rapid.T) string { return pick(t, " ", "", " ", "\t", "  ") }

func key(t *rapid.T) string {
	return pick(t, "a", "b", "app", "in", "has", "all", "not", "starts", "contains", "projectcalico.org/namespace", "pcns.a", "a-b_c.d/e")
}

func value(t *rapid.T) string {
	return pick(t, `'a'`, `"a"`, `'b'`, `''`, `"it's"`, `'"'`, `'ab'`, `'a b'`, `"x,y}"`, `'é'`)
}

func expression(t *rapid.T, depth int) string {
	kind := rapid.IntRange(0, 13).Draw(t, "kind")
	if depth == 0 && kind > 8 {
		kind -= 6
	}
	switch kind {
	case 0:
		return pick(t, "all(", "global(") + space(t) + ")"
	case 1, 2:
		return "has(" + space(t) + key(t) + space(t) + ")"
	case 3, 4:
		return key(t) + space(t) + pick(t, "==", "!=") + space(t) + value(t)
	case 5:
		return key(t) + " " + pick(t, "contains", "starts with", "startswith", "ends with", "ends\twith") + space(t) + value(t)
	case 6, 7, 8:
		set := key(t) + " " + pick(t, "in", "not in", "notin", "not  in") + space(t) + "{"
		for range rapid.IntRange(0, 3).Draw(t, "values") {
			set += space(t) + value(t) + space(t) + ","
		}
		return set + pick(t, value(t), "") + space(t) + "}"
	case 9:
		return "!" + space(t) + expression(t, depth-1)
	case 10:
		return "(" + space(t) + expression(t, depth-1) + space(t) + ")"
	case 11:
		return "!(" + expression(t, depth-1) + ")"
	case 12:
		return expression(t, depth-1) + space(t) + "||" + space(t) + expression(t, depth-1)
	}
	return expression(t, depth-1) + space(t) + "&&" + space(t) + expression(t, depth-1)
}

// damage cuts a piece out of a text, puts one in, or moves one.
func damage(t *rapid.T, text string) string {
	lo := rapid.IntRange(0, len(text)).Draw(t, "from")
	hi := rapid.IntRange(lo, min(len(text), lo+4)).Draw(t, "to")
	switch rapid.IntRange(0, 2).Draw(t, "damage") {
	case 0:
		return text[:lo] + text[hi:]
	case 1:
		return text[:lo] + text[lo:hi] + text[lo:]
	}
	return text[:lo] + pick(t, "!", "(", ")", "&", "|", "=", "'", `"`, ",", "{", "}", " ", "\n", "in", "not", "with", "has(", "all()", "global()", "a", "-", "é", "&&", "||", "==") + text[hi:]
}
