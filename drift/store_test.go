package drift

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

func stored(namespace, name, uid string, version int) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetNamespace(namespace)
	u.SetName(name)
	u.SetUID(types.UID(uid))
	u.SetResourceVersion(strconv.Itoa(version))
	return u
}

// history is a cluster of a few names, with every version of every object.
type history struct {
	now     int // the newest resourceVersion
	alive   map[string]*unstructured.Unstructured
	all     []*unstructured.Unstructured // every version that ever was
	deaths  map[types.UID]int            // resourceVersion of the deletion
	deleted []*unstructured.Unstructured
}

func (h *history) write(namespace, name string) *unstructured.Unstructured {
	h.now++
	key := namespace + "/" + name
	uid := fmt.Sprintf("%s-%d", key, h.now)
	if old := h.alive[key]; old != nil {
		uid = string(old.GetUID())
	}
	u := stored(namespace, name, uid, h.now)
	h.alive[key] = u
	h.all = append(h.all, u)
	return u
}

func (h *history) erase(namespace, name string) *unstructured.Unstructured {
	key := namespace + "/" + name
	old := h.alive[key]
	if old == nil {
		return nil
	}
	h.now++
	delete(h.alive, key)
	h.deaths[old.GetUID()] = h.now
	last := stored(namespace, name, string(old.GetUID()), h.now)
	h.deleted = append(h.deleted, last)
	return last
}

// at returns the list as it was at a version.
func (h *history) at(version int) (list []any) {
	latest := map[types.UID]*unstructured.Unstructured{}
	for _, u := range h.all {
		if v, _ := strconv.Atoi(u.GetResourceVersion()); v <= version {
			latest[u.GetUID()] = u
		}
	}
	for uid, u := range latest {
		if died, ok := h.deaths[uid]; !ok || died > version {
			list = append(list, u)
		}
	}
	return list
}

// Reports come late, twice and in any order: from the watch, from lists that
// are older than what is known, from our own writes. What is known to be gone
// stays gone, what is known never gets older, whoever changes is told about,
// and the last list puts everything right.
func TestStoreNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		notified := map[string]bool{}
		s := newStore(kinds.NetworkPolicy, func(namespace string) { notified[namespace] = true })
		h := &history{alive: map[string]*unstructured.Unstructured{}, deaths: map[types.UID]int{}}
		gone := map[types.UID]bool{}     // told to the store
		seen := map[types.UID]int{}      // highest version told to the store
		names := []string{"a", "b"}      // of objects
		spaces := []string{"ns1", "ns2"} // of namespaces
		require.NoError(t, s.Replace(nil, "0"))
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			namespace, name := rapid.SampledFrom(spaces).Draw(t, "namespace"), rapid.SampledFrom(names).Draw(t, "name")
			before := contents(s)
			clear(notified)
			quiet := false // our own writes are no news
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0: // somebody writes, and the watch will tell later or never
				h.write(namespace, name)
			case 1: // somebody deletes, likewise
				h.erase(namespace, name)
			case 2: // we write
				u := h.write(namespace, name)
				s.wrote(u)
				seen[u.GetUID()] = h.now
				quiet = true
			case 3: // we delete
				if last := h.erase(namespace, name); last != nil {
					s.erased(last)
					gone[last.GetUID()] = true
					quiet = true
				}
			case 4: // the watch tells any version that ever was
				if len(h.all) > 0 {
					u := rapid.SampledFrom(h.all).Draw(t, "event")
					require.NoError(t, s.Update(u))
					v, _ := strconv.Atoi(u.GetResourceVersion())
					seen[u.GetUID()] = max(seen[u.GetUID()], v)
				}
			case 5: // the watch tells a deletion
				if len(h.deleted) > 0 {
					u := rapid.SampledFrom(h.deleted).Draw(t, "deletion")
					require.NoError(t, s.Delete(u))
					gone[u.GetUID()] = true
				}
			case 6: // a list, of now or of some time ago
				version := rapid.IntRange(0, h.now).Draw(t, "version")
				require.NoError(t, s.Replace(h.at(version), strconv.Itoa(version)))
			}
			after := contents(s)
			for key, u := range after {
				require.False(t, gone[u.GetUID()], "%s came back", u.GetUID())
				if old := before[key]; old != nil && old.GetUID() == u.GetUID() {
					require.False(t, newer(old.GetResourceVersion(), u.GetResourceVersion()), "%s went from %s to %s", key, old.GetResourceVersion(), u.GetResourceVersion())
				}
			}
			for _, space := range spaces {
				changed := !slices.Equal(versions(before, space), versions(after, space))
				require.Equal(t, changed && !quiet, notified[space], "notification of %s", space)
			}
		}
		require.NoError(t, s.Replace(h.at(h.now), strconv.Itoa(h.now)))
		require.Equal(t, versions(h.alive, ""), versions(contents(s), ""))
	})
}

func contents(s *store) map[string]*unstructured.Unstructured {
	out := map[string]*unstructured.Unstructured{}
	for _, namespace := range s.namespaces() {
		for _, o := range s.in(namespace) {
			out[namespace+"/"+o.GetName()] = o.Unstructured
		}
	}
	return out
}

func versions(objects map[string]*unstructured.Unstructured, namespace string) []string {
	var out []string
	for key, u := range objects {
		if namespace == "" || u.GetNamespace() == namespace {
			out = append(out, key+"@"+u.GetResourceVersion())
		}
	}
	slices.Sort(out)
	return out
}

