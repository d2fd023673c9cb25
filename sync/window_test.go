package sync

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
	"github.com/ringfence/ringfence/sync/order/random"
)

// history is every state of the guarded objects that etcd ever held, in order.
type history struct {
	t      *testing.T
	client dynamic.Interface
	kinds  []schema.GroupVersionResource
	mu     stdsync.Mutex
	events []moment
	latest map[string]string        // resource version by object
	replay map[string]random.Object // what all that was taken says
}

// moment is one write.
type moment struct {
	version uint64
	gone    bool
	object  random.Object
}

// watchHistory watches what is stored: Calico's own API server ends its watches with each write of a tier, and Felix looks at
// what that server stores, too.
func watchHistory(t *testing.T, client dynamic.Interface, calico controlplane.Calico) *history {
	t.Helper()
	h := &history{t: t, client: client, latest: map[string]string{}, replay: map[string]random.Object{}}
	for _, k := range kinds.Guarded() {
		if kept, ok := kinds.Stored(k); ok && calico == controlplane.CalicoAggregated {
			k = kept
		}
		list, err := client.Resource(k.GVR()).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			continue // not served
		}
		h.kinds = append(h.kinds, k.GVR())
		for _, o := range list.Items {
			h.note(watch.Event{Type: watch.Added, Object: &o})
		}
		w, err := client.Resource(k.GVR()).Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
		require.NoError(t, err)
		go func() {
			for e := range w.ResultChan() {
				h.note(e)
			}
		}()
	}
	return h
}

func (h *history) note(e watch.Event) {
	u, ok := e.Object.(*unstructured.Unstructured)
	if !ok {
		if h.t.Context().Err() != nil {
			return // the test is over
		}
		h.t.Errorf("the history is cut: %v", e.Object)
		return
	}
	if u = shownAs(u); u == nil {
		return
	}
	version, err := strconv.ParseUint(u.GetResourceVersion(), 10, 64)
	if err != nil {
		h.t.Error(err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	gone := e.Type == watch.Deleted
	h.events = append(h.events, moment{version, gone, u.Object})
	if delete(h.latest, random.Key(u.Object)); !gone {
		h.latest[random.Key(u.Object)] = u.GetResourceVersion()
	}
}

// shownAs returns what Calico's API server shows of what it stores, with the labels that it keeps beside; nil for the tiers
// that it makes itself, and anything else as it is.
func shownAs(u *unstructured.Unstructured) *unstructured.Unstructured {
	if u.GetKind() == "Tier" && builtInTiers[u.GetName()] {
		return nil
	}
	if u.GroupVersionKind().Group != kinds.GroupStored {
		return u
	}
	u = u.DeepCopy()
	u.SetAPIVersion(kinds.GroupCalico + "/v3")
	var kept struct{ Labels map[string]string }
	if err := json.Unmarshal([]byte(u.GetAnnotations()["projectcalico.org/metadata"]), &kept); err == nil {
		u.SetLabels(kept.Labels)
	}
	return u
}

// take waits until the history is complete, and returns what was written since it was last taken.
func (h *history) take() []moment {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		live := map[string]string{}
		for _, k := range h.kinds {
			list, err := h.client.Resource(k).List(context.Background(), metav1.ListOptions{})
			require.NoError(h.t, err)
			for _, o := range list.Items {
				if u := shownAs(&o); u != nil {
					live[random.Key(u.Object)] = u.GetResourceVersion()
				}
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		return maps.Equal(live, h.latest)
	}, 20*time.Second, 5*time.Millisecond)
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.events
	h.events = nil
	slices.SortFunc(out, func(a, b moment) int { return cmp.Compare(a.version, b.version) })
	return out
}

// apply goes on to the state after a write.
func (h *history) apply(m moment) {
	if delete(h.replay, random.Key(m.object)); !m.gone {
		h.replay[random.Key(m.object)] = m.object
	}
}

// scaled returns a number of rounds for CI, or the whole of it under RINGFENCE_SCALE=full.
func scaled(rounds int) int {
	if os.Getenv("RINGFENCE_SCALE") == "full" {
		return rounds
	}
	return rounds / 10
}

// seedOf returns what the random inputs of a test follow from: RINGFENCE_SEED, or always the same one; with
// RINGFENCE_SCALE=full another one each time.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(1)
	if os.Getenv("RINGFENCE_SCALE") == "full" {
		seed = uint64(time.Now().UnixNano() % 1_000_000)
	}
	if text := os.Getenv("RINGFENCE_SEED"); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		seed = given
	}
	t.Logf("RINGFENCE_SEED=%d", seed)
	return seed
}

