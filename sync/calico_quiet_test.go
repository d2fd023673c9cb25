package sync

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	stdsync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// asked counts what a daemon asks its API server for.
type asked struct {
	mu    stdsync.Mutex
	verbs map[string]int
	last  time.Time
}

func (a *asked) count(r *http.Request) *http.Response {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.verbs[r.Method]++
	a.last = time.Now()
	return nil
}

// since returns what was asked for since the last call, and when the last time was.
func (a *asked) since() (verbs map[string]int, last time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	verbs, a.verbs = a.verbs, map[string]int{}
	return verbs, a.last
}

func writes(verbs map[string]int) (n int) {
	for verb, count := range verbs {
		if verb != http.MethodGet {
			n += count
		}
	}
	return n
}

// calicoTenant is a daemon on Calico's own API server, with one tenant that has policies and a set of Calico's.
type calicoTenant struct {
	*daemon
	asked  *asked
	tenant string
	fenced drift.ID
}

func newCalicoTenant(t *testing.T, change func(*Config)) *calicoTenant {
	t.Helper()
	b := newBenchOn(t, calicoServer(t))
	c := &calicoTenant{asked: &asked{verbs: map[string]int{}}, tenant: b.namespace + "-a"}
	b.inject(c.asked.count)
	repo := newRepository(t)
	c.daemon = startDaemon(b, repo, change)
	c.fenced = drift.ID{Kind: kindOf(t, parseObject(t, calicoPolicyText)), Namespace: c.tenant, Name: "calico"}
	parts := files(overlay("a", c.tenant, "one"), map[string]string{rulesFile: "deleteExtra: true"})
	for _, text := range []string{
		calicoPolicyText,
		`{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: default.bare}, spec: {egress: [{action: Allow, protocol: "17", destination: {ports: [53]}}]}}`,
		`{apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: set}, spec: {nets: ["2001:DB8::/32", 192.0.2.0/24]}}`,
	} {
		parts["overlays/a/objects.yaml"] += "\n---\n" + text
	}
	s := repo.commit(parts)
	c.Offer(s)
	c.soon("synced", func() bool {
		return c.Status().Revision == s.Revision().Commit && c.daemon.tenant(c.tenant).State == Synced
	})
	c.done(s)
	return c
}

// quiet waits until the daemon has asked for nothing for a second.
func (c *calicoTenant) quiet() {
	c.Helper()
	c.soon("the daemon is quiet", func() bool {
		c.asked.mu.Lock()
		defer c.asked.mu.Unlock()
		return time.Since(c.asked.last) > time.Second
	})
}

// versions are the resource versions of all that Calico and Kubernetes hold of guarded kinds, as they are stored.
func (c *calicoTenant) versions() map[string]string {
	c.Helper()
	out := map[string]string{}
	for _, k := range kinds.Guarded() {
		if k.Group == kinds.GroupPolicy {
			continue
		}
		gvr := k.GVR()
		if k.Group == kinds.GroupCalico {
			gvr = schema.GroupVersionResource{Group: kinds.GroupStored, Version: "v1", Resource: k.Resource}
		}
		list, err := c.rogue.Resource(gvr).List(c.Context(), metav1.ListOptions{})
		require.NoError(c, err)
		for _, o := range list.Items {
			out[gvr.String()+" "+o.GetNamespace()+"/"+o.GetName()] = o.GetResourceVersion()
		}
	}
	return out
}

// A daemon that has nothing to do writes nothing on Calico's own API server, and moves no version: for a minute with
// RINGFENCE_SCALE=full.
func TestCalicoIdles(t *testing.T) {
	c := newCalicoTenant(t, nil)
	c.quiet()
	before := c.versions()
	require.Greater(t, len(before), 4)
	c.asked.since()
	idle := 5 * time.Second
	if os.Getenv("RINGFENCE_SCALE") == "full" {
		idle = time.Minute
	}
	time.Sleep(idle)
	verbs, _ := c.asked.since()
	t.Logf("%s: %v", idle, verbs)
	assert.Zero(t, writes(verbs), "%v", verbs)
	assert.Equal(t, before, c.versions())
	assert.Empty(t, c.Drift())
}

