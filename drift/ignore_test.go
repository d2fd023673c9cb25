package drift

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

func TestIgnored(t *testing.T) {
	live := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"podSelector": map[string]any{}}}}
	other := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"podSelector": map[string]any{"a": "b"}}}}
	rule := IgnoreRule{Group: "networking.k8s.io", Kind: "NetworkPolicy", Namespace: "caas-*", Name: "chart-*", Reason: "charts"}
	pinned := rule
	pinned.SpecHash = SpecHash(live)
	id := ID{Kind: kinds.NetworkPolicy, Namespace: "caas-a", Name: "chart-db"}
	with := func(change func(*ID)) ID {
		changed := id
		change(&changed)
		return changed
	}
	for name, tt := range map[string]struct {
		rule IgnoreRule
		d    Difference
		want bool
	}{
		"closes":                  {rule, Difference{ID: id, Effect: Closes, Got: live}, true},
		"does nothing":            {rule, Difference{ID: id, Effect: None, Got: live}, true},
		"opens":                   {rule, Difference{ID: id, Effect: Opens, Got: live}, false},
		"opens and closes":        {rule, Difference{ID: id, Effect: Both, Got: live}, false},
		"cannot be told":          {rule, Difference{ID: id, Effect: EffectUnknown, Got: live}, false},
		"opens, and is pinned":    {pinned, Difference{ID: id, Effect: Opens, Got: live}, true},
		"opens, another spec":     {pinned, Difference{ID: id, Effect: Opens, Got: other}, false},
		"closes, another spec":    {pinned, Difference{ID: id, Effect: Closes, Got: other}, true},
		"missing":                 {rule, Difference{ID: id, Type: Missing, Effect: Closes}, true},
		"missing, and it opens":   {pinned, Difference{ID: id, Type: Missing, Effect: Opens}, false},
		"another name":            {rule, Difference{ID: with(func(id *ID) { id.Name = "mine" }), Effect: None}, false},
		"another namespace":       {rule, Difference{ID: with(func(id *ID) { id.Namespace = "kube-system" }), Effect: None}, false},
		"the kind of another API": {rule, Difference{ID: with(func(id *ID) { id.Kind.Group = "projectcalico.org" }), Effect: None}, false},
	} {
		got, ok := Ignored([]IgnoreRule{{Group: "x", Kind: "y", Name: "*"}, tt.rule}, tt.d)
		assert.Equal(t, tt.want, ok, name)
		if ok {
			assert.Equal(t, "charts", got.Reason)
		}
	}
}

// The hash is of the spec alone, whatever its keys' order and the rest.
func TestSpecHash(t *testing.T) {
	a := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "a"}, "spec": map[string]any{"x": int64(1), "y": "z"}}}
	b := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "b"}, "spec": map[string]any{"y": "z", "x": int64(1)}}}
	assert.Equal(t, SpecHash(a), SpecHash(b))
	assert.Len(t, SpecHash(a), 64)
	assert.Empty(t, SpecHash(&unstructured.Unstructured{Object: map[string]any{}}))
	spec := map[string]any{"finalizers": []any{"kubernetes"}}
	assert.Empty(t, SpecHash(&unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "spec": spec}}), "equal for all: it would pin nothing")
}

// A policy finds a network set by its labels: with others it is another one.
func TestSpecHashOfSets(t *testing.T) {
	set := func(kind, role string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": map[string]any{"labels": map[string]any{"role": role}},
			"spec": map[string]any{"nets": []any{"192.0.2.0/24"}},
		}}
	}
	for _, kind := range []string{"NetworkSet", "GlobalNetworkSet"} {
		first, again := SpecHash(set(kind, "a")), SpecHash(set(kind, "a"))
		assert.Equal(t, first, again)
		assert.NotEqual(t, first, SpecHash(set(kind, "trusted")))
	}
	assert.Equal(t, SpecHash(set("NetworkPolicy", "a")), SpecHash(set("NetworkPolicy", "b")), "a policy's labels are nobody's business")
}
