package strict_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// sample has a field of every shape that Decode knows.
type sample struct {
	Name   string            `key:"name" is:"required"`
	Mode   string            `key:"mode" enum:"apply|observe"`
	Level  string            `key:"level" format:"lower"`
	Count  int               `key:"count" min:"1" max:"9"`
	Rate   float64           `key:"rate" min:"-1"`
	On     bool              `key:"on"`
	Wait   time.Duration     `key:"wait" min:"1s"`
	Ranges []netip.Prefix    `key:"ranges" min:"1"`
	Modes  []string          `key:"modes" enum:"a|b"`
	Labels map[string]string `key:"labels" keys:"lower" format:"lower" min:"1"`
	Size   size              `key:"size" min:"2"`
	Inner  inner             `key:"inner"`
	Rules  []rule            `key:"rules"`
	Hidden string
}

type inner struct {
	Deep  deep   `key:"deep"`
	Other string `key:"other" is:"nonempty"`
}

type deep struct {
	Leaf string `key:"leaf"`
}

type rule struct {
	Kind string `key:"kind" is:"required" enum:"x|y"`
	Note string `key:"note"`
}

type size int64

func (s *size) UnmarshalText(text []byte) error {
	if len(text) > 3 {
		return strict.Invalidf("three digits at most", "%q is no size", text)
	}
	*s = size(len(text))
	return nil
}

func (s size) MarshalText() ([]byte, error) { return []byte(strings.Repeat("1", int(s))), nil }

type second struct {
	Inner struct {
		Extra string `key:"extra"`
	} `key:"inner"`
	Top string `key:"top"`
}

func options() strict.Options {
	return strict.Options{
		Formats: map[string]func(string) error{"lower": func(text string) error {
			if strings.ToLower(text) != text {
				return strict.Invalidf("write "+strings.ToLower(text), "%q is not lower case", text)
			}
			return nil
		}},
		Elsewhere: func(key string) string {
			if key == "foreign" {
				return "it belongs in the other file"
			}
			return ""
		},
	}
}

func TestDecode(t *testing.T) {
	s := sample{Mode: "apply", Modes: []string{"a", "b"}, Labels: map[string]string{"old": "x"}, Level: "low", Hidden: "kept"}
	var more second
	doc := strict.Decode("f.yaml", []byte(`# a comment
name: it
count: 3
rate: 2.5
on: true
wait: 1m30s
ranges: [10.0.0.0/8, "fd00::/8"]
modes: []
labels: {app: web}
size: 11
inner:
  deep: {leaf: 2026-01-01}
  extra: beside
rules:
- kind: x
- {kind: y, note: ""}
top: yes
`), options(), &s, &more)
	require.NoError(t, doc.Err())
	assert.Equal(t, sample{
		Name: "it", Mode: "apply", Level: "low", Count: 3, Rate: 2.5, On: true, Wait: 90 * time.Second,
		Ranges: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
		Modes:  []string{}, Labels: map[string]string{"app": "web"}, Size: 2,
		Inner: inner{Deep: deep{Leaf: "2026-01-01"}},
		Rules: []rule{{Kind: "x"}, {Kind: "y"}}, Hidden: "kept",
	}, s)
	assert.Equal(t, "beside", more.Inner.Extra)
	assert.Equal(t, "yes", more.Top)

	assert.True(t, doc.Given("inner.deep.leaf"))
	assert.True(t, doc.Given("inner"))
	assert.False(t, doc.Given("mode"))
	assert.Equal(t, strict.Position{Line: 12, Column: 16}, doc.At("inner.deep.leaf"))
	assert.Equal(t, strict.Position{Line: 12, Column: 3}, doc.At("inner.other"), "an absent key is at its section")
	assert.Equal(t, strict.Position{Line: 16, Column: 10}, doc.At("rules[1].kind"))
	assert.Equal(t, []string{
		"name", "count", "rate", "on", "wait", "ranges", "modes", "labels", "size", "inner.deep.leaf", "inner.extra",
		"rules", "rules[0].kind", "rules[1].kind", "rules[1].note", "top",
	}, doc.Keys())
}

