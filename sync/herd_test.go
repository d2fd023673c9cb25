package sync

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// What changes nothing of what Git says raises nothing: no difference, and no
// write of ours. That it was looked at shows in the rounds of real drift, in the
// same namespace and among the cluster-scoped objects, that end it.
func TestHerd(t *testing.T) {
	onEachFlavour(t, testHerd)
}

func testHerd(t *testing.T, calico controlplane.Calico) {
	z := newZoo(t, calico, Correct, 1)
	tenant := z.names(1)[0]
	herd := z.animals("testdata/zoo/herd.yaml")
	require.GreaterOrEqual(t, len(herd), z.atLeast(25))
	b := z.visit(t)

	z.probe(t, tenant)
	before := z.writes.Load()
	assert.Positive(t, before)
	for _, a := range herd {
		for _, d := range a.of(t, tenant, "").Do {
			if u := b.does(d, tenant); u != nil {
				z.seenBy(b.idOf(d.To, d.where(tenant)), u.GetResourceVersion())
			}
		}
	}
	z.probe(t, tenant)
	assert.Equal(t, 2*before, z.writes.Load(), "what is written for the probes alone")
	assert.Len(t, z.Drift(), z.atLeast(4), "two probes, twice, or one without Calico: %v", linesOf(z.Drift()))
}

// seenBy waits until the daemon has seen an object as it is now, if it looks at its kind.
func (z *zoo) seenBy(id drift.ID, version string) {
	z.Helper()
	if id.Kind != kinds.Namespace && !guardedKind(id.Kind) {
		return
	}
	z.until(id.String()+" is seen", func() bool {
		live := z.cluster.Get(id)
		return live != nil && live.GetResourceVersion() == version
	})
}

func guardedKind(k kinds.Kind) bool {
	_, ok := kinds.Find(k.GroupKind())
	return ok
}

// probe makes real drift in a namespace and among the cluster-scoped objects, and waits until it is undone.
func (z *zoo) probe(t *testing.T, tenant string) {
	t.Helper()
	b := z.visit(t)
	label := map[string]any{"metadata": map[string]any{"labels": map[string]any{"probe": "x"}}}
	probes := map[string]deed{
		tenant:        {Do: "merge", To: "np/web", As: "probe", With: label},
		clusterTenant: {Do: "merge", To: "tier/" + z.namespace + "-fence", As: "probe", With: label},
	}
	if !z.withCalico() {
		delete(probes, clusterTenant)
	}
	known := len(z.Drift())
	for where, d := range probes {
		b.does(d, where)
	}
	z.until("the probes are undone", func() bool {
		entries := z.Drift()
		for _, e := range entries {
			if e.Corrected.IsZero() {
				return false
			}
		}
		return len(entries) >= known+len(probes)
	})
}