// What was there when the watch began is not news; what comes later is timed.
func TestStoreSeen(t *testing.T) {
	s := newStore(kinds.NetworkPolicy, func(string) {})
	require.NoError(t, s.Replace([]any{stored("n", "old", "1", 1)}, "1"))
	assert.True(t, s.get("n", "old").Seen.IsZero())
	require.NoError(t, s.Add(stored("n", "new", "2", 2)))
	assert.False(t, s.get("n", "new").Seen.IsZero())
	require.NoError(t, s.Replace([]any{stored("n", "old", "1", 1), stored("n", "new", "2", 2), stored("n", "missed", "3", 3)}, "3"))
	assert.True(t, s.get("n", "old").Seen.IsZero())
	assert.False(t, s.get("n", "missed").Seen.IsZero(), "written while no watch stood")
}

// A list with something strange in it changes nothing.
func TestStoreRefusesStrangers(t *testing.T) {
	s := newStore(kinds.NetworkPolicy, func(string) { t.Error("notified") })
	require.ErrorContains(t, s.Replace([]any{stored("n", "a", "1", 1), "stranger"}, "1"), "listing networkpolicies: unexpected string")
	assert.False(t, s.listed)
	assert.Empty(t, s.namespaces())
	require.ErrorContains(t, s.Add("stranger"), "watching networkpolicies")
	require.ErrorContains(t, s.Delete("stranger"), "watching networkpolicies")
	require.NoError(t, s.Resync())
}

// Namespaces are stored and told under their own name, cluster-scoped objects under none.
func TestStoreKeys(t *testing.T) {
	var told []string
	tell := func(namespace string) { told = append(told, namespace) }
	require.NoError(t, newStore(kinds.Namespace, tell).Add(stored("", "ns1", "1", 1)))
	require.NoError(t, newStore(kinds.Tier, tell).Add(stored("", "t", "1", 1)))
	require.NoError(t, newStore(kinds.NetworkPolicy, tell).Add(stored("ns2", "p", "1", 1)))
	assert.Equal(t, []string{"ns1", "", "ns2"}, told)
}

// Where resource versions are no numbers, the later report wins, and a list is right.
func TestStoreWithoutNumbers(t *testing.T) {
	s := newStore(kinds.NetworkPolicy, func(string) {})
	a, b := stored("n", "a", "1", 0), stored("n", "b", "2", 0)
	a.SetResourceVersion("x")
	b.SetResourceVersion("y")
	require.NoError(t, s.Replace([]any{a, b}, "list-1"))
	later := a.DeepCopy()
	later.SetResourceVersion("w")
	require.NoError(t, s.Update(later))
	assert.Equal(t, "w", s.get("n", "a").GetResourceVersion())
	require.NoError(t, s.Replace([]any{later}, "list-2"))
	assert.Nil(t, s.get("n", "b"), "gone while no watch stood")
}

// Deletions are remembered for a while, not for ever.
func TestStoreForgetsDeletions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(kinds.NetworkPolicy, func(string) {})
		for i := range 100 {
			require.NoError(t, s.Delete(stored("n", "a", strconv.Itoa(i), i)))
		}
		assert.Len(t, s.deleted, 100)
		time.Sleep(tombstoneLife + time.Second)
		require.NoError(t, s.Delete(stored("n", "a", "last", 200)))
		assert.Len(t, s.deleted, 1)
	})
}

// The audit suspects what a list has and the watch has not, and the reverse,
// but not what the watch knows to be newer than the list.
func TestSuspects(t *testing.T) {
	s := newStore(kinds.NetworkPolicy, func(string) {})
	require.NoError(t, s.Replace([]any{stored("n", "same", "1", 1), stored("n", "stale", "2", 2), stored("n", "ghost", "3", 3)}, "3"))
	require.NoError(t, s.Add(stored("n", "ahead", "4", 20)))
	require.NoError(t, s.Add(stored("n", "renewed", "5b", 21)))
	list := []*unstructured.Unstructured{
		stored("n", "same", "1", 1), stored("n", "stale", "2", 9), stored("n", "unknown", "6", 8),
		stored("n", "renewed", "5a", 5),
	}
	assert.Equal(t, map[types.UID]string{"2": "9", "6": "8", "3": "3"}, s.suspects(list, "10"))
	assert.Empty(t, s.suspects([]*unstructured.Unstructured{stored("n", "same", "1", 1)}, "1"), "the rest may be younger than the list")
}

// Labels are at hand for all objects after each change, whatever came before.
func TestStoreLabelled(t *testing.T) {
	s := newStore(kinds.Namespace, func(string) {})
	random := rand.New(rand.NewPCG(1, 1))
	want := map[string]map[string]string{}
	for version := 1; version < 400; version++ {
		name := fmt.Sprint("n", random.IntN(12))
		u := stored("", name, "", version)
		u.SetUID(types.UID(fmt.Sprintf("%s-%d", name, version)))
		u.SetLabels(map[string]string{"version": fmt.Sprint(version)})
		s.wrote(u)
		want[name] = u.GetLabels()
		if random.IntN(4) == 0 {
			s.erased(u)
			delete(want, name)
		}
		got := s.labelled()
		var names []string
		have := map[string]map[string]string{}
		for name, labels := range got.All() {
			names, have[name] = append(names, name), labels
		}
		require.True(t, slices.IsSorted(names))
		require.Len(t, names, len(want))
		require.Equal(t, want, have)
		labels, found := got.Labels(name)
		require.Equal(t, want[name], labels)
		require.Equal(t, want[name] != nil, found)
	}
}
