package sync

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sources"
)

func hash(c string) string { return strings.Repeat(c, 40) }

func TestConfirmations(t *testing.T) {
	twin := strings.Repeat("a", 12) + strings.Repeat("b", 28)
	holds := []pruneHold{
		{Revisions: []string{hash("1"), hash("2")}, Tenants: []string{"x"}, Objects: []string{"o"}},
		{Revisions: []string{hash("3")}, Tenants: []string{"y"}},
		{Revisions: []string{hash("a"), twin}, Objects: []string{"p"}},
	}
	for _, tt := range []struct {
		name             string
		values           []string
		objects, tenants []string
		fault            string
	}{
		{name: "none"},
		{name: "in full", values: []string{hash("1")}, objects: []string{"o"}, tenants: []string{"x"}},
		{name: "by any revision that lacked it", values: []string{hash("2")}, objects: []string{"o"}, tenants: []string{"x"}},
		{name: "by twelve digits, in capitals", values: []string{strings.ToUpper(twin[:13])}, objects: []string{"p"}},
		{name: "two at once", values: []string{hash("3"), hash("1")}, objects: []string{"o"}, tenants: []string{"x", "y"}},
		{name: "eleven digits", values: []string{hash("1")[:11]}, fault: `commit cccccccccccc confirms "11111111111", which is no commit (hint: all 40 digits of the held revision, or at least its first 12)`},
		{name: "too many", values: []string{hash("1") + "1"}, fault: "which is no commit"},
		{name: "a word", values: []string{"HEAD"}, fault: `confirms "HEAD", which is no commit`},
		{name: "nothing", values: []string{""}, fault: `confirms "", which is no commit`},
		{name: "another revision", values: []string{hash("9")}, fault: "commit cccccccccccc confirms " + hash("9") + ", which is not held (hint: name the held revision)"},
		{name: "the start of two", values: []string{hash("a")[:12]}, fault: "with which more than one held revision begins (hint: give all 40 digits)"},
		{name: "a wrong one takes nothing from a right one", values: []string{"HEAD", hash("3")}, tenants: []string{"y"}, fault: "HEAD"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var trailers []sources.Trailer
			for _, v := range tt.values {
				trailers = append(trailers, sources.Trailer{Commit: hash("c"), Value: v})
			}
			got, faults := confirmations(trailers, holds)
			assert.True(t, got.equal(makeSet(tt.objects, tt.tenants)), "%v", got)
			if tt.fault == "" {
				assert.Empty(t, faults)
				return
			}
			require.Len(t, faults, 1)
			assert.Contains(t, faults[0], tt.fault)
		})
	}
}

// What is confirmed is what a held revision lacked, and every one since.
func TestHolds(t *testing.T) {
	first := pruneHold{Revisions: []string{"r1"}, Tenants: []string{"a", "b"}, Objects: []string{"o"}}
	holds := holding(nil, first)
	holds = holding(holds, pruneHold{Revisions: []string{"r2"}, Tenants: []string{"a", "b"}, Objects: []string{"o"}})
	require.Equal(t, []pruneHold{{Revisions: []string{"r1", "r2"}, Tenants: []string{"a", "b"}, Objects: groupings{"o"}}}, holds, "the same is held")
	holds = holding(meeting(holds, makeSet([]string{"o", "p"}, []string{"a"})), pruneHold{Revisions: []string{"r3"}, Tenants: []string{"a"}, Objects: []string{"o", "p"}})
	require.Equal(t, []pruneHold{
		{Revisions: []string{"r1", "r2"}, Tenants: []string{"a"}, Objects: groupings{"o"}},
		{Revisions: []string{"r3"}, Tenants: []string{"a"}, Objects: groupings{"o", "p"}},
	}, holds, "b is back: r1 confirms it no more, not even if it leaves again")
	require.Equal(t, []string{"a", "b"}, first.Tenants, "what was held before is not changed")
	require.Equal(t, []string{"r1", "r2"}, meeting(holds, makeSet(nil, []string{"a", "b"}))[0].Revisions)
	require.Empty(t, meeting(holds, makeSet(nil, []string{"b"})))
	holds = holding(holds, pruneHold{Revisions: []string{"r3"}, Tenants: []string{"c"}})
	require.Len(t, holds, 2, "a revision that is looked at again is in one hold")
	for i := range 2 * revisionsMost {
		holds = holding(holds, pruneHold{Revisions: []string{fmt.Sprint("s", i)}, Tenants: []string{"c"}})
	}
	assert.Len(t, holds[1].Revisions, revisionsMost)
	assert.Equal(t, fmt.Sprint("s", 2*revisionsMost-1), holds[1].Revisions[revisionsMost-1])
	for i := range 2 * holdsMost {
		holds = holding(holds, pruneHold{Revisions: []string{fmt.Sprint("t", i)}, Tenants: []string{fmt.Sprint(i)}})
	}
	assert.Len(t, holds, holdsMost)
}

