package reach

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSelectorMeaning(t *testing.T) {
	labels := map[string]string{"app": "web", "tier": "front-end", "e": ""}
	for text, want := range map[string]bool{
		"": true, "all()": true, " all( ) ": true, "global()": true, "!all()": false, "!!all()": true,
		"app == 'web'": true, `app=="web"`: true, "app != 'web'": false, "none != 'web'": true, "app == 'we'": false,
		"has(app)": true, "has( app )": true, "!has(app)": false, "has(none)": false, "has(e)": true, "e == ''": true,
		"app in {'web', 'db'}": true, "app in {}": false, "app not in {'web'}": false, "none not in {'web'}": true, "app notin {'db',}": true,
		"tier contains 't-e'": true, "none contains ''": false, "tier starts with 'front'": true, "tier startswith 'end'": false,
		"tier ends with 'end'": true, "tier endswith\t'end'": true,
		"app == 'x' && app == 'y' || has(app)": true, "app == 'x' && (app == 'y' || has(app))": false,
		"has(app) || has(none) && has(none)": true, "!has(none) && !(has(app) && has(none))": true,
		"in == 'x' || not in {'a'}": false, "has == 'x'": false,
	} {
		s, err := ParseSelector(text)
		require.NoError(t, err, text)
		require.Equal(t, want, s.Matches(labels), text)
	}
}

func TestSelectorFaults(t *testing.T) {
	for text, want := range map[string]string{
		"app = 'web'": "at byte 4: expected ==", "app == web": "expected a quoted value", "app == 'web": "closing quote",
		"app == 'a'\n&& has(b)": "only space and tab", "has(app": "expected )", "(has(app)": "expected )", "app": "found the end",
		"app in 'x'": "expected {", "app in {'a' 'b'}": "expected , or }", "app in {,}": "expected a quoted value", "has()": "expected a label key", "all(x)": "expected )",
		"has(a) has(b)": "expected &&, || or the end", "&& has(a)": "expected a label key", "app inside {'x'}": "expected ==",
		"app & has(b)": "expected ==", strings.Repeat("k", 513) + " == 'x'": "at most 512", "!": "expected a label key", "has(a) ||": "expected a label key",
	} {
		_, err := ParseSelector(text)
		require.ErrorContains(t, err, want, text)
	}
}

// Whatever parses prints a canonical text that parses to the same text and means the same.
func FuzzSelector(f *testing.F) {
	for _, text := range []string{"", "all()", "!(a == 'b' || has(c)) && d not in {'e', \"f'\"}", "a starts with 'b'", "global()", "a notin {}", "\x00", "a == \"'\""} {
		f.Add(text)
	}
	worlds := []map[string]string{{}, {"a": "b"}, {"a": "", "c": "x"}, {"d": "e"}, {"a": "bb", "c": "", "d": "f'"}}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelector(text)
		if err != nil {
			return
		}
		again, err := ParseSelector(s.String())
		require.NoError(t, err, "%q became %q", text, s)
		require.Equal(t, s.String(), again.String())
		for _, labels := range worlds {
			require.Equal(t, s.Matches(labels), again.Matches(labels), "%q", text)
		}
	})
}
