package sync

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sources"
)

// replica is a Replica on the shared API server, with a clone of its own.
type replica struct {
	*bench
	*Replica
	name   string
	source *sources.Repository
	line   *line
	gate   *watchman
	stop   func()
}

// line is what a replica's requests go through. While it is held, requests that
// change something wait, fenced or not, as those of a process that was stopped do.
type line struct {
	next http.RoundTripper

	mu   stdsync.Mutex
	cut  bool          // nothing comes through
	held chan struct{} // closed when what waits goes on; nil if nothing is held
	kept int           // requests that wait
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	cut, held := l.cut, l.held
	if held != nil && !changesNothing(r) && !strings.Contains(r.URL.Path, "/leases") {
		l.kept++
		l.mu.Unlock()
		<-held
		// What a stopped process had begun to send knows nothing of its own deadline.
		r = r.WithContext(context.WithoutCancel(r.Context()))
		return l.next.RoundTrip(r)
	}
	l.mu.Unlock()
	if cut {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("the line is cut")
	}
	return l.next.RoundTrip(r)
}

func (l *line) set(cut bool) {
	l.mu.Lock()
	l.cut = cut
	l.mu.Unlock()
}

func (l *line) hold() {
	l.mu.Lock()
	l.held = make(chan struct{})
	l.mu.Unlock()
}

func (l *line) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept
}

func (l *line) release() {
	l.mu.Lock()
	close(l.held)
	l.held = nil
	l.mu.Unlock()
}

// watchman checks that every request that changes something has a precondition.
type watchman struct {
	t    testing.TB
	next http.RoundTripper

	mu    stdsync.Mutex
	count map[string]int
}

func (w *watchman) RoundTrip(r *http.Request) (*http.Response, error) {
	if !changesNothing(r) {
		var body []byte
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
			_ = r.Body.Close()
			r.Body = io.NopCloser(strings.NewReader(string(body)))
		}
		assert.True(w.t, conditional(r, body), "no precondition: %s %s %s", r.Method, r.URL, body)
		_, bounded := r.Context().Deadline()
		assert.True(w.t, bounded, "no deadline: %s %s", r.Method, r.URL)
		w.mu.Lock()
		w.count[r.Method]++
		w.mu.Unlock()
	}
	return w.next.RoundTrip(r)
}

// conditional says whether a request is refused, by what it says itself, where the
// object is not as its sender has seen it. One that creates is: of what exists.
func conditional(r *http.Request, raw []byte) bool {
	if r.Method == http.MethodPost {
		return true
	}
	var body struct {
		Metadata      metav1.ObjectMeta     `json:"metadata"`
		Preconditions *metav1.Preconditions `json:"preconditions"`
	}
	if json.Unmarshal(raw, &body) != nil {
		return false
	}
	switch m := body.Metadata; r.Method {
	case http.MethodDelete:
		p := body.Preconditions
		return p != nil && p.UID != nil && p.ResourceVersion != nil
	case http.MethodPut:
		return m.ResourceVersion != ""
	default:
		release := strings.Contains(string(raw), `"finalizers":null`) && m.UID != "" // of what is going anyway
		return m.ResourceVersion != "" || m.DeletionGracePeriodSeconds != nil || release
	}
}