// revisionFiles returns the overlays of a random revision.
func revisionFiles(t *testing.T, prefix string, r random.Revision) map[string]string {
	t.Helper()
	out := map[string]string{}
	for unit, objects := range r {
		folder, text := "cluster", "resources: [objects.yaml]"
		all := slices.DeleteFunc(slices.Clone(objects), isDenyAll)
		if unit != clusterTenant {
			folder = unit[len(prefix):]
			text = "namespace: " + unit + "\n" + text
			all = append(all, random.Object{
				"apiVersion": "v1", "kind": "Namespace", "metadata": random.Object{"name": unit, "labels": random.Object{"team": teams[folder]}},
			})
		}
		objectsText := ""
		for _, o := range all {
			raw, err := yaml.Marshal(o)
			require.NoError(t, err)
			objectsText += "---\n" + string(raw)
		}
		out["overlays/"+folder+"/kustomization.yaml"], out["overlays/"+folder+"/objects.yaml"] = text, objectsText
	}
	return out
}

func isDenyAll(o random.Object) bool {
	return (&unstructured.Unstructured{Object: o}).GetName() == "deny-all"
}

// fenced gives every tenant the guard's policy, which isolates: what isolates a namespace is never taken from it.
func fenced(r random.Revision) random.Revision {
	for unit := range r {
		if unit != clusterTenant {
			r[unit] = append(slices.DeleteFunc(slices.Clone(r[unit]), isDenyAll), random.Object{
				"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": random.Object{"name": "deny-all", "namespace": unit},
				"spec": random.Object{"podSelector": random.Object{}, "policyTypes": []any{"Ingress", "Egress"}},
			})
		}
	}
	return r
}

