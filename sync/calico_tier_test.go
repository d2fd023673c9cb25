package sync

import (
	"maps"
	"net/http"
	"path"
	"strings"
	stdsync "sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// tiering is a daemon on Calico's own API server, and what it writes there.
type tiering struct {
	*daemon
	tenants []string
	mu      stdsync.Mutex
	writes  []string
}

func newTiering(t *testing.T) *tiering {
	t.Helper()
	b := newBenchOn(t, calicoServer(t))
	b.Cleanup(func() { sweepCluster(b) })
	d := &tiering{tenants: []string{b.namespace + "-a", b.namespace + "-b"}}
	d.daemon = startDaemon(b, newRepository(t), func(c *Config) {
		c.Renderer.(*kustomizer).tiers = []string{"default", b.namespace + "-one", b.namespace + "-two"}
	})
	b.inject(d.note)
	return d
}

// note keeps the kinds and names of what is written or deleted.
func (d *tiering) note(r *http.Request) *http.Response {
	if r.Method == http.MethodGet || !strings.HasPrefix(r.URL.Path, "/apis/"+kinds.GroupCalico+"/") {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes = append(d.writes, strings.ReplaceAll(r.Method+" "+path.Base(path.Dir(r.URL.Path))+"/"+path.Base(r.URL.Path), d.namespace+"-", ""))
	return nil
}

// taken returns what was written since it was last asked.
func (d *tiering) taken() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.writes
	d.writes = nil
	return out
}

// commit has Git have so many tiers, each with policies of the cluster and of two tenants.
func (d *tiering) tiers(names ...string) {
	d.Helper()
	tree := files(overlay("a", d.tenants[0]), overlay("b", d.tenants[1]))
	cluster := "{apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: NS-set}, spec: {nets: [192.0.2.0/24]}}"
	for _, name := range names {
		cluster += strings.ReplaceAll(`
---
{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: NS-NAME.first}, spec: {tier: NS-NAME, selector: has(never), order: 1, types: [Ingress], ingress: [{action: Pass}]}}
---
{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: NS-NAME}, spec: {order: 4000, defaultAction: Pass}}`, "NAME", name)
		for _, tenant := range []string{"a", "b"} {
			tree["overlays/"+tenant+"/objects.yaml"] += strings.ReplaceAll(d.text(`
---
{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: NS-NAME.p}, spec: {tier: NS-NAME, selector: has(never), types: [Ingress], ingress: [{action: Pass}]}}`), "NAME", name)
		}
	}
	maps.Copy(tree, map[string]string{"overlays/cluster/kustomization.yaml": "resources: [objects.yaml]", "overlays/cluster/objects.yaml": d.text(cluster)})
	s := d.repo.commit(tree)
	d.Offer(s)
	d.at(s, Synced, append(d.tenants, clusterTenant)...)
	d.done(s)
}

// precede checks that all writes to one come before the first to another.
func precede(t *testing.T, writes []string, first, then func(string) bool) {
	t.Helper()
	seen := ""
	for _, w := range writes {
		if then(w) {
			seen = w
		}
		if first(w) {
			assert.Empty(t, seen, "%s comes after it: %v", w, writes)
		}
	}
}

// A tier is there before its policies, and goes once they are gone, whosever they are: no write is refused on the way.
func TestCalicoTiers(t *testing.T) {
	d := newTiering(t)
	isTier := func(w string) bool { return strings.Contains(w, " tiers/") }
	isPolicy := func(w string) bool { return strings.Contains(w, "policies/") }
	d.tiers("one")
	precede(t, d.taken(), isTier, isPolicy)
	d.tiers("two")
	writes := d.taken()
	assert.Len(t, writes, 8, "%v", writes)
	precede(t, writes, func(w string) bool { return w == "PATCH tiers/two" }, func(w string) bool { return strings.Contains(w, "policies/two.") })
	precede(t, writes, func(w string) bool { return strings.Contains(w, "policies/one.") }, func(w string) bool { return w == "DELETE tiers/one" })
	d.tiers()
	writes = d.taken()
	assert.Len(t, writes, 4, "%v", writes)
	precede(t, writes, isPolicy, isTier)
	assert.Zero(t, testutil.ToFloat64(d.config.Metrics.objects.WithLabelValues(string(failed))))
}

// A tier in which others have a policy stays, and it is said which, until that is gone.
func TestCalicoTierOfOthers(t *testing.T) {
	d := newTiering(t)
	d.tiers("one")
	d.create(`{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: NS-one.theirs, namespace: NS}, spec: {tier: NS-one, selector: all(), types: [Ingress]}}`)
	theirs := drift.ID{Kind: calicoKind(t, "NetworkPolicy"), Namespace: d.namespace, Name: d.namespace + "-one.theirs"}
	tree := files(overlay("a", d.tenants[0]), overlay("b", d.tenants[1]))
	tree["overlays/cluster/objects.yaml"] = d.text("{apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: NS-set}, spec: {nets: [192.0.2.0/24]}}")
	s := d.repo.commit(tree)
	d.Offer(s)
	d.until("it is told", func() bool {
		problems := d.tenant(clusterTenant).Problems
		return len(problems) == 1 && strings.Contains(problems[0].Error(), "it goes once no policy is in it; there are "+theirs.String())
	})
	require.NoError(t, d.others(theirs).Delete(t.Context(), theirs.Name, metav1.DeleteOptions{}))
	d.at(s, Synced, append(d.tenants, clusterTenant)...)
	assert.Nil(t, d.live(drift.ID{Kind: kinds.Tier, Name: d.namespace + "-one"}))
}

// calicoKind returns one of Calico's kinds.
func calicoKind(t *testing.T, kind string) kinds.Kind {
	t.Helper()
	for _, k := range kinds.Guarded() {
		if k.Group == kinds.GroupCalico && k.Kind == kind {
			return k
		}
	}
	require.Fail(t, "no such kind", kind)
	return kinds.Kind{}
}