// A removal from a thousand tenants is short in the state, and comes back as it was.
func TestGroupings(t *testing.T) {
	names := groupings{"Tier.projectcalico.org x", "Namespace y", "NetworkPolicy.networking.k8s.io only/here"}
	for i := range 1000 {
		names = append(names, fmt.Sprintf("NetworkPolicy.networking.k8s.io t%d/a", i), fmt.Sprintf("NetworkPolicy.projectcalico.org t%d/default.b", i))
	}
	slices.Sort(names)
	text, err := json.Marshal(names)
	require.NoError(t, err)
	assert.Less(t, len(text), 8_000)
	var back groupings
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, names, back)
	require.Error(t, json.Unmarshal([]byte(`["x"]`), &back))
}

// More leaves than may: it is said exactly what and how to go on; a restart changes nothing; wrong hashes confirm nothing
// and are told; the right one, below a merge, confirms what was held, and what leaves beside it is counted anew.
func TestConfirmPrune(t *testing.T) {
	b := newBench(t)
	repo := newRepository(t)
	ns := func(name string) string { return b.namespace + "-" + name }
	limit := func(c *Config) { c.MaxPrune = PruneLimit{Objects: 1, Tenants: 1} }
	d := startDaemon(b, repo, limit)
	first := repo.commit(files(overlay("a", ns("a"), "one"), overlay("b", ns("b"), "one"), overlay("c", ns("c"), "one"), overlay("d", ns("d"), "one", "two", "three"), overlay("e", ns("e"))))
	d.Offer(first)
	d.at(first, Synced, ns("a"), ns("b"), ns("c"), ns("d"), ns("e"))
	d.done(first)

	held := repo.commit(files(map[string]string{"overlays/a": "", "overlays/b": ""}, overlay("d", ns("d"), "one"), overlay("e", ns("e"), "new")))
	d.Offer(held)
	d.at(held, Synced, ns("a"), ns("b"), ns("d"), ns("e"))
	two, three := "NetworkPolicy.networking.k8s.io "+ns("d")+"/two", "NetworkPolicy.networking.k8s.io "+ns("d")+"/three"
	what := func(revision *sources.Snapshot) Held {
		return Held{Reason: HeldByPrune, Revision: revision.Revision().Commit, Tenants: []string{ns("a"), ns("b")}, Objects: []string{three, two}, Message: d.Status().PruneHeld}
	}
	assert.Equal(t, []Held{what(held)}, d.Status().Held)
	assert.Contains(t, d.Status().PruneHeld, `push a commit with the line "Ringfence-Confirm-Prune: `+held.Revision().Commit+`" in its message`)
	d.done(held)

	// On a branch from before, so that only a merge brings it in; with hashes of all sorts.
	repo.git("checkout", "--quiet", "-b", "side", first.Revision().Commit)
	repo.git("commit", "--quiet", "--allow-empty", "--message", "confirmed\n\n"+ConfirmTrailer+": "+held.Revision().Commit[:14])
	repo.git("checkout", "--quiet", "main")
	repo.git("commit", "--quiet", "--allow-empty", "--message", "wrong\n\n"+ConfirmTrailer+": "+first.Revision().Commit)
	again := repo.commit(nil)
	d.Offer(again)
	d.until("told", func() bool { return strings.Contains(d.Status().PruneHeld, "which is not held") })
	assert.Contains(t, d.Status().PruneHeld, "confirms "+first.Revision().Commit+", which is not held")
	d.done(again)
	d.stop()

	d = startDaemon(b, repo, limit)
	d.Offer(again)
	d.at(again, Synced, ns("a"), ns("b"), ns("d"), ns("e"))
	assert.Equal(t, []Held{what(again)}, d.Status().Held)
	assert.Len(t, d.policies(ns("d")), 4)
	d.stop()

	// c leaves too, and is counted anew: it is one, and may. So the next is one too many.
	repo.git("merge", "--quiet", "--no-ff", "--message", "merge", "side")
	d = startDaemon(b, repo, limit)
	confirmed := repo.commit(map[string]string{"overlays/c": ""})
	d.Offer(confirmed)
	d.at(confirmed, Quarantined, ns("a"), ns("b"), ns("c"))
	d.at(confirmed, Synced, ns("d"), ns("e"))
	assert.Empty(t, d.Status().Held)
	d.until("what was confirmed is gone", func() bool { return len(d.policies(ns("d"))) == 2 && len(d.policies(ns("a"))) == 1 })
	d.done(confirmed)
	d.stop()

	// What was removed within the hour is known after a restart.
	d = startDaemon(b, repo, limit)
	last := repo.commit(files(map[string]string{"overlays/e": ""}))
	d.Offer(last)
	d.at(last, Synced, ns("d"), ns("e"))
	assert.Contains(t, d.Status().PruneHeld, "removes 1 tenant ("+ns("e")+"); within the hour that makes 2 tenants and 0 objects")
	assert.Equal(t, []string{"deny-all", "new"}, d.policies(ns("e")))
	st := d.done(last)
	assert.Equal(t, []pruneHold{{Revisions: []string{last.Revision().Commit}, Tenants: []string{ns("e")}}}, st.Held)
	assert.Contains(t, st.Removed.Tenants, ns("c"))
	assert.Len(t, st.Removed.Tenants, 1, "what was confirmed does not count")

	// A confirmation and a further removal that is too much: the one goes, the other waits.
	repo.git("commit", "--quiet", "--allow-empty", "--message", "yes\n\n"+ConfirmTrailer+": "+last.Revision().Commit)
	more := repo.commit(files(map[string]string{"overlays/d": ""}, overlay("f", ns("f"))))
	d.Offer(more)
	d.at(more, Quarantined, ns("e"))
	d.at(more, Synced, ns("d"), ns("f"))
	assert.Equal(t, []string{ns("d")}, d.Status().Held[0].Tenants)
	d.until("its allowances are gone", func() bool { return len(d.policies(ns("e"))) == 1 })
	assert.Len(t, d.policies(ns("d")), 2)
}

// An overlay that goes to another namespace leaves the one that it had.
func TestAnotherNamespaceIsARemoval(t *testing.T) {
	b := newBench(t)
	repo, from, to := newRepository(t), b.namespace+"-from", b.namespace+"-to"
	d := startDaemon(b, repo, func(c *Config) { c.MaxPrune = PruneLimit{Objects: -1, Tenants: 0} })
	first := repo.commit(overlay("a", from, "one"))
	d.Offer(first)
	d.at(first, Synced, from)
	moved := repo.commit(overlay("a", to, "one"))
	d.Offer(moved)
	d.at(moved, Synced, from, to)
	require.Len(t, d.Status().Held, 1)
	assert.Equal(t, []string{from}, d.Status().Held[0].Tenants)
	assert.Equal(t, []string{"deny-all", "one"}, d.policies(from))
	assert.Equal(t, []string{"deny-all", "one"}, d.policies(to))
	repo.git("commit", "--quiet", "--allow-empty", "--message", "yes\n\n"+ConfirmTrailer+": "+moved.Revision().Commit)
	yes := repo.commit(nil)
	d.Offer(yes)
	d.at(yes, Quarantined, from)
	d.until("its allowance is gone", func() bool { return len(d.policies(from)) == 1 })
}
