package sync

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane/trouble"
)

// changesOfLeader is how often the leader changes: fifty times with RINGFENCE_SCALE=full.
func changesOfLeader() int {
	if os.Getenv("RINGFENCE_SCALE") == "full" {
		return 50
	}
	return 5
}

var leases = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

// chronicle is what etcd says of the policies of some namespaces, and of the lease, in its order.
type chronicle struct {
	mu     stdsync.Mutex
	events []historic
	// claims say which processes were told of a version, or of the deletion of a uid.
	claims map[string][]string
	codes  map[int]int
}

// historic is one change.
type historic struct {
	version uint64
	object  *unstructured.Unstructured
	gone    bool
}

func (h *chronicle) record(ctx context.Context, t testing.TB, r dynamic.ResourceInterface, ours func(namespace string) bool) {
	w, err := r.Watch(ctx, metav1.ListOptions{ResourceVersion: "0"})
	require.NoError(t, err)
	go func() {
		defer w.Stop()
		for e := range w.ResultChan() {
			u, ok := e.Object.(*unstructured.Unstructured)
			if !ok || !ours(u.GetNamespace()) {
				continue
			}
			version, _ := strconv.ParseUint(u.GetResourceVersion(), 10, 64)
			h.mu.Lock()
			h.events = append(h.events, historic{version, u, e.Type == watch.Deleted})
			h.mu.Unlock()
		}
	}()
}

func (h *chronicle) claim(process string) func(code int, uid, version string) {
	return func(code int, uid, version string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.codes[code]++
		if key := uid + version; code < 300 {
			h.claims[key] = append(h.claims[key], process)
		}
	}
}

// stale returns the writes of processes that did not hold the lease when they were made, and of these those that
// changed what the holder had written under it.
func (h *chronicle) stale() (all, undone []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.SortFunc(h.events, func(a, b historic) int { return int(a.version) - int(b.version) })
	holder, touched := "", map[string]bool{} // what the holder has written since it holds
	for _, e := range h.events {
		if e.object.GetKind() == "Lease" {
			if now, _, _ := unstructured.NestedString(e.object.Object, "spec", "holderIdentity"); now != holder {
				holder, touched = now, map[string]bool{}
			}
			continue
		}
		key := string(e.object.GetUID())
		if !e.gone {
			key += e.object.GetResourceVersion()
		}
		by := h.claims[key]
		name := e.object.GetNamespace() + "/" + e.object.GetName()
		switch {
		case len(by) == 0: // somebody else's, or of a process that died before it was told
		case slices.Contains(by, holder):
			touched[name] = true
		default:
			line := fmt.Sprintf("%d: %s by %v while %q leads (gone: %v)", e.version, name, by, holder, e.gone)
			all = append(all, line)
			if touched[name] && !isCreation(e) {
				undone = append(undone, line)
			}
		}
	}
	return all, undone
}

// isCreation says whether a change made an object.
func isCreation(e historic) bool { return !e.gone && e.object.GetGeneration() == 1 }

// succession is a policy repository that changes all the time, and two processes that sync it.
type succession struct {
	*bench
	repo      *repository
	history   *chronicle
	processes map[string]*nursery
	tenants   []string
	dice      *rand.Rand
	step      int
	wanted    []map[string]string // by tenant: what each policy says
}

