package drift

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// An object in any spelling equals what the API server makes of it, and no
// longer does after any single change of its spec.
func TestAnyChangeOfTheSpecShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawPolicy().Draw(t, "object")
		u := &unstructured.Unstructured{Object: o}
		k, ok := kinds.Find(u.GroupVersionKind().GroupKind())
		require.True(t, ok)
		want := NewWanted(kustomize.Object{Unstructured: u, Kind: k})
		live := served(t, k, u)
		fields, err := want.Fields(observe(k, live, live.GetCreationTimestamp().Time))
		require.NoError(t, err)
		require.Empty(t, fields)

		changed := live.DeepCopy()
		what := mutate(t, changed.Object)
		fields, err = want.Fields(observe(k, changed, live.GetCreationTimestamp().Time))
		require.NoError(t, err)
		require.NotEmpty(t, fields, "%s goes unseen in %s", what, asJSON(changed.Object))
	})
}

// served is what the API server makes of an object: defaulted, without what is
// empty, and with metadata of its own.
func served(t *rapid.T, k kinds.Kind, u *unstructured.Unstructured) *unstructured.Unstructured {
	body, err := canonical(k, u, u.GetAnnotations())
	require.NoError(t, err)
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	out := &unstructured.Unstructured{}
	require.NoError(t, out.UnmarshalJSON(raw)) // whole numbers are int64, as from a real server
	out.SetUID("uid")
	out.SetResourceVersion("7")
	out.SetAnnotations(map[string]string{"someone.example.com/note": "x"})
	return out
}

// place is a container in the spec and a key or index of it.
type place struct {
	path   string
	change func()
}

// mutate makes one change somewhere in the spec, or among the labels.
func mutate(t *rapid.T, o map[string]any) string {
	var places []place
	spec, ok := o["spec"].(map[string]any)
	require.True(t, ok)
	walk("spec", spec, &places)
	// Ordering by path makes rapid's choice repeatable.
	slices.SortStableFunc(places, func(a, b place) int {
		if a.path < b.path {
			return -1
		} else if a.path > b.path {
			return 1
		}
		return 0
	})
	p := places[rapid.IntRange(0, len(places)-1).Draw(t, "place")]
	p.change()
	return p.path
}

func walk(path string, m map[string]any, places *[]place) {
	*places = append(*places, place{path + " + a key", func() { m["surprise"] = "x" }})
	for key, value := range m {
		at := path + "." + key
		*places = append(*places, place{at + " = other", func() { m[key] = other(value) }})
		switch v := value.(type) {
		case map[string]any:
			walk(at, v, places)
		case []any:
			*places = append(*places,
				place{at + " + an item", func() { m[key] = append(slices.Clone(v), other(v[0])) }},
				place{at + " - an item", func() { m[key] = without(v) }})
			for i, item := range v {
				if inner, ok := item.(map[string]any); ok {
					walk(fmt.Sprintf("%s[%d]", at, i), inner, places)
				}
			}
		}
	}
}

// without takes the last item away; of a single one it leaves another, since
// for policyTypes none means the default.
func without(v []any) []any {
	if len(v) == 1 {
		return []any{other(v[0])}
	}
	return v[:len(v)-1]
}

// other returns a value of the same type that differs.
func other(v any) any {
	switch v := v.(type) {
	case string:
		return v + "x"
	case int64:
		return v + 1
	case float64:
		return v + 0.5
	case bool:
		return !v
	case map[string]any:
		return map[string]any{"surprise": "x"}
	case []any:
		return []any{other(v[0])}
	}
	return "x"
}

// maybe leaves a key out, or spells its emptiness in one of the ways.
func maybe(t *rapid.T, m map[string]any, key string, empty any, draw func() any) {
	switch rapid.IntRange(0, 4).Draw(t, key) {
	case 0:
		m[key] = nil
	case 1:
		if empty != nil {
			m[key] = empty
		}
	case 2, 3:
		m[key] = draw()
	}
}

// drawPolicy makes policies, sets and tiers as people write them.
func drawPolicy() *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		name := map[string]any{"name": "p", "namespace": "ns"}
		maybe(t, name, "labels", map[string]any{}, func() any { return map[string]any{"app": "a"} })
		kind := rapid.SampledFrom([]string{"knp", "NetworkPolicy", "GlobalNetworkPolicy", "StagedNetworkPolicy", "NetworkSet", "GlobalNetworkSet", "Tier"}).Draw(t, "kind")
		o := map[string]any{"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": name}
		switch kind {
		case "knp":
			o["apiVersion"], o["kind"], o["spec"] = "networking.k8s.io/v1", "NetworkPolicy", drawKubernetes(t)
		case "NetworkSet", "GlobalNetworkSet":
			o["spec"] = map[string]any{"nets": rapid.SliceOfN(rapid.SampledFrom([]any{"192.0.2.0/24", "2001:db8::/32"}), 1, 3).Draw(t, "nets")}
		case "Tier":
			spec := map[string]any{}
			maybe(t, spec, "order", nil, func() any { return rapid.SampledFrom([]any{int64(1), 1.5, 1e6}).Draw(t, "value") })
			maybe(t, spec, "defaultAction", nil, func() any { return "Pass" })
			o["spec"] = spec
		default:
			o["spec"] = drawCalico(t)
		}
		return o
	})
}

