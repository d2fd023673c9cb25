package reach

import (
	"fmt"
	"slices"
	"strings"
)

// maxLabelKey is the longest label key that Calico's tokenizer reads.
const maxLabelKey = 512

// selectorReader reads one selector from left to right; at is the next byte.
type selectorReader struct {
	text string
	at   int
}

// unexpected returns the error for what stands at the reader's place.
func (r *selectorReader) unexpected(expected string) error {
	found := "the end"
	if r.at < len(r.text) {
		found = fmt.Sprintf("%q", r.text[r.at:min(r.at+12, len(r.text))])
	}
	hint := ""
	if r.at < len(r.text) && (r.text[r.at] == '\n' || r.text[r.at] == '\r') {
		hint = " (only space and tab are white space in selectors: write it on one line)"
	}
	return fmt.Errorf("at byte %d: expected %s, found %s%s", r.at, expected, found, hint)
}

func (r *selectorReader) skip() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\t') {
		r.at++
	}
}

// take reads a literal text after white space, if it stands there.
func (r *selectorReader) take(literal string) bool {
	r.skip()
	if strings.HasPrefix(r.text[r.at:], literal) {
		r.at += len(literal)
		return true
	}
	return false
}

// takeWords reads words with or without white space between them, not followed by another character of a key.
func (r *selectorReader) takeWords(words ...string) bool {
	start := r.at
	for _, word := range words {
		if !r.take(word) {
			r.at = start
			return false
		}
	}
	end := r.at
	if len(words) > 1 {
		// Calico looks past white space before it checks the boundary of operators of two words: `a not in b` and
		// `a starts with b` are refused here already, which changes nothing, since no key may follow either.
		r.skip()
	}
	if r.at < len(r.text) && isKeyByte(r.text[r.at]) {
		r.at = start
		return false
	}
	r.at = end
	return true
}

func isKeyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '_' || c == '.' || c == '/' || c == '-'
}

func (r *selectorReader) key() (string, error) {
	r.skip()
	start := r.at
	for r.at < len(r.text) && isKeyByte(r.text[r.at]) {
		r.at++
	}
	switch n := r.at - start; {
	case n == 0:
		return "", r.unexpected("a label key")
	case n > maxLabelKey:
		return "", fmt.Errorf("at byte %d: a label key of %d bytes; Calico reads at most %d", start, n, maxLabelKey)
	}
	return r.text[start:r.at], nil
}

func (r *selectorReader) literal() (string, error) {
	r.skip()
	if r.at == len(r.text) || (r.text[r.at] != '"' && r.text[r.at] != '\'') {
		return "", r.unexpected("a quoted value")
	}
	quote := r.text[r.at]
	end := strings.IndexByte(r.text[r.at+1:], quote)
	if end < 0 {
		return "", fmt.Errorf("at byte %d: a value without its closing quote", r.at)
	}
	value := r.text[r.at+1 : r.at+1+end]
	r.at += end + 2
	return value, nil
}

func parseExpression(text string) (*expression, error) {
	r := &selectorReader{text: text}
	if r.skip(); r.at == len(text) {
		return everything, nil
	}
	e, err := r.or()
	if err != nil {
		return nil, err
	}
	if r.skip(); r.at < len(text) {
		return nil, r.unexpected("&&, || or the end")
	}
	return e, nil
}

func (r *selectorReader) or() (*expression, error) { return r.list(opOr, "||", r.and) }

func (r *selectorReader) and() (*expression, error) { return r.list(opAnd, "&&", r.operation) }

func (r *selectorReader) list(op operator, glue string, part func() (*expression, error)) (*expression, error) {
	var parts []*expression
	for {
		e, err := part()
		if err != nil {
			return nil, err
		}
		if parts = append(parts, e); !r.take(glue) {
			break
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return &expression{op: op, parts: parts}, nil
}

func (r *selectorReader) operation() (*expression, error) {
	negated := false
	for {
		r.skip()
		// "!=" is one token: `!!= "x"` is no negation of anything.
		if strings.HasPrefix(r.text[r.at:], "!=") || !r.take("!") {
			break
		}
		negated = !negated
	}
	e, err := r.operand()
	if err == nil && negated {
		e = negation(e)
	}
	return e, err
}

func (r *selectorReader) operand() (*expression, error) {
	switch {
	case r.take("("):
		e, err := r.or()
		if err == nil && !r.take(")") {
			err = r.unexpected(")")
		}
		return e, err
	case r.take("has("):
		key, err := r.key()
		if err == nil && !r.take(")") {
			err = r.unexpected(")")
		}
		return has(key), err
	case r.take("all("):
		return r.closed(everything)
	case r.take("global("):
		return r.closed(&expression{op: opGlobal})
	}
	key, err := r.key()
	if err != nil {
		return nil, err
	}
	return r.comparison(key)
}

func (r *selectorReader) closed(e *expression) (*expression, error) {
	if !r.take(")") {
		return nil, r.unexpected(")")
	}
	return e, nil
}

func (r *selectorReader) comparison(key string) (*expression, error) {
	var op operator
	r.skip()
	switch {
	case r.take("=="):
		op = opEqual
	case r.take("!="):
		op = opNotEqual
	case r.takeWords("contains"):
		op = opContains
	case r.takeWords("starts", "with"):
		op = opStartsWith
	case r.takeWords("ends", "with"):
		op = opEndsWith
	case r.takeWords("not", "in"):
		return r.set(opNotIn, key)
	case r.takeWords("in"):
		return r.set(opIn, key)
	default:
		return nil, r.unexpected("==, !=, in, not in, contains, starts with or ends with")
	}
	value, err := r.literal()
	return &expression{op: op, key: key, values: []string{value}}, err
}

// set reads {"a", "b"}; a comma before the brace and an empty set are allowed, as Calico allows them.
func (r *selectorReader) set(op operator, key string) (*expression, error) {
	if !r.take("{") {
		return nil, r.unexpected("{")
	}
	values := []string{}
	for !r.take("}") {
		value, err := r.literal()
		if err != nil {
			return nil, err
		}
		values = append(values, value)
		if !r.take(",") {
			if !r.take("}") {
				return nil, r.unexpected(", or }")
			}
			break
		}
	}
	slices.Sort(values)
	return &expression{op: op, key: key, values: slices.Compact(values)}, nil
}
