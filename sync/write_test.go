package sync

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

const (
	kubernetesPolicy = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: NS, labels: {app: a, more: m}, annotations: {note: ours}}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{podSelector: {matchLabels: {a: b}}}], ports: [{port: 80}]}]
`
	calicoPolicy = `
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: default.c, namespace: NS, labels: {app: a}}
spec: {selector: "app == 'a'", types: [Ingress], order: 7, ingress: [{action: Allow, source: {nets: [192.0.2.0/24]}}]}
`
	networkSet = `{apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: s, namespace: NS, labels: {app: a}}, spec: {nets: [192.0.2.0/24, 198.51.100.0/24]}}`
)

// dropped are later renders of the same objects that leave something out.
const (
	kubernetesDropped = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: NS, labels: {app: a}}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
`
	calicoDropped = `
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: default.c, namespace: NS}
spec: {selector: "app == 'a'", types: [Ingress]}
`
	setDropped = `{apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: s, namespace: NS}, spec: {nets: [192.0.2.0/24]}}`
)

// Whatever others do to an object, one apply makes it equal to Git, and a later
// render that leaves a field out really takes it away.
func TestApplyUndoes(t *testing.T) {
	tests := []struct {
		name         string
		git, dropped string
		spoil        func(b *bench, id drift.ID)
		equal        bool // the spoilt object is equal to Git all the same
	}{
		{"a rule added by Update", kubernetesPolicy, kubernetesDropped, func(b *bench, id drift.ID) { b.merge(id, `{spec: {egress: [{}]}}`) }, false},
		{"a rule added by Apply", kubernetesPolicy, kubernetesDropped, func(b *bench, _ drift.ID) {
			b.force(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: NS}, spec: {egress: [{}]}}`)
		}, false},
		{"our rule changed by Apply", kubernetesPolicy, kubernetesDropped, func(b *bench, _ drift.ID) {
			b.force(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: NS}, spec: {ingress: [{}]}}`)
		}, false},
		{"a key in a map", kubernetesPolicy, kubernetesDropped, func(b *bench, id drift.ID) { b.merge(id, `{spec: {podSelector: {matchLabels: {app: none}}}}`) }, false},
		{"an item in a list", kubernetesPolicy, kubernetesDropped, func(b *bench, id drift.ID) {
			b.merge(id, `{spec: {ingress: [{from: [{podSelector: {matchLabels: {a: b}}}, {namespaceSelector: {}}], ports: [{port: 80}]}]}}`)
		}, false},
		{"a direction taken away", kubernetesPolicy, kubernetesDropped, func(b *bench, id drift.ID) { b.merge(id, `{spec: {policyTypes: [Ingress]}}`) }, false},
		{"a label", kubernetesPolicy, kubernetesDropped, func(b *bench, id drift.ID) { b.merge(id, `{metadata: {labels: {theirs: x}}}`) }, false},
		{"our label and annotation taken away", kubernetesPolicy, kubernetesDropped, func(b *bench, id drift.ID) {
			b.merge(id, `{metadata: {labels: {app: null}, annotations: {note: null}}}`)
		}, false},
		{"an owner", kubernetesPolicy, kubernetesDropped, func(b *bench, id drift.ID) {
			ns := b.live(drift.ID{Kind: kinds.Namespace, Name: b.namespace})
			b.merge(id, `{metadata: {ownerReferences: [{apiVersion: v1, kind: Namespace, name: NS, uid: `+string(ns.GetUID())+`}]}}`)
		}, false},
		{"a finalizer", kubernetesPolicy, kubernetesDropped, func(b *bench, id drift.ID) { b.merge(id, `{metadata: {finalizers: [example.com/stay]}}`) }, false},
		{"managedFields wiped, and a rule added", kubernetesPolicy, kubernetesDropped, func(b *bench, id drift.ID) {
			b.merge(id, `{spec: {egress: [{}]}}`)
			b.merge(id, `{metadata: {managedFields: [{}]}}`)
		}, false},
		{"managedFields wiped", kubernetesPolicy, kubernetesDropped, func(b *bench, id drift.ID) { b.merge(id, `{metadata: {managedFields: [{}]}}`) }, true},
		{"the same fields owned by another", kubernetesPolicy, kubernetesDropped, func(b *bench, _ drift.ID) { b.force(kubernetesPolicy) }, true},
		{"replaced as a whole under our name", kubernetesPolicy, kubernetesDropped, func(b *bench, id drift.ID) {
			u := b.live(id).DeepCopy()
			require.NoError(b, unstructured.SetNestedSlice(u.Object, []any{map[string]any{}}, "spec", "egress"))
			_, err := b.others(id).Update(b.Context(), u, metav1.UpdateOptions{FieldManager: "ringfence"})
			require.NoError(b, err)
		}, false},
		{"Calico: an order", calicoPolicy, calicoDropped, func(b *bench, id drift.ID) { b.merge(id, `{spec: {order: 1}}`) }, false},
		{"Calico: egress rules, and a direction", calicoPolicy, calicoDropped, func(b *bench, id drift.ID) {
			b.merge(id, `{spec: {egress: [{action: Allow}], types: [Ingress, Egress]}}`)
		}, false},
		{"Calico: the same fields owned by another", calicoPolicy, calicoDropped, func(b *bench, _ drift.ID) { b.force(calicoPolicy) }, true},
		{"Calico: managedFields wiped, and a field added", calicoPolicy, calicoDropped, func(b *bench, id drift.ID) {
			b.merge(id, `{spec: {serviceAccountSelector: "all()"}}`)
			b.merge(id, `{metadata: {managedFields: [{}]}}`)
		}, false},
		{"a set: a net", networkSet, setDropped, func(b *bench, id drift.ID) {
			b.merge(id, `{spec: {nets: [192.0.2.0/24, 198.51.100.0/24, 0.0.0.0/0]}}`)
		}, false},
		{"a set: a label", networkSet, setDropped, func(b *bench, id drift.ID) { b.merge(id, `{metadata: {labels: {role: trusted}}}`) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBenchFor(t, tt.git)
			want := b.want(tt.git)
			did, err := b.apply(t.Context(), want, nil)
			require.NoError(t, err)
			assert.Equal(t, created, did)
			b.stands(want)
			b.merge(want.ID, `{metadata: {annotations: {theirs: kept}}}`)

			tt.spoil(b, want.ID)
			live := b.live(want.ID)
			fields, err := want.Fields(live)
			require.NoError(t, err)
			require.Equal(t, tt.equal, len(fields) == 0, paths(fields))
			did, err = b.apply(t.Context(), want, live)
			require.NoError(t, err)
			assert.Equal(t, updated, did)
			stands := b.stands(want)
			assert.Equal(t, live.GetUID(), stands.GetUID(), "the object is the same, not another one")
			assert.Equal(t, "kept", stands.GetAnnotations()["theirs"], "means nothing to policy, and is left alone")
			generation := stands.GetResourceVersion()
			_, err = b.apply(t.Context(), want, stands)
			require.NoError(t, err)
			assert.Equal(t, generation, b.stands(want).GetResourceVersion(), "writing it once more changes nothing")

			less := b.want(tt.dropped)
			_, err = b.apply(t.Context(), less, b.live(want.ID))
			require.NoError(t, err)
			stands = b.stands(less)
			for _, path := range [][]string{{"spec", "ingress"}, {"spec", "order"}, {"metadata", "labels", "more"}} {
				_, wanted, _ := unstructured.NestedFieldNoCopy(less.Object.Object, path...)
				_, there, _ := unstructured.NestedFieldNoCopy(stands.Object, path...)
				assert.Equal(t, wanted, there, path)
			}
		})
	}
}

