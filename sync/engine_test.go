package sync

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

var listAll = metav1.ListOptions{}

// A change that is taken back while its rounds are still on their way is taken
// back in the cluster too.
func TestRevertWhileRoundsAreOnTheirWay(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.done(first)

	reached, release := make(chan struct{}), make(chan struct{})
	b.inject(func(r *http.Request) *http.Response {
		if r.Method == http.MethodPatch && !dryRun(r) && strings.HasSuffix(r.URL.Path, "/two") {
			close(reached)
			<-release
		}
		return nil
	})
	d.Offer(repo.commit(overlay("a", ns, "one", "two")))
	<-reached
	b.inject(nil)
	back := repo.commit(overlay("a", ns, "one"))
	d.Offer(back)
	d.until("adopted", func() bool { return d.Status().Revision == back.Revision().Commit })
	assert.NotEqual(t, Synced, d.tenant(ns).State, "its round has not come")
	d.Offer(repo.commit(nil)) // and once more, which touches nobody
	time.Sleep(200 * time.Millisecond)
	assert.NotEmpty(t, d.saved().Pending, "what may have been written must not be forgotten")
	close(release)
	d.until("taken back", func() bool { p := d.policies(ns); return len(p) == 2 && p[1] == "one" })
	d.until("synced", func() bool { return d.tenant(ns).State == Synced })
}

// What maxPrune holds back stays, however often it is looked at again.
func TestMaxPruneHoldsObjects(t *testing.T) {
	b := newBench(t)
	repo, ns, other := newRepository(t), b.namespace+"-a", b.namespace+"-b"
	d := startDaemon(b, repo, func(c *Config) { c.MaxPrune = PruneLimit{Objects: 2, Tenants: 0} })
	first := repo.commit(files(overlay("a", ns, "one", "two", "three", "four"), overlay("b", other, "one")))
	d.Offer(first)
	d.at(first, Synced, ns, other)
	d.done(first)

	less := repo.commit(overlay("a", ns, "one"))
	d.Offer(less)
	d.at(less, Synced, ns)
	assert.Contains(t, d.Status().PruneHeld, "removes 3 objects")
	assert.Equal(t, first.Revision().Commit, d.done(less).Tenants[ns].Revision, "what it may still have comes from there")
	further := repo.commit(overlay("b", other, "one", "more"))
	d.Offer(further)
	d.at(further, Synced, ns, other)
	assert.Equal(t, []string{"deny-all", "more", "one"}, d.policies(other), "all else is applied")
	assert.NotEmpty(t, d.Status().PruneHeld)
	assert.Equal(t, []string{"deny-all", "four", "one", "three", "two"}, d.policies(ns))

	// After a restart too.
	d.stop()
	d = startDaemon(b, repo, func(c *Config) { c.MaxPrune = PruneLimit{Objects: 2, Tenants: 0} })
	d.Offer(further)
	d.at(further, Synced, ns, other)
	assert.NotEmpty(t, d.Status().PruneHeld)
	assert.Len(t, d.policies(ns), 5)

	// Within the limit, in two steps: three within the hour are too many.
	two := repo.commit(overlay("a", ns, "one", "two"))
	d.Offer(two)
	d.until("two are gone", func() bool { return len(d.policies(ns)) == 3 })
	d.at(two, Synced, ns)
	assert.Empty(t, d.Status().PruneHeld)
	d.done(two)
	one := repo.commit(overlay("a", ns, "one"))
	d.Offer(one)
	d.at(one, Synced, ns)
	assert.Contains(t, d.Status().PruneHeld, "removes 1 object (NetworkPolicy.networking.k8s.io "+ns+"/two); within the hour that makes 0 tenants and 3 objects")
	// A tenant that leaves is held too, with all that it has.
	left := repo.commit(map[string]string{"overlays/b": ""})
	d.Offer(left)
	d.at(left, Synced, ns, other)
	assert.Contains(t, d.Status().PruneHeld, "removes 1 tenant ("+other+")")
	assert.Equal(t, []string{"deny-all", "more", "one"}, d.policies(other))
}