func TestProblems(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		want []string
	}{
		"empty":         {"", []string{`f.yaml: the file is empty (it needs at least apiVersion and kind)`}},
		"only comments": {"# nothing\n---\n", []string{`f.yaml: the file is empty (it needs at least apiVersion and kind)`}},
		"null":          {"~\n", []string{`f.yaml: the file is empty (it needs at least apiVersion and kind)`}},
		"a list":        {"- a\n", []string{`f.yaml:1:1: keys with values are expected, not a list (it starts with apiVersion and kind)`}},
		"a word":        {"hello\n", []string{`f.yaml:1:1: keys with values are expected, not the string "hello" (it starts with apiVersion and kind)`}},
		"not YAML":      {"name: [a\n", []string{`f.yaml:1: not valid YAML: did not find expected ',' or ']'`}},
		"a tab":         {"name: it\ninner:\n\tother: x\n", []string{`f.yaml:3: not valid YAML: found character that cannot start any token (indent with spaces, not tabs, and quote values that start with a special character)`}},
		"not UTF-8":     {"name: \xff\xfe\n", []string{`f.yaml: not valid YAML: invalid leading UTF-8 octet`}},
		"two documents": {"name: it\n---\nname: other\n", []string{`f.yaml:3:1: the file holds more than one document (remove what follows the second ---)`}},
		"repeated key":  {"name: it\ncount: 1\nname: other\n", []string{`f.yaml:3:1: name: the key is given twice, in lines 1 and 3 (remove one of them)`}},
		"aliases": {"name: &n it\nmode: *n\ninner: *n\nmodes: [*n]\nlabels: {a: *n}\n", []string{
			`f.yaml:2:7: mode: YAML aliases are not allowed (write the value out)`,
			`f.yaml:3:8: inner: YAML aliases are not allowed (write the value out)`,
			`f.yaml:4:9: modes[0]: YAML aliases are not allowed (write the value out)`,
			`f.yaml:5:13: labels.a: YAML aliases are not allowed (write the value out)`,
		}},
		"merge key":        {"name: it\ninner:\n  <<: {other: x}\n", []string{`f.yaml:3:3: inner: YAML merge keys (<<) are not allowed (write the keys out)`}},
		"a key of keys":    {"name: it\n? {a: b}\n: c\n", []string{`f.yaml:2:3: a key must be a plain word, not keys with values`}},
		"required":         {"mode: apply\n", []string{`f.yaml:1:1: name: is required`}},
		"nonempty":         {"name: it\ninner: {other: ''}\n", []string{`f.yaml:2:16: inner.other: must not be empty`}},
		"required empty":   {"name: ''\n", []string{`f.yaml:1:7: name: must not be empty`}},
		"required in list": {"name: it\nrules:\n- note: x\n", []string{`f.yaml:3:3: rules[0].kind: is required (allowed: x, y)`}},
		"no value":         {"name: it\nmode:\ninner: ~\n", []string{`f.yaml:2:6: mode: has no value (leave the key out to get its default)`, `f.yaml:3:8: inner: has no value (leave the key out to get its default)`}},
		"elsewhere":        {"name: it\nforeign: x\n", []string{`f.yaml:2:1: foreign: unknown key (it belongs in the other file)`}},
		"unknown keys": {"nmae: it\nname: it\nLEVEL: x\nleaf: x\ninner: {othre: x}\nzzzzzzzzzz: 1\n", []string{
			`f.yaml:1:1: nmae: unknown key (allowed: name, mode, level, count, rate, on, wait, ranges, modes, labels, size, inner, rules; did you mean name?)`,
			`f.yaml:3:1: LEVEL: unknown key (allowed: name, mode, level, count, rate, on, wait, ranges, modes, labels, size, inner, rules; did you mean level?)`,
			`f.yaml:4:1: leaf: unknown key (allowed: name, mode, level, count, rate, on, wait, ranges, modes, labels, size, inner, rules; did you mean inner.deep.leaf?)`,
			`f.yaml:5:9: inner.othre: unknown key (allowed: deep, other; did you mean other?)`,
			`f.yaml:6:1: zzzzzzzzzz: unknown key (allowed: name, mode, level, count, rate, on, wait, ranges, modes, labels, size, inner, rules)`,
		}},
		"strings": {"name: 3.30\nmode: aply\nlevel: LOW\nmodes: [a, c, a, true]\n", []string{
			`f.yaml:1:7: name: a string is expected, not the number 3.30 (quote it: "3.30")`,
			`f.yaml:2:7: mode: unknown value "aply" (allowed: apply, observe; did you mean apply?)`,
			`f.yaml:3:8: level: "LOW" is not lower case (write low)`,
			`f.yaml:4:12: modes[1]: unknown value "c" (allowed: a, b; did you mean a?)`,
			`f.yaml:4:15: modes[2]: "a" is listed twice, in lines 4 and 4 (remove one of them)`,
			`f.yaml:4:18: modes[3]: a string is expected, not the boolean true (quote it: "true")`,
		}},
		"numbers": {"name: it\ncount: '3'\nrate: .inf\n", []string{
			`f.yaml:2:8: count: a whole number is expected, not the string "3" (remove the quotes)`,
			`f.yaml:3:7: rate: .inf is not a plain number (write it in decimal digits)`,
		}},
		"bounds": {"name: it\ncount: 0\nrate: -2\nwait: 10ms\nranges: []\nlabels: {}\nsize: 1\n", []string{
			`f.yaml:2:8: count: must be at least 1, not 0`,
			`f.yaml:3:7: rate: must be at least -1, not -2`,
			`f.yaml:4:7: wait: must be at least 1s, not 10ms`,
			`f.yaml:5:9: ranges: needs at least 1 entry`,
			`f.yaml:6:9: labels: needs at least 1 entry`,
			`f.yaml:7:7: size: must be at least 2, not 1`,
		}},
		"above":       {"name: it\ncount: 10\nrate: a\n", []string{`f.yaml:2:8: count: must be at most 9, not 10`, `f.yaml:3:7: rate: a number is expected, not the string "a"`}},
		"octal":       {"name: it\ncount: 010\n", []string{`f.yaml:2:8: count: 010 is not a plain whole number (write it in decimal digits, without leading zeros)`}},
		"too large":   {"name: it\ncount: 99999999999999999999\n", []string{`f.yaml:2:8: count: the number 99999999999999999999 is too large`}},
		"booleans":    {"name: it\non: 'true'\n", []string{`f.yaml:2:5: on: true or false is expected, not a string (remove the quotes)`}},
		"yes":         {"name: it\non: yes\n", []string{`f.yaml:2:5: on: true or false is expected, not the string "yes" (allowed: true, false)`}},
		"durations":   {"name: it\nwait: 30\n", []string{`f.yaml:2:7: wait: a duration is expected, not the bare number 30 (a number with its unit: 30s, 10m, 1h30m)`}},
		"no duration": {"name: it\nwait: soon\n", []string{`f.yaml:2:7: wait: "soon" is not a duration (a number with its unit: 30s, 10m, 1h30m)`}},
		"text":        {"name: it\nsize: 1111\nranges: [x]\n", []string{`f.yaml:2:7: size: "1111" is no size (three digits at most)`, `f.yaml:3:10: ranges[0]: netip.ParsePrefix("x"): no '/'`}},
		"wrong shapes": {"name: {a: b}\nmodes: a\nlabels: [a]\ninner: x\nrules: {kind: x}\n", []string{
			`f.yaml:1:7: name: a string is expected, not keys with values`,
			`f.yaml:2:8: modes: a list is expected, not the string "a"`,
			`f.yaml:3:9: labels: keys with values are expected, not a list`,
			`f.yaml:4:8: inner: keys with values are expected, not the string "x"`,
			`f.yaml:5:8: rules: a list is expected, not keys with values`,
		}},
		"tables": {"name: it\nlabels: {A: b, 1: c, d: E, f: 7}\n", []string{
			`f.yaml:2:10: labels.A: "A" is not lower case (write a)`,
			`f.yaml:2:16: labels.1: a key must be a string, not the number 1 (quote it: "1")`,
			`f.yaml:2:25: labels.d: "E" is not lower case (write e)`,
			`f.yaml:2:31: labels.f: a string is expected, not the number 7 (quote it: "7")`,
		}},
		"binary": {"name: !!binary aGk=\n", []string{`f.yaml:1:7: name: a string is expected, not a value with the tag !!binary`}},
	} {
		t.Run(name, func(t *testing.T) {
			err := strict.Decode("f.yaml", []byte(tt.file), options(), &sample{}).Err()
			require.Error(t, err)
			var all *strict.Error
			require.ErrorAs(t, err, &all)
			assert.Equal(t, strings.Join(tt.want, "\n"), err.Error())
			assert.Len(t, all.Problems, len(tt.want))
		})
	}
}