// Cluster-scoped objects lose the namespace that kustomize stamped on them.
func TestApplyClusterScoped(t *testing.T) {
	b := newBenchFor(t, kinds.GroupCalico)
	tier := b.want(`{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: NS, namespace: NS}, spec: {order: 900, defaultAction: Pass}}`)
	_, err := b.apply(t.Context(), tier, nil)
	require.NoError(t, err)
	b.merge(tier.ID, `{spec: {defaultAction: Deny}, metadata: {labels: {x: z}}}`)
	_, err = b.apply(t.Context(), tier, b.live(tier.ID))
	require.NoError(t, err)
	b.stands(tier)
	require.NoError(t, b.remove(t.Context(), b.live(tier.ID)))
	assert.Nil(t, b.live(tier.ID))
}

// Of a Namespace we own what Git says, and nothing else of it is touched.
func TestApplyNamespace(t *testing.T) {
	b := newBench(t)
	id := drift.ID{Kind: kinds.Namespace, Name: b.namespace}
	b.merge(id, `{metadata: {labels: {team: red, a: theirs}, annotations: {x: z}, finalizers: [example.com/stay]}}`)
	want := b.want(`{apiVersion: v1, kind: Namespace, metadata: {name: NS, labels: {a: "1", b: "2"}}}`)
	_, err := b.apply(t.Context(), want, b.live(id))
	require.NoError(t, err)
	live := b.stands(want)
	assert.Equal(t, map[string]string{"a": "1", "b": "2", "team": "red", "kubernetes.io/metadata.name": b.namespace}, live.GetLabels())
	assert.Equal(t, "z", live.GetAnnotations()["x"])
	assert.Equal(t, []string{"example.com/stay"}, live.GetFinalizers())
	less := b.want(`{apiVersion: v1, kind: Namespace, metadata: {name: NS, labels: {a: "1"}}}`)
	_, err = b.apply(t.Context(), less, live)
	require.NoError(t, err)
	assert.NotContains(t, b.stands(less).GetLabels(), "b")
	b.merge(id, `{metadata: {finalizers: null}}`)
}