// texts says what policies say, a line for each, sorted.
func texts(t *testing.T, objects iter.Seq[random.Object]) string {
	t.Helper()
	var lines []string
	for o := range objects {
		raw, err := json.Marshal(o["spec"])
		require.NoError(t, err)
		lines = append(lines, random.Key(o)+" "+string(raw))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var teams = map[string]string{"t": "red", "u": "blue", "z": "blue"}

// Every state that etcd holds while a revision is applied, to two tenants and the cluster overlay, lets through nothing that
// neither the old nor the new revision allows.
func TestNoOpenWindow(t *testing.T) {
	onEachFlavour(t, testNoOpenWindow)
}

func testNoOpenWindow(t *testing.T, calico controlplane.Calico) {
	control, err := controlplane.Start(context.Background(), controlplane.Config{Calico: calico})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, control.Stop()) })
	b := newBenchOn(t, control.REST())
	prefix := b.namespace + "-"
	spaces := map[string]map[string]string{}
	for name, team := range teams {
		spaces[prefix+name] = map[string]string{"team": team}
	}
	b.create(fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %sz, labels: {team: %s}}}", prefix, teams["z"]))
	repo := newRepository(t)
	d := startDaemon(b, repo, func(c *Config) { c.Renderer.(*kustomizer).tiers = []string{"default", "first"} })
	h := watchHistory(t, b.rogue, calico)

	units, pairs, withCalico := []string{prefix + "t", prefix + "u"}, scaled(500), calico != controlplane.NoCalico
	if withCalico {
		units = append(units, clusterTenant)
	}
	if calico != sharedCalico() {
		pairs /= 5
	}
	seed := int(seedOf(t))
	draw := func(f func(*rapid.T) random.Revision) random.Revision {
		seed++
		return fenced(rapid.Custom(f).Example(seed))
	}
	next := func(r random.Revision) random.Revision {
		return draw(func(t *rapid.T) random.Revision { return r.Next(t, withCalico) })
	}
	old := draw(func(t *rapid.T) random.Revision { return random.Draw(t, units, withCalico) })
	// apply answers whether all of it was applied: of some changes there is no order, and the daemon says so.
	apply := func(r random.Revision) bool {
		s := repo.commit(revisionFiles(t, prefix, r))
		d.Offer(s)
		defer func() {
			if t.Failed() {
				for _, one := range d.Tenants() {
					t.Logf("%q %s applied %s: %s %v", one.Name, one.State, short(one.Applied), one.Reason, one.Problems)
				}
				t.Logf("live:\n%s\nGit:\n%s", texts(t, maps.Values(h.replay)), texts(t, r.All()))
			}
		}()
		synced, since := false, time.Time{}
		require.Eventually(t, func() bool { // to find the order of so many tiers takes its time where others share the machine
			hopeless := slices.ContainsFunc(d.Tenants(), func(t Tenant) bool {
				return slices.ContainsFunc(t.Problems, func(p kustomize.Problem) bool { return strings.Contains(p.Message, "cannot be changed together") })
			})
			switch {
			case !hopeless:
				since = time.Time{}
			case since.IsZero():
				since = time.Now()
			case time.Since(since) > 10*time.Second:
				return true
			}
			st := d.saved()
			synced = st.Applied == s.Revision().Commit && len(st.Pending) == 0 &&
				!slices.ContainsFunc(d.Tenants(), func(t Tenant) bool { return t.State != Synced })
			return synced
		}, 3*time.Minute, 20*time.Millisecond)
		return synced
	}
	require.True(t, apply(old))
	for _, m := range h.take() {
		h.apply(m)
	}
	states, cuts, stuck := 0, 0, 0
	// judge looks at what was written since it was last asked, and at the end.
	judge := func(end random.Revision, revisions ...random.Revision) {
		var ends []*reach.Connectivity
		said := ""
		for _, r := range revisions {
			allows, err := random.Connectivity(spaces, r.All())
			require.NoError(t, err)
			ends = append(ends, allows)
			said += "revision:\n" + texts(t, r.All()) + "\n"
		}
		var writes []string
		for _, m := range h.take() {
			h.apply(m)
			writes = append(writes, fmt.Sprintf("%d gone=%v %s", m.version, m.gone, random.Key(m.object)))
			state, err := random.Connectivity(spaces, maps.Values(h.replay))
			require.NoError(t, err)
			states++
			found := reach.Between(state, ends[0], ends[1:]...)
			require.Empty(t, found.Gained, "seed %d, after %s\n%slive:\n%s\nwritten:\n%s", seed, random.Key(m.object),
				said, texts(t, maps.Values(h.replay)), strings.Join(writes, "\n"))
			if len(found.Lost) > 0 {
				cuts++
			}
		}
		to, err := random.Connectivity(spaces, end.All())
		require.NoError(t, err)
		state, err := random.Connectivity(spaces, maps.Values(h.replay))
		require.NoError(t, err)
		require.True(t, reach.Diff(state, to).Empty(), "seed %d: the end is the new revision\n%v\n%slive:\n%s", seed, reach.Diff(state, to), said, texts(t, maps.Values(h.replay)))
	}
	for range pairs {
		now := next(old)
		if apply(now) {
			judge(now, old, now)
			old = now
			continue
		}
		stuck++ // it is taken back: the cluster overlay first
		back := maps.Clone(now)
		if withCalico {
			back[clusterTenant] = old[clusterTenant]
		}
		if apply(back) {
			judge(back, old, now, back)
			old = back
			continue
		}
		require.True(t, apply(old))
		judge(old, old, now, back)
	}
	t.Logf("%d pairs of revisions, %d states, of which %d cut something for a while; of %d pairs no order was found, and the daemon said so", pairs, states, cuts, stuck)
	require.LessOrEqual(t, stuck*100, max(pairs, 100))
}
