package sync

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// An object that is being deleted and hangs on somebody's finalizer cannot be
// kept: it is recreated, and at every moment it or its copy stands.
func TestRecreate(t *testing.T) {
	for _, git := range []string{kubernetesPolicy, calicoPolicy, networkSet} {
		b := newBenchFor(t, git)
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
			assert.True(t, there[want.ID.Name] || there[want.ID.Name+kustomize.ReservedSuffix], "neither stands")
		}
		assert.Equal(t, map[string]bool{want.ID.Name: true, want.ID.Name + kustomize.ReservedSuffix: false}, there)
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
	p := newProgress()
	assert.NotNil(t, leftHold(wants, p, left(same)))
	assert.Nil(t, leftHold(&target{}, p, left(same)), "what it stood in for is not wanted")
	assert.Nil(t, leftHold(wants, p, left(func(u *unstructured.Unstructured) {
		require.NoError(t, unstructured.SetNestedSlice(u.Object, []any{map[string]any{}}, "spec", "egress"))
	})), "it says something else")
	assert.Nil(t, leftHold(wants, p, left(func(u *unstructured.Unstructured) { u.SetName("p") })))
	p.own(wants)
	p.own(&target{wanted: []*drift.Wanted{wantedFrom(t, strings.Replace(kubernetesPolicy, "podSelector: {}", "podSelector: {matchLabels: {app: a}}", 1))}})
	assert.NotNil(t, leftHold(&target{}, p, left(same)), "a copy of what Git said before the crash")
	p.reach(&target{}, nil)
	assert.Nil(t, leftHold(&target{}, p, left(same)), "what is reached has no copies of what was before")
	assert.Nil(t, holdOf(&drift.Wanted{ID: drift.ID{Kind: kinds.Tier}}), "policies refer to it by its name")
}

// immutable makes the API server refuse changes of a policy's podSelector in the bench's namespace.
func (b *bench) immutable() {
	b.Helper()
	resource := b.rogue.Resource(schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"})
	bindings := b.rogue.Resource(schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"})
	policy := parseObject(b, b.text(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NS}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [networking.k8s.io], apiVersions: [v1], operations: [UPDATE], resources: [networkpolicies]}]}
  matchConditions: [{name: here, expression: "request.namespace == 'NS'"}]
  validations: [{expression: "object.spec.podSelector == oldObject.spec.podSelector", message: "spec.podSelector: Value is immutable"}]
`))
	binding := parseObject(b, b.text(`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: NS}, spec: {policyName: NS, validationActions: [Deny]}}`))
	_, err := resource.Create(b.Context(), policy, metav1.CreateOptions{})
	require.NoError(b, err)
	_, err = bindings.Create(b.Context(), binding, metav1.CreateOptions{})
	require.NoError(b, err)
	b.Cleanup(func() {
		assert.NoError(b, bindings.Delete(context.Background(), b.namespace, metav1.DeleteOptions{}))
		assert.NoError(b, resource.Delete(context.Background(), b.namespace, metav1.DeleteOptions{}))
	})
}

// A field that may not change is changed by an object that is made anew.
func TestRecreateForAnImmutableField(t *testing.T) {
	b := newBench(t)
	want := b.want(kubernetesPolicy)
	_, err := b.apply(t.Context(), want, nil)
	require.NoError(t, err)
	b.immutable()
	narrow := []byte(`{"spec": {"podSelector": {"matchLabels": {"app": "none"}}}}`)
	require.Eventually(t, func() bool {
		_, err := b.others(want.ID).Patch(t.Context(), want.ID.Name, types.MergePatchType, narrow, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil && cannotChange(err)
	}, 30*time.Second, 100*time.Millisecond)
	before := b.live(want.ID)
	next := b.want(strings.Replace(kubernetesPolicy, "podSelector: {}", "podSelector: {matchLabels: {app: a}}", 1))
	did, err := b.apply(t.Context(), next, before)
	require.NoError(t, err)
	assert.Equal(t, updated, did)
	assert.NotEqual(t, before.GetUID(), b.stands(next).GetUID())
	assert.Nil(t, b.live(holdOf(next).ID))
}

// Somebody else's object is not taken for a copy, nor overwritten by one.
func TestRecreateBesideSomebodyElses(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	deny := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "deny-all"}
	theirs := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "deny-all" + kustomize.ReservedSuffix}
	b.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: ` + theirs.Name + `, namespace: ` + ns + `}, spec: {podSelector: {}, ingress: [{}]}}`)
	d.at(first, Drifted, ns)
	b.merge(deny, `{metadata: {finalizers: [example.com/hang]}}`)
	d.until("the finalizer is taken off", func() bool { return len(b.live(deny).GetFinalizers()) == 0 })
	before := b.live(deny)
	b.inject(func(r *http.Request) *http.Response { // for a while nobody takes it off
		if r.Method == http.MethodPut {
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody}
		}
		return nil
	})
	b.merge(deny, `{metadata: {finalizers: [example.com/hang]}}`)
	require.NoError(t, b.others(deny).Delete(t.Context(), deny.Name, metav1.DeleteOptions{}))
	b.inject(nil)
	d.until("told", func() bool {
		p := d.tenant(ns).Problems
		return len(p) == 1 && strings.Contains(p[0].Message, "somebody else's")
	})
	assert.Equal(t, before.GetUID(), b.live(deny).GetUID(), "it hangs, and is enforced")
	rules, _, err := unstructured.NestedSlice(b.live(theirs).Object, "spec", "ingress")
	require.NoError(t, err)
	assert.Len(t, rules, 1)
	require.NoError(t, b.others(theirs).Delete(t.Context(), theirs.Name, metav1.DeleteOptions{}))
	d.at(first, Synced, ns)
	assert.NotEqual(t, before.GetUID(), b.live(deny).GetUID())
	assert.Equal(t, []string{"deny-all", "one"}, d.policies(ns))
}

// A copy that was left in a quarantined namespace goes, though its overlay is back in Git and the guard says something else by
// the time of the next start.
func TestCopyLeftInQuarantine(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(overlay("a", ns, "one"), overlay("b", b.namespace+"-b", "one")))
	d.Offer(first)
	d.at(first, Synced, ns)
	guard := func(label string) map[string]string {
		return map[string]string{"base/guard/deny-all.yaml": `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny-all, labels: {guard: ` + label + `}}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}`}
	}
	for _, change := range []map[string]string{{"overlays/a": ""}, guard("second")} {
		s := repo.commit(change)
		d.Offer(s)
		d.at(s, Quarantined, ns)
		d.done(s)
	}
	deny := b.live(drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "deny-all"})
	d.stop()

	b.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny-all` + kustomize.ReservedSuffix + `, namespace: ` + ns +
		`, labels: {guard: second, app.kubernetes.io/managed-by: ringfence, ringfence.dev/tenant: ` + ns + `}}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}`)
	back := repo.commit(files(overlay("a", ns, "one"), guard("third")))
	d = startDaemon(b, repo, nil)
	d.Offer(back)
	d.at(back, Synced, ns)
	assert.Equal(t, []string{"deny-all", "one"}, d.policies(ns))
	assert.Equal(t, deny.GetUID(), b.live(deny.ID).GetUID())
}