// An object that is being deleted, and that a finalizer keeps, goes and is made anew.
func TestApplyToWhatIsBeingDeleted(t *testing.T) {
	b := newBench(t)
	want := b.want(kubernetesPolicy)
	_, err := b.apply(t.Context(), want, nil)
	require.NoError(t, err)
	b.merge(want.ID, `{metadata: {finalizers: [example.com/stay]}, spec: {egress: [{}]}}`)
	require.NoError(t, b.others(want.ID).Delete(t.Context(), want.ID.Name, metav1.DeleteOptions{}))
	before := b.live(want.ID)
	require.NotNil(t, before.GetDeletionTimestamp())
	for range 3 {
		if _, err = b.apply(t.Context(), want, b.live(want.ID)); err == nil && b.live(want.ID) != nil {
			break
		}
	}
	require.NoError(t, err)
	assert.NotEqual(t, before.GetUID(), b.stands(want).GetUID())
}

// A removal is of exactly the state that was looked at.
func TestRemove(t *testing.T) {
	b := newBench(t)
	want := b.want(kubernetesPolicy)
	_, err := b.apply(t.Context(), want, nil)
	require.NoError(t, err)
	looked := b.live(want.ID)
	b.merge(want.ID, `{metadata: {labels: {x: z}}}`)
	require.True(t, apierrors.IsConflict(b.remove(t.Context(), looked)), "changed since")
	require.NotNil(t, b.live(want.ID))

	other := b.live(want.ID)
	other.Unstructured = other.DeepCopy()
	other.SetUID(types.UID("00000000-0000-0000-0000-000000000000"))
	require.True(t, apierrors.IsConflict(b.remove(t.Context(), other)), "made anew since")
	require.NotNil(t, b.live(want.ID))

	looked = b.live(want.ID)
	require.NoError(t, b.remove(t.Context(), looked))
	assert.Nil(t, b.live(want.ID))
	require.NoError(t, b.remove(t.Context(), looked), "gone already is no fault")
}