// Whoever writes a tier ends all watches of policies. Fifty times in a row, nothing is taken for drift, nothing is
// written, and what is asked is bounded; then a change is seen as ever.
func TestCalicoTierStorm(t *testing.T) {
	c := newCalicoTenant(t, nil)
	t.Cleanup(func() { sweepCluster(c.bench) })
	c.quiet()
	c.asked.since()
	before := c.versions()
	began := time.Now()
	for i := range 50 {
		c.force(fmt.Sprintf(`{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: NS-storm}, spec: {order: %d}}`, 5000+i))
	}
	wrote := time.Since(began)
	c.quiet()
	c.soon("all is seen", func() bool { return c.Status().Ready && c.daemon.tenant(c.tenant).State == Synced })
	verbs, last := c.asked.since()
	t.Logf("50 writes of a tier in %s: %v, the last %s after the first", wrote.Round(time.Millisecond), verbs, last.Sub(began).Round(time.Millisecond))
	assert.Zero(t, writes(verbs), "%v", verbs)
	// A watch is renewed, or a list made, at most five times a second for each of the four kinds, and tiers are looked
	// through once in half a second: four kinds times five tiers.
	most := 100 + int(last.Sub(began)/time.Second+1)*(4*5*2+2*4*5)
	assert.LessOrEqual(t, verbs[http.MethodGet], most)
	assert.Empty(t, c.Drift())
	after := c.versions()
	maps.DeleteFunc(after, func(name, _ string) bool { return before[name] == "" }) // the tier
	assert.Equal(t, before, after)

	c.merge(c.fenced, `{spec: {order: 7}}`)
	c.soon("the watch works", func() bool { return told(c.daemon, c.fenced) && c.daemon.tenant(c.tenant).State == Synced })
}

// Who writes to Calico's storage, around its API server, is told of, and nothing of it is touched.
func TestCalicoBypass(t *testing.T) {
	c := newCalicoTenant(t, nil)
	c.quiet()
	stored, _ := kinds.Stored(c.fenced.Kind)
	storage := c.rogue.Resource(stored.GVR()).Namespace(c.tenant)
	// Under the name of Git's own, before it, and under that of a mirror, which nobody looks at.
	for _, name := range []string{"calico", "knp.default.one"} {
		o := &unstructured.Unstructured{Object: parseObject(t, `{apiVersion: crd.projectcalico.org/v1, kind: NetworkPolicy, metadata: {name: `+name+`}, spec: {tier: default, order: 1, types: [Ingress], ingress: [{action: Allow}]}}`).Object}
		made, err := storage.Create(t.Context(), o, metav1.CreateOptions{FieldManager: "rogue"})
		require.NoError(t, err)
		id := drift.ID{Kind: stored, Namespace: c.tenant, Name: name}
		c.soon("told", func() bool {
			return slices.ContainsFunc(c.Drift(), func(e drift.Entry) bool {
				return e.ID == id && e.Type == drift.Extra && e.Effect == drift.Opens && e.Held == drift.Report && e.Reason == aroundServer
			}) && c.daemon.tenant(c.tenant).State == Drifted
		})
		c.quiet()
		live, err := storage.Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		assert.Equal(t, made.GetResourceVersion(), live.GetResourceVersion(), "never touched, though Git wants extra objects deleted")
		require.NoError(t, storage.Delete(t.Context(), name, metav1.DeleteOptions{}))
		c.soon("in order", func() bool { return c.daemon.tenant(c.tenant).State == Synced })
	}
}

// Who changes an object of Git's around Calico's API server is named: that server does not tell of them.
func TestCalicoBypassIsNamed(t *testing.T) {
	c := newCalicoTenant(t, func(c *Config) { c.Mode = Report })
	stored, _ := kinds.Stored(c.fenced.Kind)
	storage := c.rogue.Resource(stored.GVR()).Namespace(c.tenant)
	_, err := storage.Patch(t.Context(), "default.calico", types.MergePatchType, []byte(`{"spec":{"order":7}}`), metav1.PatchOptions{FieldManager: "rogue"})
	require.NoError(t, err)
	c.soon("named", func() bool {
		return slices.ContainsFunc(c.Drift(), func(e drift.Entry) bool {
			return e.ID == c.fenced && e.Type == drift.Modified && slices.Equal([]string{"rogue (crd.projectcalico.org)"}, managers(e))
		})
	})
}