func TestAdd(t *testing.T) {
	s := sample{}
	doc := strict.Decode("f.yaml", []byte("name: it\ninner:\n  other: x\n"), options(), &s)
	doc.Add("inner.other", strict.Invalidf("hint", "second"))
	doc.Add("name", errors.New("first"))
	doc.Add("rules[3].kind", errors.New("at the file's start"))
	doc.Add("name", errors.New("first"))
	assert.EqualError(t, doc.Err(), "f.yaml:1:1: rules[3].kind: at the file's start\nf.yaml:1:7: name: first\nf.yaml:3:10: inner.other: second (hint)")
	assert.EqualError(t, doc.Only("inner", errors.New("alone")).Err(), "f.yaml:3:3: inner: alone")
}

func TestCopy(t *testing.T) {
	src, dst := sample{Inner: inner{Deep: deep{"a"}, Other: "b"}}, sample{}
	assert.True(t, strict.Copy(&dst, &src, "inner.deep.leaf"))
	assert.Equal(t, sample{Inner: inner{Deep: deep{"a"}}}, dst)
	assert.False(t, strict.Copy(&dst, &src, "inner.nothing"))
	assert.False(t, strict.Copy(&dst, &src, "name.nothing"))
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{
		"tenant": "tenants", "tnenats": "tenants", "NAMESPACES": "namespaces", "x": "", "": "", "gurad": "guard",
	} {
		got := strict.Nearest(word, []string{"tenants", "guard", "namespaces"})
		if word == "x" || word == "" {
			assert.Empty(t, got, word)
			continue
		}
		assert.Equal(t, want, got, word)
	}
}
