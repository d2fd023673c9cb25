package sync

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	stdsync "sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// letsGo is a cluster overlay that lets go of namespaces.
func letsGo(namespaces ...string) map[string]string {
	var objects []string
	for i, ns := range namespaces {
		objects = append(objects, fmt.Sprintf("{apiVersion: ringfence.dev/v1, kind: Offboarding, metadata: {name: o%d}, spec: {namespace: %s, action: release, reason: it moved}}", i, ns))
	}
	resources := "resources: [off.yaml]"
	if len(objects) == 0 {
		resources = "resources: []"
	}
	return map[string]string{"overlays/cluster/kustomization.yaml": resources, "overlays/cluster/off.yaml": strings.Join(objects, "\n---\n")}
}

// writesTo notes every write to a namespace but Events.
func (b *bench) writesTo(namespace string) func() []string {
	var mu stdsync.Mutex
	var seen []string
	b.inject(func(r *http.Request) *http.Response {
		if r.Method != http.MethodGet && !dryRun(r) && !strings.HasSuffix(r.URL.Path, "/events") && strings.Contains(r.URL.Path+"/", "/"+namespace+"/") {
			mu.Lock()
			seen = append(seen, r.Method+" "+r.URL.Path)
			mu.Unlock()
		}
		return nil
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

// A namespace in quarantine is let go by name in Git, whatever may leave within the hour: what Ringfence wrote goes, what
// others did stays, it is told once and forgotten, and it is fenced anew when an overlay comes back.
func TestRelease(t *testing.T) {
	b := newBench(t)
	repo, ns, other, third := newRepository(t), b.namespace+"-a", b.namespace+"-b", b.namespace+"-c"
	limit := func(c *Config) { c.MaxPrune = PruneLimit{Objects: 0, Tenants: 1} }
	d := startDaemon(b, repo, limit)
	first := repo.commit(files(overlay("a", ns, "one"), overlay("b", other, "one"), overlay("c", third, "one"), letsGo()))
	d.Offer(first)
	d.at(first, Synced, ns, other, third)
	left := repo.commit(map[string]string{"overlays/a": "", "overlays/c/kustomization.yaml": "namespace: " + third + "\nresources: [objects.yaml, more.yaml]", "overlays/c/more.yaml": allowance("two", "{}")})
	d.Offer(left)
	d.at(left, Quarantined, ns)
	d.at(left, Synced, other, third)
	d.until("allowances are gone", func() bool { return len(d.policies(ns)) == 1 })
	b.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: theirs, namespace: ` + ns + `}, spec: {podSelector: {}}}`)
	d.done(left)

	// A restart between: what was written is known from Git. b leaves and is let go in one commit.
	d.stop()
	d = startDaemon(b, repo, limit)
	released := repo.commit(files(map[string]string{"overlays/b": ""}, letsGo(ns, other, "never-there")))
	d.Offer(released)
	d.at(released, Synced, third)
	d.until("both are forgotten", func() bool { return d.tenant(ns).Name == "" && d.tenant(other).Name == "" })
	assert.Equal(t, []string{"theirs"}, d.policies(ns))
	assert.Empty(t, d.policies(other))
	assert.Empty(t, d.Status().Held, "it is said by name, and counts against nothing")
	assert.Empty(t, d.Status().Refused)
	assert.NotNil(t, b.live(drift.ID{Kind: kinds.Namespace, Name: ns}), "the namespace stays")
	d.until("told", func() bool { return len(d.told(ns, reasonReleased)) == 1 && len(d.told(other, reasonReleased)) == 1 })
	st := d.done(released)
	assert.Empty(t, st.Tenants)
	assert.Empty(t, d.Drift())

	d.stop()
	d = startDaemon(b, repo, limit)
	d.Offer(released)
	d.at(released, Synced, third)
	assert.Equal(t, []string{"theirs"}, d.policies(ns), "nothing comes back")
	back := repo.commit(overlay("a", ns, "one"))
	d.Offer(back)
	d.at(back, Failed, "")
	assert.Regexp(t, `^overlays/cluster/off.yaml:1: the Offboarding lets go of the namespace "`+ns+`", which the overlay overlays/a fences`, d.tenant("").Problems[0].Error())
	d.until("fenced all the same", func() bool { return slices.Equal(d.policies(ns), []string{"deny-all", "one", "theirs"}) })
}

// An overlay that is refused has not left, and is not let go; one that comes back before all is gone is fenced.
func TestReleaseOfWhatHasNotLeft(t *testing.T) {
	b := newBench(t)
	repo, ns, other := newRepository(t), b.namespace+"-a", b.namespace+"-b"
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(overlay("a", ns, "one"), overlay("b", other), letsGo()))
	d.Offer(first)
	d.at(first, Synced, ns, other)
	unplaced := repo.commit(files(map[string]string{"overlays/a/kustomization.yaml": "nonsense: [", "overlays/a/objects.yaml": ""}, letsGo(ns)))
	d.Offer(unplaced)
	d.at(unplaced, Failed, ns)
	require.Len(t, d.Status().Refused, 1)
	assert.Contains(t, d.Status().Refused[0].Error(), `overlays/cluster/off.yaml:1: the Offboarding lets go of the namespace "`+ns+`", whose overlay overlays/a is refused and has not left Git: the namespace stays fenced`)
	assert.Equal(t, []string{"deny-all", "one"}, d.policies(ns))
}

// A namespace that is Terminating is left in peace, in quarantine and when it is let go.
func TestTerminatingInQuarantine(t *testing.T) {
	b := newBench(t)
	repo, ns, other := newRepository(t), b.namespace+"-a", b.namespace+"-b"
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(overlay("a", ns, "one"), overlay("b", other), letsGo()))
	d.Offer(first)
	d.at(first, Synced, ns, other)
	b.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: stay, namespace: ` + ns + `, finalizers: [example.com/stay]}, spec: {podSelector: {}}}`)
	require.NoError(t, b.others(drift.ID{Kind: kinds.Namespace, Name: ns}).Delete(t.Context(), ns, metav1.DeleteOptions{}))
	d.until("only what a finalizer keeps is left", func() bool { return len(d.policies(ns)) == 1 })
	writes := b.writesTo(ns)
	left := repo.commit(map[string]string{"overlays/a": ""})
	d.Offer(left)
	d.at(left, Quarantined, ns)
	d.at(left, Synced, other)
	released := repo.commit(letsGo(ns))
	d.Offer(released)
	d.at(released, Quarantined, ns)
	d.done(released)
	b.merge(drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "stay"}, `{metadata: {labels: {a: b}}}`)
	b.merge(drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "stay"}, `{metadata: {finalizers: null}}`)
	d.until("it is gone and forgotten", func() bool { return d.tenant(ns).Name == "" })
	assert.Empty(t, writes())
}

