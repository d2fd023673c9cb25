package exposure

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
)

// Classes that are remembered for all namespaces, less those that do not count for one suit, are what one finds for it by
// looking at each namespace.
func TestClasses(t *testing.T) {
	w, err := reach.New(reach.Config{Objects: []reach.Object{Live(map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": map[string]any{"name": "p", "namespace": "n05"},
		"spec": map[string]any{"podSelector": map[string]any{}, "ingress": []any{map[string]any{"from": []any{
			map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"team": "a"}}},
			map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": "n03"}}},
		}}}},
	})}})
	require.NoError(t, err)
	terms := w.NamespaceTerms()
	many, alone := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		all, m := map[string]map[string]string{}, memory{}
		for i := range rapid.IntRange(0, 4*examples).Draw(t, "namespaces") {
			name := fmt.Sprintf("n%02d", i)
			all[name] = map[string]string{"kubernetes.io/metadata.name": name}
			if team := rapid.SampledFrom([]string{"", "a", "a", "b"}).Draw(t, "team"); team != "" {
				all[name]["team"] = team
			}
		}
		namespaces := drift.NewNamespaces(all)
		for range 2 { // the second time from memory
			some := func(name string) map[string]bool {
				out := map[string]bool{}
				for _, i := range rapid.SliceOfN(rapid.IntRange(0, 40), 0, 3).Draw(t, name) {
					out[fmt.Sprintf("n%02d", i)] = true
				}
				return out
			}
			c := suit{
				scene: &Scene{Namespace: rapid.SampledFrom([]string{"", "n00", "n03", "n07", "n08", "n09", "n30"}).Draw(t, "own"), Namespaces: namespaces},
			}
			if rapid.Bool().Draw(t, "particular") {
				c.forced, c.unasked = some("forced"), some("unasked")
			}
			want := map[string][]string{}
			for _, name := range slices.Sorted(maps.Keys(all)) {
				asked := terms.Answer(name, all[name])
				if c.forced[name] {
					asked = name + "\x00" + asked
				}
				if name != c.scene.Namespace && !c.unasked[name] && asked != "" {
					want[asked] = append(want[asked], name)
				}
			}
			var order []string
			for _, class := range c.counting(terms, m.classes("policies", namespaces, terms)) {
				order = append(order, class.asked)
				names := want[class.asked]
				require.Equal(t, len(names) > examples, len(class.names) > examples)
				require.Equal(t, names[:min(len(names), examples)], class.names[:min(len(class.names), examples)])
				if len(names) > examples {
					many++
				} else {
					alone++
				}
			}
			require.Equal(t, slices.Sorted(maps.Keys(want)), order)
		}
	})
	assert.Positive(t, many)
	assert.Positive(t, alone)
}