// A label that Git takes from the Namespace goes; what others put there stays.
func TestNamespaceLabelsLeave(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	labelled := func(labels string) map[string]string {
		o := overlay("a", ns, "one")
		o["overlays/a/objects.yaml"] = strings.Replace(o["overlays/a/objects.yaml"], "{name: "+ns+"}", "{name: "+ns+", labels: {"+labels+"}}", 1)
		return o
	}
	d := startDaemon(b, repo, nil)
	first := repo.commit(labelled("monitoring: allowed, colour: red"))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.done(first)
	id := drift.ID{Kind: kinds.Namespace, Name: ns}
	b.merge(id, `{metadata: {labels: {team: x}}}`)
	less := repo.commit(labelled("colour: red"))
	d.Offer(less)
	d.at(less, Synced, ns)
	d.until("the label is gone", func() bool { _, there := b.live(id).GetLabels()["monitoring"]; return !there })
	assert.Equal(t, "x", b.live(id).GetLabels()["team"])
	assert.Empty(t, d.Drift(), "Git has changed, nobody else")

	// The same while the daemon was away.
	d.done(less)
	d.stop()
	d = startDaemon(b, repo, nil)
	none := repo.commit(overlay("a", ns, "one"))
	d.Offer(none)
	d.at(none, Synced, ns)
	d.until("the label is gone", func() bool { _, there := b.live(id).GetLabels()["colour"]; return !there })
	assert.Equal(t, "x", b.live(id).GetLabels()["team"])
}

// Observe writes nothing, says what it would do, and says synced where that is nothing.
func TestObserve(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one", "two"))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.done(first)
	d.stop()

	b.inject(func(r *http.Request) *http.Response {
		// An Event of the daemon before may still be on its way.
		if r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/events") {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		return nil
	})
	d = startDaemon(b, repo, func(c *Config) { c.Mode = Observe })
	d.Offer(first)
	d.at(first, Synced, ns)
	less := repo.commit(overlay("a", ns, "one", "new"))
	d.Offer(less)
	d.at(less, Drifted, ns)
	d.until("both", func() bool { return len(d.Drift()) == 2 })
	var told []string
	for _, e := range d.Drift() {
		told = append(told, string(e.Type)+" "+e.ID.Name+" "+string(e.Held))
	}
	assert.Equal(t, []string{"missing new report", "extra two report"}, told)
	assert.Equal(t, []string{"deny-all", "one", "two"}, d.policies(ns))
}

// An overlay that moves to another namespace leaves a quarantine behind; two
// that change places in one commit are each at home in the other's.
func TestOverlaysMove(t *testing.T) {
	b := newBench(t)
	repo, x, y, z := newRepository(t), b.namespace+"-x", b.namespace+"-y", b.namespace+"-z"
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(overlay("a", x, "of-a"), overlay("b", y, "of-b")))
	d.Offer(first)
	d.at(first, Synced, x, y)

	swapped := repo.commit(files(overlay("a", y, "of-a"), overlay("b", x, "of-b")))
	d.Offer(swapped)
	d.at(swapped, Synced, x, y)
	assert.Equal(t, []string{"deny-all", "of-b"}, d.policies(x))
	assert.Equal(t, []string{"deny-all", "of-a"}, d.policies(y))
	assert.Equal(t, "overlays/b", d.tenant(x).Overlay)

	moved := repo.commit(overlay("a", z, "of-a"))
	d.Offer(moved)
	d.at(moved, Synced, x, z)
	d.at(moved, Quarantined, y)
	d.until("allowances are gone", func() bool { return len(d.policies(y)) == 1 })
	assert.Equal(t, []string{"deny-all", "of-a"}, d.policies(z))
}