// startReplica runs one of several processes until stop, or until the test ends.
// Its lease lasts two seconds.
func startReplica(b *bench, repo *repository, name string, change func(*Config, *Lease)) *replica {
	b.Helper()
	source, err := sources.New(sources.Config{URL: "file://" + repo.dir, Ref: sources.Ref{Branch: "main"}, Dir: b.TempDir()})
	require.NoError(b, err)
	r := &replica{bench: b, name: name, source: source, line: &line{}, gate: &watchman{t: b, count: map[string]int{}}}
	bare := rest.CopyConfig(b.server)
	bare.Wrap(func(next http.RoundTripper) http.RoundTripper { r.line.next = next; return r.line })
	lease := &Lease{Fence: NewFence(), Poll: source.Poll, Identity: name, Duration: 2 * time.Second, Renew: time.Second}
	lease.Kube, err = kubernetes.NewForConfig(rest.CopyConfig(bare))
	require.NoError(b, err)
	config := rest.CopyConfig(bare)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { r.gate.next = next; return r.gate })
	config.Wrap(lease.Fence.Wrap)
	c := Config{Source: source, Namespace: b.namespace, MaxPrune: PruneLimit{Objects: -1, Tenants: -1}}
	c.Log = slog.New(slog.NewTextHandler(b.Output(), nil)).With("process", name)
	c.Dynamic, err = dynamic.NewForConfig(config)
	require.NoError(b, err)
	c.Discovery, err = discovery.NewDiscoveryClientForConfig(config)
	require.NoError(b, err)
	c.Metadata, err = metadata.NewForConfig(config)
	require.NoError(b, err)
	config.ContentType = "application/json" // for the watchman to read
	c.Kube, err = kubernetes.NewForConfig(config)
	require.NoError(b, err)
	renderer := &kustomizer{}
	c.Renderer = renderer
	if change != nil {
		change(&c, lease)
	}
	r.Replica, err = NewReplica(c, lease)
	require.NoError(b, err)
	renderer.owner = r.Owner
	r.run()
	return r
}

// run starts it, and polls every 100 ms.
func (r *replica) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var wg stdsync.WaitGroup
	wg.Go(func() { assert.NoError(r.bench, r.Run(ctx)) })
	wg.Go(func() {
		select {
		case <-ctx.Done():
			return
		case <-r.Loaded():
		}
		var last *sources.Snapshot
		for pause(ctx, 100*time.Millisecond) {
			if s, err := r.source.Poll(ctx); err == nil && s != last {
				last = s
				r.Offer(s)
			}
		}
	})
	r.stop = stdsync.OnceFunc(func() {
		cancel()
		wg.Wait()
		assert.NoError(r.bench, r.source.Close())
	})
	r.Cleanup(r.stop)
}

func (r *replica) until(what string, holds func() bool) {
	r.Helper()
	require.Eventually(r.bench, holds, 30*time.Second, 5*time.Millisecond, what)
}

// at waits until a tenant is in a state, with nothing older than the snapshot in sight.
func (r *replica) at(s *sources.Snapshot, state State, tenants ...string) {
	r.Helper()
	r.until(fmt.Sprintf("%s: %v %s at %s", r.name, tenants, state, short(s.Revision().Commit)), func() bool {
		if r.Status().Revision != s.Revision().Commit {
			return false
		}
		found := 0
		for _, t := range r.Tenants() {
			for _, name := range tenants {
				if t.Name == name && t.State == state {
					found++
				}
			}
		}
		return found == len(tenants)
	})
}

func (r *replica) leads() bool { return r.Status().Leader }

func policyOf(namespace, name string) drift.ID {
	return drift.ID{Kind: kinds.NetworkPolicy, Namespace: namespace, Name: name}
}

// One writes and the other stands by, with the same to tell; the lease is handed
// over at once when the first ends, and its standby adopts and corrects.
func TestHandover(t *testing.T) {
	b, repo := newBench(t), newRepository(t)
	name := b.namespace + "-a"
	s := repo.commit(overlay("a", name, "one", "two"))
	first := startReplica(b, repo, "first", nil)
	first.until("leading", first.leads)
	first.at(s, Synced, name)
	second := startReplica(b, repo, "second", nil)
	second.at(s, Synced, name)
	assert.False(t, second.leads())

	b.merge(policyOf(name, "deny-all"), `{spec: {ingress: [{}]}}`)
	first.until("corrected", func() bool { return len(first.Drift()) == 1 && !first.Drift()[0].Corrected.IsZero() })
	assert.Empty(t, second.gate.count, "a standby writes nothing")

	s = repo.commit(overlay("a", name, "one", "three"))
	first.at(s, Synced, name)
	second.at(s, Synced, name)

	before := time.Now()
	first.stop()
	second.until("leading", second.leads)
	t.Log("handed over in", time.Since(before))
	assert.Less(t, time.Since(before), 1900*time.Millisecond, "before the lease could have ended")
	second.at(s, Synced, name)
	b.merge(policyOf(name, "deny-all"), `{spec: {ingress: [{}]}}`)
	second.until("corrected", func() bool { return len(second.Drift()) == 1 && !second.Drift()[0].Corrected.IsZero() })
	assert.ElementsMatch(t, []string{"deny-all", "one", "three"}, b.policies(name))
	assert.NotZero(t, second.gate.count[http.MethodPatch])
	assert.NotZero(t, first.gate.count[http.MethodDelete])
}

