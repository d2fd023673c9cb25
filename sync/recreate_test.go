package sync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// An object that is being deleted and hangs on somebody's finalizer cannot be
// kept: it is recreated, and at every moment it or its copy stands.
func TestRecreate(t *testing.T) {
	for _, git := range []string{kubernetesPolicy, calicoPolicy} {
		b := newBench(t)
		want := b.want(git)
		_, err := b.apply(t.Context(), want, nil)
		require.NoError(t, err)
		b.merge(want.ID, `{metadata: {finalizers: [example.com/hang]}}`)
		require.NoError(t, b.others(want.ID).Delete(t.Context(), want.ID.Name, metav1.DeleteOptions{}))
		hanging := b.live(want.ID)
		fields, err := want.Fields(hanging)
		require.NoError(t, err)
		assert.Contains(t, paths(fields), "metadata.deletionTimestamp")
		assert.Contains(t, paths(fields), "metadata.finalizers")

		events, err := b.others(want.ID).Watch(t.Context(), metav1.ListOptions{ResourceVersion: hanging.GetResourceVersion()})
		require.NoError(t, err)
		t.Cleanup(events.Stop)
		did, err := b.apply(t.Context(), want, hanging)
		require.NoError(t, err)
		assert.Equal(t, updated, did)
		stands := b.stands(want)
		assert.NotEqual(t, hanging.GetUID(), stands.GetUID())
		assert.Nil(t, stands.GetDeletionTimestamp())
		assert.Nil(t, b.live(holdOf(want).ID), "the copy is gone")
		there := map[string]bool{want.ID.Name: true}
		for range 4 { // the copy comes, the old one goes, the new one comes, the copy goes; changes are no concern here
			name, gone := next(t, events)
			there[name] = !gone
			assert.True(t, there[want.ID.Name] || there[want.ID.Name+holdSuffix], "neither stands")
		}
		assert.Equal(t, map[string]bool{want.ID.Name: true, want.ID.Name + holdSuffix: false}, there)
	}
}

// next returns the next object that came or went.
func next(t *testing.T, events watch.Interface) (name string, gone bool) {
	t.Helper()
	for {
		select {
		case e := <-events.ResultChan():
			u, ok := e.Object.(*unstructured.Unstructured)
			require.True(t, ok, "%v", e)
			if e.Type != watch.Modified {
				return u.GetName(), e.Type == watch.Deleted
			}
		case <-time.After(30 * time.Second):
			require.Fail(t, "no event")
		}
	}
}

// A copy that a crash left behind is ours to remove; anything else of its name is not.
func TestLeftHold(t *testing.T) {
	want := wantedFrom(t, kubernetesPolicy)
	left := func(change func(*unstructured.Unstructured)) drift.Difference {
		u := holdOf(want).DeepCopy()
		change(u)
		return drift.Difference{ID: drift.ID{Kind: want.ID.Kind, Namespace: want.ID.Namespace, Name: u.GetName()}, Type: drift.Extra, Got: u}
	}
	same := func(*unstructured.Unstructured) {}
	wants := &target{wanted: []*drift.Wanted{want}}
	assert.True(t, leftHold(wants, left(same)))
	assert.False(t, leftHold(&target{}, left(same)), "what it stood in for is not wanted")
	assert.False(t, leftHold(wants, left(func(u *unstructured.Unstructured) {
		require.NoError(t, unstructured.SetNestedSlice(u.Object, []any{map[string]any{}}, "spec", "egress"))
	})), "it says something else")
	assert.False(t, leftHold(wants, left(func(u *unstructured.Unstructured) { u.SetName("p") })))
	assert.Nil(t, holdOf(wantedFrom(t, networkSet)), "a set has none: two sets are not one")
	assert.Nil(t, holdOf(&drift.Wanted{ID: drift.ID{Kind: kinds.Tier}}))
}
