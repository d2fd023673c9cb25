package sync

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
)

// What others did to an object in more than one way is undone in one step: a deny-all that selects every pod again and still
// has somebody's rule would let through what neither the spoilt object nor Git does.
func TestNothingBetweenSpoiltAndGit(t *testing.T) {
	const (
		kubernetes = `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: NS, labels: {app: a}}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}`
		allowance  = `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: NS}, spec: {podSelector: {matchLabels: {a: b}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}}`
		calico     = `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: default.c, namespace: NS}, spec: {selector: "all()", types: [Ingress, Egress]}}`
		set        = `{apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: s, namespace: NS, labels: {role: a}}, spec: {nets: [192.0.2.0/24]}}`
	)
	narrowed := func(b *bench, id drift.ID) {
		b.merge(id, `{spec: {podSelector: {matchLabels: {app: none}}, egress: [{}]}}`)
	}
	tests := []struct {
		name, git string
		spoil     func(b *bench, id drift.ID)
	}{
		{"narrowed, and a rule", kubernetes, narrowed},
		{"narrowed, and a rule by Apply", kubernetes, func(b *bench, id drift.ID) {
			b.merge(id, `{spec: {podSelector: {matchLabels: {app: none}}}}`)
			b.force(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: NS}, spec: {ingress: [{}]}}`)
		}},
		{"narrowed, and a rule, of which nobody is the owner", kubernetes, func(b *bench, id drift.ID) {
			narrowed(b, id)
			b.merge(id, `{metadata: {managedFields: [{}]}}`)
		}},
		{"another selector, and a direction's rules", allowance, func(b *bench, id drift.ID) {
			b.merge(id, `{spec: {podSelector: {matchLabels: {a: c}}, egress: [{}]}}`)
		}},
		{"Calico: narrowed, and a rule", calico, func(b *bench, id drift.ID) {
			b.merge(id, `{spec: {selector: "app == 'none'", egress: [{action: Allow}]}}`)
		}},
		{"a set: other nets, and a label", set, func(b *bench, id drift.ID) {
			b.merge(id, `{spec: {nets: [198.51.100.0/24]}, metadata: {labels: {trusted: "yes"}}}`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBenchFor(t, tt.git)
			want := b.want(tt.git)
			_, err := b.apply(t.Context(), want, nil)
			require.NoError(t, err)
			tt.spoil(b, want.ID)
			live := b.live(want.ID)
			spoilt, err := want.Fields(live)
			require.NoError(t, err)
			require.Greater(t, len(spoilt), 1)

			states := b.states(live)
			did, err := b.apply(t.Context(), want, live)
			require.NoError(t, err)
			assert.Equal(t, updated, did)
			stands := b.stands(want)
			for _, state := range states(stands) {
				fields, err := want.Fields(&drift.Observed{Unstructured: state, ID: want.ID})
				require.NoError(t, err)
				assert.True(t, len(fields) == 0 || assert.ObjectsAreEqual(spoilt, fields), "neither what was live nor what Git says: %v", state.Object)
			}
			assert.False(t, slices.ContainsFunc(stands.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool {
				return e.Manager == "ringfence" && e.Operation == metav1.ManagedFieldsOperationUpdate
			}), "what we wrote is ours by Apply alone, so that a later render can take it away")
			_, err = b.apply(t.Context(), want, stands)
			require.NoError(t, err)
			assert.Equal(t, stands.GetResourceVersion(), b.stands(want).GetResourceVersion(), "writing it once more changes nothing")
		})
	}
}

// states watches an object from a state on; what it returns gives every later one up to last.
func (b *bench) states(from *drift.Observed) func(last *drift.Observed) []*unstructured.Unstructured {
	b.Helper()
	w, err := b.rogue.Resource(from.ID.Kind.GVR()).Namespace(from.ID.Namespace).Watch(b.Context(), metav1.ListOptions{ResourceVersion: from.GetResourceVersion()})
	require.NoError(b, err)
	return func(last *drift.Observed) []*unstructured.Unstructured {
		defer w.Stop()
		var out []*unstructured.Unstructured
		for e := range w.ResultChan() {
			u, ok := e.Object.(*unstructured.Unstructured)
			require.True(b, ok, "%v", e.Object)
			if u.GetName() != from.ID.Name {
				continue
			}
			if out = append(out, u); u.GetResourceVersion() == last.GetResourceVersion() {
				return out
			}
		}
		require.Fail(b, "the watch ended")
		return nil
	}
}