// processes that lead die, are stopped and are cut off, fifty times, while Git and the cluster change. What a stale
// leader still sends undoes nothing; in the end the cluster is what Git says, and nobody else's was touched.
func TestLeaders(t *testing.T) {
	s := newSuccession(t)
	s.commit()
	for _, p := range s.processes {
		p.start()
	}
	s.until("a leader", func() bool { return s.holder() != "" })
	foreign := s.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: foreign, namespace: NS}, spec: {podSelector: {}}}`)
	s.until("its first sync", func() bool { return s.live(policyOf(s.tenants[0], "deny-all")) != nil })
	extra := s.create(strings.ReplaceAll(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: extra, namespace: TENANT}, spec: {podSelector: {}}}`, "TENANT", s.tenants[0]))

	var took []time.Duration
	ways := []string{"killed", "stopped", "cut off", "halted before a write", "killed before a write"}
	for i := range changesOfLeader() {
		took = append(took, s.change(ways[i%len(ways)]))
	}
	s.commit()
	s.equalsGit()
	for _, o := range []*unstructured.Unstructured{foreign, extra} {
		live := s.live(policyOf(o.GetNamespace(), o.GetName()))
		require.NotNil(t, live, o.GetName())
		assert.Equal(t, o.GetResourceVersion(), live.GetResourceVersion(), "somebody else's is left alone")
	}
	all, undone := s.history.stale()
	slices.Sort(took)
	t.Logf("%d changes of leader; taken over in %s at the median, %s at most, of a lease of 2s", len(took), took[len(took)/2], took[len(took)-1])
	t.Logf("answers to writes: %v; accepted of a process that did not lead any more, where the next one had not written yet: %d", s.history.codes, len(all))
	for _, line := range all {
		t.Log(line)
	}
	assert.Empty(t, undone, "a stale leader changed what the next one had written")
}

func newSuccession(t *testing.T) *succession {
	t.Helper()
	s := &succession{
		bench: newBench(t), repo: newRepository(t), processes: map[string]*nursery{}, dice: rand.New(rand.NewPCG(seedOf(t), 0)),
		history: &chronicle{claims: map[string][]string{}, codes: map[int]int{}},
	}
	for i := range 4 {
		s.tenants = append(s.tenants, fmt.Sprintf("%s-t%d", s.namespace, i))
		s.wanted = append(s.wanted, map[string]string{})
	}
	ours := func(namespace string) bool { return strings.HasPrefix(namespace, s.namespace) }
	s.history.record(t.Context(), t, s.rogue.Resource(kinds.NetworkPolicy.GVR()), ours)
	s.history.record(t.Context(), t, s.rogue.Resource(leases), ours)
	for _, name := range []string{"a", "b"} {
		proxy, err := trouble.Start(trouble.Config{REST: s.server})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, proxy.Close()) })
		p := newNursery(t, proxy, childConfig{Repo: s.repo.dir, Namespace: s.namespace, Candidate: name})
		p.wrote = s.history.claim(name)
		s.processes[name] = p
	}
	return s
}

// commit changes every tenant: one policy says something new, one comes or goes. No state of Git comes twice.
func (s *succession) commit() {
	s.Helper()
	s.step++
	var parts []map[string]string
	for i, tenant := range s.tenants {
		said := s.wanted[i]
		said["always"] = fmt.Sprint("s", s.step)
		if name := fmt.Sprint("p", s.dice.IntN(4)); said[name] != "" {
			delete(said, name)
		} else {
			said[name] = fmt.Sprint("s", s.step)
		}
		tree := overlay(fmt.Sprint("t", i), tenant)
		for name, step := range said {
			tree[fmt.Sprintf("overlays/t%d/objects.yaml", i)] += "\n---\n" + allowance(name, "{from: [{podSelector: {matchLabels: {step: "+step+"}}}]}")
		}
		parts = append(parts, tree)
	}
	s.repo.commit(files(parts...))
	for _, p := range s.processes {
		if p.child != nil {
			p.poll()
		}
	}
}

// drift changes something that Git has: what it says, or whether it is there.
func (s *succession) drift() {
	s.Helper()
	tenant := s.tenants[s.dice.IntN(len(s.tenants))]
	policies := s.others(policyOf(tenant, ""))
	switch s.dice.IntN(3) {
	case 0:
		_ = policies.Delete(s.Context(), "always", metav1.DeleteOptions{}) // it may not be there now
	case 1:
		s.patch(tenant, "always", `{"spec":{"ingress":[{}]}}`)
	default:
		s.patch(tenant, "deny-all", `{"spec":{"ingress":[{}]}}`)
	}
}