// policies returns the names of the NetworkPolicies of a namespace.
func (b *bench) policies(namespace string) []string {
	b.Helper()
	list, err := b.others(policyOf(namespace, "")).List(context.Background(), listAll)
	require.NoError(b, err)
	names := []string{}
	for _, p := range list.Items {
		names = append(names, p.GetName())
	}
	return names
}

// A leader that is cut off stops writing, the other takes over, and the first
// comes back as a standby, in the same process.
func TestPartition(t *testing.T) {
	b, repo := newBench(t), newRepository(t)
	name := b.namespace + "-a"
	s := repo.commit(overlay("a", name, "one"))
	first := startReplica(b, repo, "first", nil)
	first.until("leading", first.leads)
	first.at(s, Synced, name)
	second := startReplica(b, repo, "second", nil)
	second.at(s, Synced, name)

	first.line.set(true)
	before := time.Now()
	first.until("not leading", func() bool { return !first.leads() })
	t.Log("gave up after", time.Since(before))
	second.until("leading", second.leads)
	t.Log("taken over in", time.Since(before))
	s = repo.commit(overlay("a", name, "two"))
	second.at(s, Synced, name)
	first.line.set(false)
	first.at(s, Synced, name)
	assert.False(t, first.leads())
	assert.True(t, second.leads())
}

// A leader that was stopped in the middle of its writes sends them when it goes
// on: what the next leader has written or removed since stays as that one wants it.
func TestStoppedLeader(t *testing.T) {
	b, repo := newBench(t), newRepository(t)
	name := b.namespace + "-a"
	one := overlay("a", name, "changes", "goes")
	s := repo.commit(one)
	first := startReplica(b, repo, "first", func(c *Config, _ *Lease) { c.Workers = 4 })
	first.until("leading", first.leads)
	first.at(s, Synced, name)
	second := startReplica(b, repo, "second", nil)
	second.at(s, Synced, name)

	for i, stale := range []string{
		allowance("changes", "{from: [{podSelector: {}}]}"), // an update
		allowance("made", "{}"),                             // a creation of what the next leader makes otherwise
		allowance("left", "{}"),                             // a creation of what the next leader removes
	} {
		first, second := first, second
		if !first.leads() {
			first, second = second, first
		}
		first.line.hold()
		change := overlay("a", name, "changes", "goes")
		change["overlays/a/objects.yaml"] += "\n---\n" + stale
		if i == 0 {
			change = overlay("a", name, "goes")
			change["overlays/a/objects.yaml"] += "\n---\n" + stale
		}
		repo.commit(change)
		first.until("a write is held", func() bool { return first.line.waiting() > 0 })
		first.line.set(true)
		second.until("leading", second.leads)
		next := overlay("a", name, "changes", "goes")
		if i == 1 {
			next["overlays/a/objects.yaml"] += "\n---\n" + allowance("made", "{from: [{podSelector: {}}]}")
		} else {
			next["overlays/a/objects.yaml"] = strings.Replace(next["overlays/a/objects.yaml"], "ingress: [{}]", "ingress: [{from: [{podSelector: {matchLabels: {n: n"+fmt.Sprint(i)+"}}}]}]", 1)
		}
		s := repo.commit(next)
		second.at(s, Synced, name)
		first.line.release()
		first.line.set(false)
		first.at(s, Synced, name)
		second.at(s, Synced, name)
		assert.Empty(t, second.Drift(), "nothing had to be corrected")
	}
}
