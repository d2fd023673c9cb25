package sync

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// patience counts what a daemon asks of Calico's own API server.
type patience struct {
	mu     stdsync.Mutex
	writes map[string]int // by object
	verbs  map[string]int
	queued float64         // the most that was
	shown  map[string]bool // what was told of progress
	look   func() (queued float64, shown []string)
}

func (p *patience) count(r *http.Request) *http.Response {
	if !strings.HasPrefix(r.URL.Path, "/apis/"+kinds.GroupCalico+"/") {
		return nil
	}
	queued, shown := p.look()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.verbs[r.Method]++
	if r.Method != http.MethodGet {
		p.writes[r.URL.Path]++
	}
	p.queued = max(p.queued, queued)
	for _, text := range shown {
		p.shown[text] = true
	}
	return nil
}

func (p *patience) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes, p.verbs, p.shown, p.queued = map[string]int{}, map[string]int{}, map[string]bool{}, 0
}

// heedful keeps the daemon's log.
type heedful struct {
	mu   stdsync.Mutex
	text bytes.Buffer
}

func (h *heedful) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

func (h *heedful) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.Reset()
}

func (h *heedful) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// Calico's own API server takes about 18 new policies a second, whatever is asked of it. Who writes many shows how far it
// is, gives up on none, and asks for each once.
func TestCalicoPatience(t *testing.T) {
	const tenants = 10
	each := scaled(1000) / tenants
	plane, err := controlplane.Start(t.Context(), controlplane.Config{
		Calico: controlplane.CalicoAggregated, Log: io.Discard, Env: []string{"CALICO_K8SCLIENTQPS=50"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, plane.Stop()) })
	b := newBenchOn(t, plane.REST())
	p, log, repo := &patience{}, &heedful{}, newRepository(t)
	d := startDaemon(b, repo, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(io.MultiWriter(log, b.Output()), nil))
		c.Workers = 2 * queueMost
	})
	p.look = func() (float64, []string) { return testutil.ToFloat64(d.config.Metrics.queued), d.pendingBecause() }
	p.reset()
	b.inject(p.count)
	var names []string
	for i := range tenants {
		names = append(names, fmt.Sprintf("%s-t%d", b.namespace, i))
	}
	d.until("it sees", d.cluster.Synced)
	log.reset()
	p.sync(d, names, each, 1, created)
	p.sync(d, names, each, 2, updated)
	assert.NotContains(t, log.String(), "level=ERROR")
	assert.Zero(t, testutil.ToFloat64(d.config.Metrics.objects.WithLabelValues(string(failed))))
}

// pendingBecause returns what is told of tenants that are not there yet.
func (d *daemon) pendingBecause() (reasons []string) {
	for _, one := range d.Tenants() {
		if one.State == Pending && one.Reason != "" {
			reasons = append(reasons, one.Reason)
		}
	}
	return reasons
}

// sync has the tenants have so many policies, and looks on.
func (p *patience) sync(d *daemon, names []string, each, order int, did action) {
	d.Helper()
	p.reset()
	var parts []map[string]string
	for i, name := range names {
		tree := overlay(fmt.Sprint("t", i), name)
		for n := range each {
			tree[fmt.Sprintf("overlays/t%d/objects.yaml", i)] += fmt.Sprintf("\n---\n{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: p%d}, spec: {selector: \"app == 'a%d'\", order: %d, types: [Ingress], ingress: [{action: Allow}]}}", n, n, order)
		}
		parts = append(parts, tree)
	}
	before := testutil.ToFloat64(d.config.Metrics.objects.WithLabelValues(string(did)))
	s := d.repo.commit(files(parts...))
	began := time.Now()
	d.Offer(s)
	require.Eventually(d, func() bool {
		return d.Status().Revision == s.Revision().Commit && d.Status().Tenants[Synced] == len(names)
	}, 5*time.Minute, 20*time.Millisecond)
	d.done(s)
	took := time.Since(began)

	p.mu.Lock()
	defer p.mu.Unlock()
	all := each * len(names)
	require.Len(d, p.writes, all)
	for object, n := range p.writes {
		assert.Equal(d, 1, n, "%s is written once", object)
		assert.Equal(d, "networkpolicies", path.Base(path.Dir(object)))
	}
	gets := p.verbs[http.MethodGet]
	delete(p.verbs, http.MethodGet)
	assert.Equal(d, map[string]int{http.MethodPatch: all}, p.verbs, "nothing but one apply for each is written")
	assert.InDelta(d, float64(all), testutil.ToFloat64(d.config.Metrics.objects.WithLabelValues(string(did)))-before, float64(2*len(names)), "and Namespaces, and what fences them")
	assert.Greater(d, p.queued, float64(queueMost), "more wait than are on their way, and it shows")
	assert.LessOrEqual(d, p.queued, float64(d.config.Workers))
	assert.Zero(d, testutil.ToFloat64(d.config.Metrics.queued))
	progress := regexp.MustCompile(`it is being written: \d+ of \d+ objects are done; Calico's API server takes few writes at a time, and \d wait`)
	texts := slices.Sorted(maps.Keys(p.shown))
	assert.True(d, slices.ContainsFunc(texts, progress.MatchString), "%v", texts)
	d.Logf("%d policies %s in %s, %.0f/s: %d PATCH and %d GET to projectcalico.org, %.3f for each; at most %.0f writes queued; %d texts of progress seen, as %q",
		all, did, took.Round(time.Millisecond), float64(all)/took.Seconds(), all, gets, float64(all+gets)/float64(all), p.queued, len(texts), texts[len(texts)/2])
}

// Who is told to come back later comes back once, later, and nothing is written twice for it.
func TestCalicoRetryAfter(t *testing.T) {
	const tenants, refusals = 8, 6
	b := newBenchOn(t, calicoServer(t))
	d := startDaemon(b, newRepository(t), func(c *Config) { c.Workers = tenants })
	var mu stdsync.Mutex
	tries, left := map[string][]time.Time{}, refusals
	b.inject(func(r *http.Request) *http.Response {
		if r.Method != http.MethodPatch || !strings.HasPrefix(r.URL.Path, "/apis/"+kinds.GroupCalico+"/") {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		tries[r.URL.Path] = append(tries[r.URL.Path], time.Now())
		if left == 0 {
			return nil
		}
		left--
		return &http.Response{
			StatusCode: http.StatusTooManyRequests, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Retry-After": {"1"}}, Body: http.NoBody,
		}
	})
	var parts []map[string]string
	var names []string
	for i := range tenants {
		names = append(names, fmt.Sprintf("%s-t%d", b.namespace, i))
		tree := overlay(fmt.Sprint("t", i), names[i])
		tree[fmt.Sprintf("overlays/t%d/objects.yaml", i)] += "\n---\n{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: p}, spec: {selector: all(), types: [Ingress]}}"
		parts = append(parts, tree)
	}
	s := d.repo.commit(files(parts...))
	d.Offer(s)
	d.at(s, Synced, names...)
	d.done(s)
	mu.Lock()
	defer mu.Unlock()
	assert.Len(t, tries, tenants)
	all := 0
	for object, times := range tries {
		all += len(times)
		for i := range len(times) - 1 {
			assert.GreaterOrEqual(t, times[i+1].Sub(times[i]), time.Second, "%s is tried again too soon", object)
		}
	}
	assert.Equal(t, tenants+refusals, all)
	assert.Zero(t, testutil.ToFloat64(d.config.Metrics.objects.WithLabelValues(string(failed))))
}