func drawKubernetes(t *rapid.T) map[string]any {
	spec := map[string]any{}
	maybe(t, spec, "podSelector", map[string]any{}, func() any {
		return map[string]any{"matchLabels": map[string]any{"app.kubernetes.io/name": "a"}}
	})
	maybe(t, spec, "policyTypes", []any{}, func() any { return []any{"Ingress", "Egress"} })
	for _, way := range [][2]string{{"ingress", "from"}, {"egress", "to"}} {
		direction, side := way[0], way[1]
		maybe(t, spec, direction, []any{}, func() any {
			rule := map[string]any{}
			maybe(t, rule, side, []any{}, func() any {
				peer := map[string]any{"podSelector": map[string]any{}}
				maybe(t, peer, "namespaceSelector", nil, func() any { return map[string]any{} })
				return []any{peer, map[string]any{"ipBlock": map[string]any{"cidr": "0.0.0.0/0", "except": []any{"10.0.0.0/8"}}}}
			})
			maybe(t, rule, "ports", []any{}, func() any {
				port := map[string]any{}
				maybe(t, port, "port", nil, func() any { return rapid.SampledFrom([]any{int64(80), "web"}).Draw(t, "number") })
				maybe(t, port, "protocol", nil, func() any { return "UDP" })
				return []any{port}
			})
			return []any{rule}
		})
	}
	return spec
}

func drawCalico(t *rapid.T) map[string]any {
	spec := map[string]any{}
	maybe(t, spec, "tier", "", func() any { return "mine" })
	maybe(t, spec, "order", nil, func() any { return int64(0) })
	maybe(t, spec, "selector", "", func() any { return "app == 'a'" })
	maybe(t, spec, "types", []any{}, func() any { return []any{"Ingress", "Egress"} })
	for _, direction := range []string{"ingress", "egress"} {
		maybe(t, spec, direction, []any{}, func() any {
			rule := map[string]any{"action": "Allow"}
			maybe(t, rule, "protocol", nil, func() any { return rapid.SampledFrom([]any{"TCP", int64(17)}).Draw(t, "number") })
			maybe(t, rule, "icmp", nil, func() any { return map[string]any{"type": int64(8)} })
			for _, side := range []string{"source", "destination"} {
				maybe(t, rule, side, map[string]any{}, func() any {
					entity := map[string]any{}
					maybe(t, entity, "nets", []any{}, func() any { return []any{"192.0.2.0/24"} })
					maybe(t, entity, "notNets", []any{}, func() any { return []any{"192.0.2.0/28"} })
					maybe(t, entity, "ports", []any{}, func() any { return []any{int64(80), "90:91", "web"} })
					maybe(t, entity, "selector", "", func() any { return "all()" })
					return entity
				})
			}
			return []any{rule}
		})
	}
	return spec
}

// same says what reflect.DeepEqual says, of anything that JSON can hold.
func TestSame(t *testing.T) {
	leaf := rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.Bool(), toAny[bool]), rapid.Map(rapid.Int64Range(0, 2), toAny[int64]),
		rapid.Map(rapid.Float64Range(0, 1), toAny[float64]), rapid.Map(rapid.SampledFrom([]string{"", "a", "b"}), toAny[string]),
		rapid.Map(rapid.IntRange(0, 1), toAny[int]), rapid.Just[any]([]any(nil)), rapid.Just[any](map[string]any(nil)))
	values := leaf
	for range 3 {
		values = rapid.OneOf(leaf, rapid.Map(rapid.SliceOfN(values, 0, 2), toAny[[]any]),
			rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b"}), values, 0, 2), toAny[map[string]any]))
	}
	equal, different := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		a, b := values.Draw(t, "a"), values.Draw(t, "b")
		require.Equal(t, reflect.DeepEqual(a, b), same(a, b))
		if same(a, b) {
			equal++
		} else {
			different++
		}
	})
	assert.NotZero(t, equal)
	assert.NotZero(t, different)
}

func toAny[T any](v T) any { return v }