// As long as a quarantine lasts it is told again, and no longer.
func TestQuarantineIsToldAgain(t *testing.T) {
	b := newBench(t)
	repo, ns, other := newRepository(t), b.namespace+"-a", b.namespace+"-b"
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(overlay("a", ns), overlay("b", other)))
	d.Offer(first)
	d.at(first, Synced, ns, other)
	left := repo.commit(map[string]string{"overlays/a": ""})
	d.Offer(left)
	d.at(left, Quarantined, ns)
	d.done(left)
	uid := string(b.live(drift.ID{Kind: kinds.Namespace, Name: ns}).GetUID())
	d.until("told", func() bool { return d.told(ns, reasonQuarantined)[uid] == 1 })
	o := newOwner(d.Engine)
	o.previous = d.world.Load()
	o.remindQuarantined()
	d.until("told again", func() bool { return d.told(ns, reasonQuarantined)[uid] == 2 })
	assert.Empty(t, d.told(other, reasonQuarantined))
}

// Moving or renaming an overlay's folder writes nothing but the state.
func TestMovedFolderWritesNothing(t *testing.T) {
	b := newBench(t)
	repo, ns, other := newRepository(t), b.namespace+"-a", b.namespace+"-b"
	d := startDaemon(b, repo, func(c *Config) { c.MaxPrune = PruneLimit{} })
	first := repo.commit(files(overlay("a", ns, "one"), overlay("b", other, "one")))
	d.Offer(first)
	d.at(first, Synced, ns, other)
	d.done(first)
	d.until("told", func() bool { return len(d.told(ns, reasonSynced)) == 1 && len(d.told(other, reasonSynced)) == 1 })
	var mu stdsync.Mutex
	writes := map[string]int{}
	b.inject(func(r *http.Request) *http.Response {
		if r.Method != http.MethodGet {
			mu.Lock()
			writes[r.Method+" "+r.URL.Path]++
			mu.Unlock()
		}
		return nil
	})
	moved := repo.commit(files(map[string]string{"overlays/a": ""}, overlay("renamed", ns, "one")))
	d.Offer(moved)
	d.at(moved, Synced, ns, other)
	d.until("the folder is the new one", func() bool { return d.tenant(ns).Overlay == "overlays/renamed" })
	d.done(moved)
	assert.Equal(t, moved.Revision().Commit, d.tenant(ns).Applied)
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, map[string]int{"PUT /api/v1/namespaces/" + b.namespace + "/configmaps/" + StateName: 1}, writes)
}