// change lets the present leader come to grief and returns how long it took until another one led. The first is then
// brought back.
func (s *succession) change(way string) time.Duration {
	s.Helper()
	old := s.holder()
	p := s.processes[old]
	s.act(3)
	began := time.Now()
	switch way {
	case "killed":
		p.kill()
	case "killed before a write":
		p.arm("before apply", 1)
		s.commit()
		s.until("it dies", func() bool { return !p.runs() })
		began = time.Now()
	case "stopped":
		p.pause()
	case "halted before a write":
		p.tell("halt 1 before apply")
		s.commit()
		select {
		case <-p.halts:
		case <-time.After(20 * time.Second):
			s.Fatal("it does not stop itself: ", p.said(20))
		}
		began = time.Now()
	case "cut off":
		p.proxy.Part(true)
	}
	for s.holder() == old || s.holder() == "" {
		require.Less(s, time.Since(began), 30*time.Second, "nobody takes over from %s, %s", old, way)
		s.act(1)
	}
	took := time.Since(began)
	s.act(4)
	switch {
	case strings.HasPrefix(way, "killed"):
		p.start()
	case way == "cut off":
		p.proxy.Part(false)
	default:
		p.resume()
	}
	s.act(4)
	s.Log(way, old, took)
	return took
}

func (s *succession) until(what string, holds func() bool) {
	s.Helper()
	require.Eventually(s, holds, 30*time.Second, 20*time.Millisecond, what)
}

// patch changes a policy, if it is there.
func (s *succession) patch(tenant, name, body string) {
	_, _ = s.others(policyOf(tenant, name)).Patch(s.Context(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{FieldManager: "rogue"})
}

// act lets Git and the cluster change a few times.
func (s *succession) act(times int) {
	s.Helper()
	for range times {
		if s.dice.IntN(3) == 0 {
			s.commit()
		} else {
			s.drift()
		}
		time.Sleep(time.Duration(s.dice.IntN(80)) * time.Millisecond)
	}
}

// holder returns who holds the lease; "" for nobody.
func (s *succession) holder() string {
	lease, err := s.rogue.Resource(leases).Namespace(s.namespace).Get(s.Context(), "ringfence", metav1.GetOptions{})
	if err != nil {
		return ""
	}
	holder, _, _ := unstructured.NestedString(lease.Object, "spec", "holderIdentity")
	return holder
}

// equalsGit waits until the cluster is what Git says, all of it.
func (s *succession) equalsGit() {
	s.Helper()
	differs := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if differs = s.difference(); differs == "" {
			break
		}
	}
	require.Empty(s, differs, "%s\n%s", s.processes["a"].said(30), s.processes["b"].said(30))
	time.Sleep(time.Second)
	assert.Empty(s, s.difference(), "and stays so")
}

func (s *succession) difference() string {
	for i, tenant := range s.tenants {
		list, err := s.others(policyOf(tenant, "")).List(s.Context(), listAll)
		if err != nil {
			return err.Error()
		}
		got := map[string]string{}
		for _, p := range list.Items {
			rules, _, _ := unstructured.NestedSlice(p.Object, "spec", "ingress")
			text := fmt.Sprint(rules)
			for _, step := range s.wanted[i] {
				if text == fmt.Sprintf("[map[from:[map[podSelector:map[matchLabels:map[step:%s]]]]]]", step) {
					text = step
					break
				}
			}
			got[p.GetName()] = text
		}
		want := map[string]string{"deny-all": "[]"}
		if i == 0 {
			want["extra"] = "[]"
		}
		for name, step := range s.wanted[i] {
			want[name] = step
		}
		if !assert.ObjectsAreEqual(want, got) {
			return fmt.Sprintf("%s: Git says %v, the cluster %v", tenant, want, got)
		}
	}
	return ""
}
