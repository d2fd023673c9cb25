package selector

import (
	"slices"
	"strings"
	"testing"

	"github.com/projectcalico/calico/libcalico-go/lib/selector"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// corpus is selectors that someone may write, well or badly, and what lies at the borders of the language.
func corpus() []string {
	return []string{
		"", " ", "\t", "all()", "all( )", " all ()", "all ()", "all(\t)", "!all()", "!!all()", "! ! all()", "global()", "!global( )", "global", "all",
		"a == 'b'", `a == "b"`, "a=='b'", "a == b", "a = 'b'", "a === 'b'", "a == 'b", `a == "b'`, "a == ''", `a == "'"`, `a == '"'`, `a == "\"`,
		"a != 'b'", "a !='b'", "a ! = 'b'", "!a == 'b'", "! a != 'b'", "!!= 'b'", "a !== 'b'", "a == 'b' == 'c'", "'a' == 'b'", "a == 'é'", "é == 'a'",
		"has(a)", "has( a )", "has (a)", "has()", "has(a b)", "has('a')", "has(a", "has(a))", "!has(a)", "hasa", "has", "has == 'x'", "has(has)", "has(all())",
		"a in {'b'}", "a in{'b'}", "a in {}", "a in { }", "a in {'b',}", "a in {,}", "a in {'b' 'c'}", "a in {'b','c'}", "a in ('b')", "a in 'b'", "a in {b}", "ain {'b'}",
		"a not in {'b'}", "a notin {'b'}", "a not  in {'b'}", "a not\tin{'b'}", "a not {'b'}", "a notin{}", "a notinx {'b'}", "a not inx {'b'}", "not in {'b'}", "in in {'in'}",
		"a contains 'b'", "a contains ''", "a containsb", "a contains'b'", "a contains {'b'}", "a starts with 'b'", "a startswith 'b'", "a starts  with'b'", "a starts 'b'",
		"a ends with 'b'", "a endswith\t'b'", "a ends with''", "a starts withx 'b'", "contains contains 'contains'", "starts starts with 'starts'", "not not in {'not'}",
		"a == 'b' && c == 'd'", "a == 'b' & c == 'd'", "a == 'b' and c == 'd'", "a == 'b' && ", "&& a == 'b'", "a == 'b' && && c == 'd'", "a == 'b'&&c == 'd'",
		"a == 'b' || c == 'd'", "a == 'b' | c == 'd'", "a == 'b' || c == 'd' && e == 'f'", "(a == 'b' || c == 'd') && e == 'f'", "a == 'b' && c == 'd' || e == 'f' && !has(g)",
		"()", "(all())", "((a == 'b'))", "(a == 'b'", "a == 'b')", ")(", "!(a == 'b')", "!(!(a == 'b'))", "! (a == 'b' && !has(c))", "(((((((((has(a))))))))))", "!()",
		"a == 'b'\n", "a == 'b' &&\nc == 'd'", "a == 'b'\r", "a\n== 'b'", "a == 'b\nc'", "a == 'b' # c", "a\x00 == 'b'", "a == '\x00'", "\ufeffa == 'b'", "a\u00a0== 'b'",
		"projectcalico.org/namespace == 'x'", "pcns.projectcalico.org/name in {'x', 'y'}", "app.kubernetes.io/name_-./x != 'web'", "- == '-'", ". == '.'", "/ == '/'", "1 == '1'", "_ == '_'", "A == 'a'",
		strings.Repeat("k", 512) + " == 'x'", strings.Repeat("k", 513) + " == 'x'", "has(" + strings.Repeat("k", 513) + ")", "a == '" + strings.Repeat("v", 2000) + "'",
		strings.Repeat("!", 99) + "has(a)", strings.Repeat("(", 99) + "has(a)" + strings.Repeat(")", 99), "has(a)" + strings.Repeat(" && has(a)", 99), "has(a)" + strings.Repeat(" || has(b)", 99),
		"a in {'b', 'b', 'a'} && a not in {'c'}", "a == 'b' has(c)", "has(a) has(b)", "a b == 'c'", "{'a'}", "'a'", ",", "}", "=", "==", "!=", "in {'a'}", "==='a'", "a =='b'||has(c)&&!has(d)",
	}
}

func TestCorpus(t *testing.T) {
	parsed, failed := 0, 0
	for _, text := range corpus() {
		if compare(t, text) {
			parsed++
		} else {
			failed++
		}
	}
	assert.Greater(t, parsed, 80)
	assert.Greater(t, failed, 60)
}

// FuzzSelectors compares whatever the fuzzer makes of the corpus.
func FuzzSelectors(f *testing.F) {
	for _, text := range corpus() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { compare(t, text) })
}

// compare requires that both parsers say the same of a text, and that what they make of it selects alike. It reports
// whether the text is a selector.
func compare(t require.TestingT, text string) bool {
	ours, err := reach.ParseSelector(text)
	theirs, reference := selector.Parse(text)
	if reference != nil {
		require.Error(t, err, "%q: Calico says %v", text, reference)
		return false
	}
	require.NoError(t, err, text)
	again, err := selector.Parse(ours.String())
	require.NoError(t, err, "%q was printed as %q", text, ours)
	for _, labels := range labelSets(text) {
		want := theirs.Evaluate(labels)
		require.Equal(t, want, ours.Matches(labels), "%q on %v", text, labels)
		require.Equal(t, want, again.Evaluate(labels), "%q, printed as %q, on %v", text, ours, labels)
	}
	return true
}

// labelSets are labels that a selector may tell apart: of the words in it, each as a key with each as a value.
func labelSets(text string) []map[string]string {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t'\"(){},=!&|", r) })
	slices.Sort(words)
	words = slices.Compact(words)
	const most = 12
	words = words[:min(len(words), most)]
	out := []map[string]string{nil, {}}
	all := map[string]string{}
	for i, key := range words {
		all[key] = words[len(words)-1-i]
		out = append(out, map[string]string{key: ""}, map[string]string{key: "x" + key})
		for _, value := range words {
			out = append(out, map[string]string{key: value}, map[string]string{key: value + "x"}, map[string]string{key: "x" + value + "x"})
			out = append(out, map[string]string{key: value, words[0]: value, words[len(words)-1]: key})
		}
	}
	return append(out, all)
}
