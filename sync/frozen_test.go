package sync

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// once is a schedule that comes once.
type once time.Time

func (o once) Next(after time.Time) time.Time {
	if at := time.Time(o); at.After(after) {
		return at
	}
	return time.Time{}
}

// frozenFor is a configuration with a window that is open until then.
func frozenFor(until time.Time) func(*Config) {
	return func(c *Config) {
		c.Freeze = []Freeze{{Start: once(until.Add(-time.Hour).UTC()), Duration: time.Hour}}
	}
}

// In a freeze new revisions wait, all of one; what was applied is kept up, over a
// restart too, and what waits is shown. The first revision of all does not wait.
func TestFreeze(t *testing.T) {
	b := newBench(t)
	repo, a, left, come := newRepository(t), b.namespace+"-a", b.namespace+"-b", b.namespace+"-c"
	until := time.Now().Add(15 * time.Second).UTC().Truncate(time.Second)
	d := startDaemon(b, repo, frozenFor(until))
	waiting := overlay("a", a, "one")
	first := repo.commit(files(waiting, overlay("b", left, "one"), map[string]string{
		"overlays/later/kustomization.yaml": "namespace: " + come + "\nresources: [objects.yaml]", "overlays/later/objects.yaml": allowance("one", "{}"),
	}))
	d.Offer(first)
	d.at(first, Synced, a, left)
	d.at(first, Pending, come) // its namespace does not exist
	d.done(first)
	assert.Empty(t, d.Status().Held)

	second := repo.commit(files(overlay("a", a, "two"), map[string]string{"overlays/b": ""}, overlay("new", b.namespace+"-new")))
	d.Offer(second)
	d.until("it waits", func() bool { return len(d.Status().Held) == 1 })
	waits := func() {
		t.Helper()
		held := d.Status().Held[0]
		assert.Equal(t, Held{
			Reason: HeldByFreeze, Revision: second.Revision().Commit, Until: until, Tenants: []string{a, left, b.namespace + "-new"}, Message: held.Message,
		}, held)
		assert.Contains(t, held.Message, "revision "+short(second.Revision().Commit)+", which changes 3 tenants, waits for the end of the freeze at "+until.Format(time.RFC3339))
		assert.Equal(t, first.Revision().Commit, d.Status().Revision)
		for _, name := range []string{a, left} {
			got := d.tenant(name)
			assert.Equal(t, []any{Suspended, first.Revision().Commit, second.Revision().Commit}, []any{got.State, got.Applied, got.Wanted})
			assert.True(t, got.Until.Equal(until))
		}
		assert.InDelta(t, 3, testutil.ToFloat64(d.config.Metrics.held.WithLabelValues("freeze")), 0)
	}
	waits()
	b.create(`{apiVersion: v1, kind: Namespace, metadata: {name: ` + come + `}}`)
	d.until("a namespace that appears is fenced", func() bool { return len(d.policies(come)) == 2 })
	d.stop()

	d = startDaemon(b, repo, frozenFor(until))
	d.Offer(second)
	d.until("it still waits", func() bool { return len(d.Status().Held) == 1 && d.tenant(a).State == Suspended })
	waits()
	one := drift.ID{Kind: kinds.NetworkPolicy, Namespace: a, Name: "one"}
	require.NoError(t, b.others(one).Delete(t.Context(), "one", metav1.DeleteOptions{}))
	d.until("drift is corrected", func() bool { return b.live(one) != nil })
	require.True(t, time.Now().Before(until), "the test is too slow for its window")

	d.at(second, Synced, a, b.namespace+"-new")
	d.at(second, Quarantined, left)
	assert.False(t, time.Now().Before(until))
	assert.Equal(t, []string{"deny-all", "two"}, d.policies(a))
	assert.Empty(t, d.Status().Held)
	assert.Zero(t, testutil.ToFloat64(d.config.Metrics.held.WithLabelValues("freeze")))
	assert.Zero(t, d.tenant(a).Until)
	assert.Empty(t, d.done(second).Adopted)
}

// A revision whose application had begun when the freeze did is finished, over a
// restart too; one that Git takes back while it waits is forgotten.
func TestFreezeInTheMiddle(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.done(first)
	begun := repo.commit(overlay("a", ns, "two"))
	store := &stateStore{kube: d.config.Kube, namespace: d.config.Namespace, instance: d.config.Instance}
	d.stop()
	st, err := store.load(t.Context())
	require.NoError(t, err)
	st.Pending, st.Adopted = []string{begun.Revision().Commit}, begun.Revision().Commit
	require.NoError(t, store.save(t.Context(), st)) // as a crash leaves it

	newest := repo.commit(overlay("a", ns, "three"))
	d = startDaemon(b, repo, frozenFor(time.Now().Add(time.Hour)))
	d.Offer(newest)
	d.at(begun, Suspended, ns)
	d.until("what was begun is finished", func() bool { p := d.policies(ns); return len(p) == 2 && p[1] == "two" })
	d.done(begun)
	d.Offer(repo.commit(map[string]string{"refused": "x"}))
	d.until("what will be refused is told", func() bool {
		h := d.Status().Held
		return len(h) == 1 && h[0].Tenants == nil && len(h[0].Message) > 0
	})
	assert.Contains(t, d.Status().Held[0].Message, "will then be refused: the tree is refused (hint: mend it before that)")
	d.Offer(begun)
	d.until("nothing waits", func() bool { return len(d.Status().Held) == 0 && d.tenant(ns).State == Synced })
}

// The applied revision cannot be had any more: a freeze must not leave everyone without a fence.
func TestFreezeWithNothingToStandOn(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.done(first)
	d.stop()
	repo.gone[first.Revision().Commit] = true
	d = startDaemon(b, repo, frozenFor(time.Now().Add(time.Hour)))
	second := repo.commit(overlay("a", ns, "one", "two"))
	d.Offer(second)
	d.at(second, Synced, ns)
	assert.Empty(t, d.Status().Held)
}

// What was begun is refused after a restart in a freeze: what was applied before it is kept up, and the newest waits.
func TestFreezeOverWhatIsRefused(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.done(first)
	d.stop()
	refused := repo.commit(map[string]string{"refused": "x"})
	store := &stateStore{kube: d.config.Kube, namespace: d.config.Namespace, instance: d.config.Instance}
	st, err := store.load(t.Context())
	require.NoError(t, err)
	st.Adopted = refused.Revision().Commit
	require.NoError(t, store.save(t.Context(), st))

	for range 2 { // whichever is polled first
		d = startDaemon(b, repo, frozenFor(time.Now().Add(time.Hour)))
		newest := repo.commit(overlay("a", ns, "two"))
		d.Offer(newest)
		d.until("it waits", func() bool { return len(d.Status().Held) == 1 })
		d.until("what was applied is kept up", func() bool { return d.Status().Revision == first.Revision().Commit })
		assert.Equal(t, []string{"deny-all", "one"}, d.policies(ns))
		d.stop()
	}
}
