package sync

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync/controlplane"
	"github.com/ringfence/ringfence/sync/order/random"
)

// preview shows what the daemon would do, from what is live and what its state says.
func (d *daemon) preview(to *sources.Snapshot) *Plan {
	d.Helper()
	cluster, err := drift.Read(d.Context(), drift.ClusterConfig{
		Dynamic: d.config.Dynamic, Discovery: d.config.Discovery, Metadata: d.config.Metadata,
	}, 20*time.Second)
	require.NoError(d, err)
	require.True(d, cluster.Synced(), cluster.Blind())
	p, err := Preview(d.Context(), PreviewConfig{
		Cluster: cluster, Kube: d.config.Kube, To: to, Source: d.repo, Instance: d.config.Instance, Namespace: d.config.Namespace,
		Renderer: d.renderer(), MaxPrune: d.config.MaxPrune,
	})
	require.NoError(d, err)
	return p
}

// renderer returns one like the daemon's own.
func (d *daemon) renderer() func(func(string) (string, bool)) Renderer {
	tiers := d.config.Renderer.(*kustomizer).tiers
	return func(owner func(string) (string, bool)) Renderer { return &kustomizer{owner: owner, tiers: tiers} }
}

// meets checks that what was written is what a plan says: the same writes, of every unit in the same order, and no unit in a turn
// before all have been in the one before. Namespaces are not looked at.
func (p *Plan) meets(t *testing.T, w *world, moments []moment, hint string) {
	t.Helper()
	left := map[string][]Write{}
	for _, write := range p.Writes {
		if write.ID.Kind != kinds.Namespace {
			left[write.Unit] = append(left[write.Unit], write)
		}
	}
	last := Turn(0)
	for _, m := range moments {
		u := &unstructured.Unstructured{Object: m.object}
		unit := u.GetNamespace()
		require.NotEmpty(t, left[unit], "%s: %s is not in the plan", hint, random.Key(m.object))
		next := left[unit][0]
		left[unit] = left[unit][1:]
		require.Equal(t, next.ID.Kind.Kind+" "+next.ID.Name, u.GetKind()+" "+u.GetName(), "%s: of %q", hint, unit)
		require.Equal(t, next.Action == string(pruned), m.gone, "%s: %s", hint, next.ID)
		if !m.gone {
			fields, err := next.wanted(w).Fields(&drift.Observed{Unstructured: u, ID: next.ID})
			require.NoError(t, err)
			require.Empty(t, fields, "%s: %s", hint, next.ID)
		}
		require.GreaterOrEqual(t, next.Turn, last, "%s: %s", hint, next.ID)
		last = next.Turn
	}
	for unit, writes := range left {
		require.Empty(t, writes, "%s: %q did not make what was planned", hint, unit)
	}
}

// wanted is what a write makes of its object.
func (w *Write) wanted(in *world) *drift.Wanted {
	if w.Between != nil {
		return drift.NewWanted(kustomize.Object{Unstructured: w.Between, Kind: w.ID.Kind})
	}
	wanted := in.targets[w.Unit].wanted
	return wanted[slices.IndexFunc(wanted, func(w2 *drift.Wanted) bool { return w2.ID == w.ID })]
}

// The plan that is shown is what the engine then does: the same writes, of every unit in the same order, and no unit goes on to
// a turn before all have been in the one before. Random revisions of two tenants and a cluster overlay, always the same.
func TestPreviewIsWhatIsDone(t *testing.T) {
	control, err := controlplane.Start(context.Background(), controlplane.Config{Calico: controlplane.CalicoCRD})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, control.Stop()) })
	b := newBenchOn(t, control.REST())
	prefix := b.namespace + "-"
	repo := newRepository(t)
	d := startDaemon(b, repo, func(c *Config) { c.Renderer.(*kustomizer).tiers = []string{"default", "first"} })
	h := watchHistory(t, b.rogue, controlplane.CalicoCRD)
	h.take() // what Calico has of its own
	units := []string{prefix + "t", prefix + "u", clusterTenant}
	old := fenced(rapid.Custom(func(t *rapid.T) random.Revision { return random.Draw(t, units, true) }).Example(1))
	writes, between := 0, 0
	for seed := range 1 + scaled(100) {
		now := old
		if seed > 0 {
			now = fenced(rapid.Custom(func(t *rapid.T) random.Revision { return old.Next(t, true) }).Example(seed))
		}
		s := repo.commit(revisionFiles(t, prefix, now))
		plan := d.preview(s)
		require.Empty(t, plan.Refused)
		d.Offer(s)
		require.Eventually(t, func() bool {
			if st := d.saved(); st.Applied != s.Revision().Commit || len(st.Pending) > 0 {
				return false
			}
			return !slices.ContainsFunc(d.Tenants(), func(t Tenant) bool { return t.State != Synced })
		}, 3*time.Minute, 20*time.Millisecond)
		plan.meets(t, d.world.Load(), h.take(), fmt.Sprintf("seed %d", seed))
		for _, w := range plan.Writes {
			if writes++; w.Between != nil {
				between++
			}
		}
		again := d.preview(s)
		assert.Empty(t, again.Writes, "seed %d: nothing is left to do", seed)
		old = now
	}
	t.Logf("%d writes, of which %d are of something in between", writes, between)
	assert.Positive(t, between)
}