// A namespace that is being deleted is left in peace, and made anew when it is gone.
func TestNamespaceTerminating(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	id := drift.ID{Kind: kinds.Namespace, Name: ns}
	before := b.live(id).GetUID()
	stay := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "stay"}
	b.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: stay, namespace: ` + ns + `, finalizers: [example.com/stay]}, spec: {podSelector: {}}}`)
	require.NoError(t, b.others(id).Delete(t.Context(), ns, metav1.DeleteOptions{}))
	d.until("pending", func() bool { return d.tenant(ns).State == Pending })
	d.until("only what a finalizer keeps is left", func() bool { return len(d.policies(ns)) == 1 })
	assert.Empty(t, d.tenant(ns).Problems)
	b.merge(stay, `{metadata: {finalizers: null}}`)
	d.until("made anew", func() bool { live := b.live(id); return live != nil && live.GetUID() != before })
	d.until("fenced again", func() bool { return len(d.policies(ns)) == 2 && d.tenant(ns).State == Synced })
}

// A revision that is refused as a whole leaves the applied one in force, after
// a restart too.
func TestRefusedRevisionAfterRestart(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	good := repo.commit(overlay("a", ns, "one"))
	d.Offer(good)
	d.at(good, Synced, ns)
	d.done(good)
	d.stop()
	require.NoError(t, b.others(drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns}).Delete(t.Context(), "deny-all", metav1.DeleteOptions{}))

	repo.mu.Lock()
	repo.broken = errors.New("the remote is away")
	repo.mu.Unlock()
	d = startDaemon(b, repo, nil)
	d.Offer(repo.commit(map[string]string{"refused": "x"}))
	d.until("it is told", func() bool { return strings.Contains(d.Status().Waiting, "the remote is away") })
	repo.mu.Lock()
	repo.broken = nil
	repo.mu.Unlock()
	d.at(good, Synced, ns)
	assert.Equal(t, []string{"deny-all", "one"}, d.policies(ns))
	d.until("it is told again", func() bool { return strings.Contains(d.Status().Waiting, "the tree is refused") })
	mended := repo.commit(map[string]string{"refused": ""})
	d.Offer(mended)
	d.at(mended, Synced, ns)
	d.until("nothing is waited for", func() bool { return d.Status().Waiting == "" })
}

// A newcomer that claims the namespace of another is its own fault alone, and
// stays so over a restart, at the same commit and at the next.
func TestClaimedNamespaceAfterRestart(t *testing.T) {
	for _, next := range []bool{false, true} {
		b := newBench(t)
		repo, ns := newRepository(t), b.namespace+"-a"
		d := startDaemon(b, repo, nil)
		first := repo.commit(overlay("owner", ns, "one"))
		d.Offer(first)
		d.at(first, Synced, ns)
		d.done(first)
		claim := repo.commit(overlay("another", ns, "theirs"))
		if !next { // it is adopted before the restart
			d.Offer(claim)
			d.at(claim, Synced, ns)
			assert.Equal(t, map[string]string{ns: "overlays/owner"}, d.done(claim).Owners)
		}
		d.stop()
		d = startDaemon(b, repo, nil)
		d.Offer(claim)
		d.at(claim, Synced, ns)
		assert.Equal(t, "overlays/owner", d.tenant(ns).Overlay)
		require.Len(t, d.Status().Refused, 1)
		assert.Equal(t, "overlays/another", d.Status().Refused[0].Overlay)
		changed := repo.commit(overlay("owner", ns, "two"))
		d.Offer(changed)
		d.at(changed, Synced, ns)
		d.until("the owner goes on", func() bool { p := d.policies(ns); return len(p) == 2 && p[1] == "two" })
		d.stop()
	}
}

// A quarantine outlives the commit that had the overlay.
func TestQuarantineOutlivesItsCommit(t *testing.T) {
	b := newBench(t)
	repo, ns, other := newRepository(t), b.namespace+"-a", b.namespace+"-b"
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(overlay("a", ns, "one"), overlay("b", other)))
	d.Offer(first)
	d.at(first, Synced, ns)
	second := repo.commit(map[string]string{"overlays/a": ""})
	d.Offer(second)
	d.at(second, Quarantined, ns)
	st := d.done(second)
	require.Equal(t, first.Revision().Commit, st.Tenants[ns].Revision)
	d.stop()
	repo.gone[first.Revision().Commit] = true
	d = startDaemon(b, repo, nil)
	d.Offer(second)
	d.at(second, Quarantined, ns)
	require.NoError(t, b.others(drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns}).Delete(t.Context(), "deny-all", metav1.DeleteOptions{}))
	d.until("isolated", func() bool { p := d.policies(ns); return len(p) == 1 && p[0] == "deny-all" })
	assert.Equal(t, st.Tenants[ns].Quarantined.UTC(), d.done(second).Tenants[ns].Quarantined.UTC(), "since the same moment")
}

// Stopped in the middle of a revision that Git then takes back: the next start
// knows what may have been written, and removes it.
func TestStoppedInTheMiddle(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.done(first)
	reached := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	b.inject(func(r *http.Request) *http.Response {
		if r.Method == http.MethodPatch && !dryRun(r) && strings.HasSuffix(r.URL.Path, "/zzz") {
			close(reached)
			<-ctx.Done()
		}
		return nil
	})
	middle := repo.commit(overlay("a", ns, "one", "two", "zzz"))
	d.Offer(middle)
	<-reached
	go func() { time.Sleep(100 * time.Millisecond); cancel() }()
	d.stop()
	b.inject(nil)
	st := d.saved()
	assert.Equal(t, first.Revision().Commit, st.Applied)
	assert.Equal(t, []string{middle.Revision().Commit}, st.Pending)
	assert.Contains(t, d.policies(ns), "two")

	d = startDaemon(b, repo, nil)
	back := repo.commit(overlay("a", ns, "one"))
	d.Offer(back)
	d.at(back, Synced, ns)
	d.until("what was begun is gone", func() bool { return len(d.policies(ns)) == 2 })
	assert.Empty(t, maps.Collect(maps.All(d.done(back).Tenants)))
}
