package strict_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

func TestEncode(t *testing.T) {
	s := sample{Name: "true", Wait: time.Minute, Size: 2, Rate: 0.5, Labels: map[string]string{"b": "1", "a": ""}, Rules: []rule{{Kind: "x"}}}
	var more second
	more.Inner.Extra = "e"
	tree := strict.Tree(nil, &s, &more)
	strict.Comment(tree, "inner.deep.leaf", "a comment")
	strict.Comment(tree, "labels", "another")
	var out bytes.Buffer
	require.NoError(t, strict.WriteYAML(&out, tree, strict.Tree(func(key string) bool { return key == "inner.extra" }, &s, &more)))
	assert.Equal(t, `name: "true"
mode: ""
level: ""
count: 0
rate: 0.5
on: false
wait: 1m0s
ranges: []
modes: []
labels: # another
  a: ""
  b: "1"
size: "11"
inner:
  deep:
    leaf: "" # a comment
  other: ""
  extra: e
rules:
  - kind: x
    note: ""
top: ""
---
inner:
  extra: e
`, out.String())

	b, err := strict.MarshalJSON(tree)
	require.NoError(t, err)
	assert.True(t, json.Valid(b), "%s", b)
	assert.Equal(t, `{"name":"true","mode":"","level":"","count":0,"rate":0.5,"on":false,"wait":"1m0s","ranges":[],"modes":[],`+
		`"labels":{"a":"","b":"1"},"size":"11","inner":{"deep":{"leaf":""},"other":"","extra":"e"},"rules":[{"kind":"x","note":""}],"top":""}`, string(b))
}

// TestRoundTrip holds that Decode reads what Encode writes, whatever the values.
func TestRoundTrip(t *testing.T) {
	text := rapid.StringMatching(`[ -~äß☃]{1,12}`)
	lower := rapid.StringMatching(`[a-z0-9:{}#\[\],&*!|>'"%@~ -]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		want := sample{
			Name:  text.Draw(t, "name"),
			Mode:  rapid.SampledFrom([]string{"apply", "observe"}).Draw(t, "mode"),
			Level: lower.Draw(t, "level"),
			Count: rapid.IntRange(1, 9).Draw(t, "count"),
			Rate:  rapid.Float64Range(-1, 1e12).Draw(t, "rate"),
			On:    rapid.Bool().Draw(t, "on"),
			Wait:  time.Duration(rapid.Int64Range(1e9, 1e18).Draw(t, "wait")),
			Ranges: rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) netip.Prefix {
				return netip.PrefixFrom(netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address"))), rapid.IntRange(0, 32).Draw(t, "bits"))
			}), 1, 3, rapid.ID).Draw(t, "ranges"),
			Modes:  rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b"}), 0, 2, rapid.ID).Draw(t, "modes"),
			Labels: rapid.MapOfN(lower, lower, 1, 3).Draw(t, "labels"),
			Size:   size(rapid.IntRange(2, 3).Draw(t, "size")),
			Inner:  inner{Deep: deep{text.Draw(t, "leaf")}, Other: text.Draw(t, "other")},
			Rules: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) rule {
				return rule{Kind: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "kind"), Note: text.Draw(t, "note")}
			}), 0, 3).Draw(t, "rules"),
		}
		var out bytes.Buffer
		require.NoError(t, strict.WriteYAML(&out, strict.Tree(nil, &want)))
		got := sample{}
		doc := strict.Decode("f.yaml", out.Bytes(), options(), &got)
		require.NoError(t, doc.Err(), "%s", out.String())
		if want.Modes == nil {
			want.Modes = []string{}
		}
		if want.Rules == nil {
			want.Rules = []rule{}
		}
		assert.Equal(t, want, got)

		b, err := strict.MarshalJSON(strict.Tree(nil, &want))
		require.NoError(t, err)
		var decoded map[string]any
		require.NoError(t, json.Unmarshal(b, &decoded))
		assert.Equal(t, want.Name, decoded["name"])
		assert.ElementsMatch(t, slices.Collect(maps.Keys(decoded["labels"].(map[string]any))), slices.Collect(maps.Keys(want.Labels)))
	})
}

// FuzzDecode holds that no file makes Decode panic, and that it finds either
// problems or values that can be written and read again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "name: it\n", "name: *a\n", "? {a: b}\n: c\n", "name: it\nlabels: {a: b}\nranges: [10.0.0.0/8]\n", "---\n---\n", "[[[[[[", "a: &a [*a]\n",
		"name: !!binary aGk=\n", "%YAML 9.9\n---\nname: it\n", "\xff\xfe", "name: it\nrules:\n- kind: x\n  <<: y\n", "!!map {name: it}\n", "name: \"\\x00\\u2028\"\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := sample{}
		if err := strict.Decode("f.yaml", data, options(), &got).Err(); err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		var out bytes.Buffer
		given := func(v any) func(string) bool {
			doc := strict.Decode("f.yaml", data, options(), v)
			return doc.Given
		}(&sample{})
		require.NoError(t, strict.WriteYAML(&out, strict.Tree(given, &got)))
		again := sample{}
		require.NoError(t, strict.Decode("f.yaml", out.Bytes(), options(), &again).Err(), "%q became %q", data, out.String())
		assert.Equal(t, got, again)
	})
}
