package sync

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// openingIn is an extra policy that only opens.
func openingIn(ns, meta string) string {
	return `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open, namespace: ` + ns + meta + `}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{}]}}`
}

// Who keeps making an extra object anew is a fight like any other: it is deleted
// with growing pauses.
func TestFightOverAnExtra(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(overlay("a", ns, "one"), map[string]string{rulesFile: "deleteExtra: true"}))
	d.Offer(first)
	d.at(first, Synced, ns)
	id := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "open"}
	for range fightAfter {
		b.create(openingIn(ns, ""))
		d.until("deleted", func() bool { return b.live(id) == nil })
	}
	b.create(openingIn(ns, ""))
	d.until("held", func() bool {
		return slices.ContainsFunc(d.Drift(), func(e drift.Entry) bool { return e.ID == id && e.Held == drift.Fight })
	})
	assert.Equal(t, []string{"someone", "ringfence"}, managers(d.Drift()[0]))
	assert.NotNil(t, b.live(id))
	began := time.Now()
	d.until("deleted in the end", func() bool { return b.live(id) == nil })
	assert.Less(t, time.Since(began), fightFirst+time.Second)
	d.at(first, Synced, ns)
}

// An extra object that is deleted and hangs on somebody's finalizer still opens:
// it stands until it is gone, and nobody's finalizer is taken off.
func TestExtraThatHangs(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(overlay("a", ns, "one"), map[string]string{rulesFile: "deleteExtra: true"}))
	d.Offer(first)
	d.at(first, Synced, ns)
	id := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "open"}
	b.create(openingIn(ns, ", finalizers: [example.com/stay]"))
	d.until("it is deleted, and stands", func() bool {
		return slices.ContainsFunc(d.Drift(), func(e drift.Entry) bool {
			return e.ID == id && e.Held == drift.Report && e.Reason == "it is being deleted, and hangs on the finalizers example.com/stay"
		})
	})
	assert.Equal(t, Drifted, d.tenant(ns).State)
	assert.Equal(t, []string{"example.com/stay"}, b.live(id).GetFinalizers())
	assert.False(t, slices.ContainsFunc(d.Drift(), func(e drift.Entry) bool { return !e.Corrected.IsZero() }), "not corrected yet")
	b.merge(id, `{metadata: {finalizers: null}}`)
	d.at(first, Synced, ns)
}

// What left Git goes, whatever somebody has hung on it meanwhile.
func TestWhatLeftGitGoesWithItsFinalizers(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, func(c *Config) { c.Mode = Report })
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	id := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "one"}
	b.merge(id, `{metadata: {finalizers: [example.com/stay]}}`)
	d.at(first, Drifted, ns)
	second := repo.commit(overlay("a", ns))
	d.Offer(second)
	d.at(second, Synced, ns)
	assert.Nil(t, b.live(id))
}

// Deleted and made anew by another hand: it ends equal, as one difference of one object.
func TestMadeAnewByAnotherHand(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	deny := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "deny-all"}
	want := b.live(deny)
	require.NoError(t, b.others(deny).Delete(t.Context(), deny.Name, metav1.DeleteOptions{}))
	u := parseObject(t, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny-all, namespace: `+ns+`}, spec: {podSelector: {}, ingress: [{}], egress: [{}]}}`)
	_, err := b.others(deny).Create(t.Context(), u, metav1.CreateOptions{FieldManager: "someone"})
	if err == nil {
		d.until("undone", func() bool {
			live := b.live(deny)
			return live != nil && live.GetUID() != want.GetUID() && len(live.GetManagedFields()) == 1 && live.GetManagedFields()[0].Manager == b.manager
		})
	} // otherwise Ringfence was there first
	d.at(first, Synced, ns)
	assert.Equal(t, want.Object["spec"], b.live(deny).Object["spec"])
	assert.Equal(t, want.GetLabels(), b.live(deny).GetLabels())
}
