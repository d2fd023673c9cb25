package sync

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
)

// What is shown is what the cluster is held to, the last good state where the newest is refused, and what is seen.
func TestView(t *testing.T) {
	e := &Engine{cluster: drift.Imagined(nil), ledger: drift.NewLedger(drift.NewMetrics(nil)), reports: map[string]report{}}
	assert.Nil(t, e.View(), "nothing was rendered yet")

	good := &target{name: "b", overlay: "overlays/b", revision: "c1", wanted: append(some(t, "deny-all"), some(t, "allow")...), good: true}
	overlay := &target{revision: "c2", wanted: some(t, "deny-all"), good: true}
	guard := &target{name: "a", revision: "c2", wanted: some(t, "deny-all"), problems: []kustomize.Problem{{Message: "broken"}}}
	w := &world{revision: "c2", rendered: &Rendered{Rendering: &kustomize.Rendering{}}, targets: map[string]*target{
		"b": good.withProblems([]kustomize.Problem{{Message: "broken"}}, nil), "": overlay, "a": guard,
	}}
	e.world.Store(w)
	e.reports["b"] = report{target: good, reached: true}
	e.reports["a"] = report{target: guard, reached: true}
	e.ledger.Record("a", []drift.Difference{{ID: guard.wanted[0].ID, Type: drift.Missing, Want: guard.wanted[0]}}, func(drift.Difference) (drift.Hold, string) { return drift.Report, "" })
	v := e.View()
	require.NotNil(t, v)
	assert.Equal(t, v.Edition, e.View().Edition)
	assert.Empty(t, v.Workloads())
	assert.Empty(t, v.Live("b"))
	assert.Empty(t, v.Blind)

	names := make([]string, len(v.Desired))
	for i, d := range v.Desired {
		names[i] = d.Name
	}
	assert.Equal(t, []string{"", "a", "b"}, names)
	b, ok := v.Tenant("b")
	require.True(t, ok)
	assert.Equal(t, Desired{Name: "b", Revision: "c1", Objects: good.wanted, Whole: true, Settled: true}, b)
	a, _ := v.Tenant("a")
	assert.False(t, a.Whole, "the guard's alone")
	assert.False(t, a.Settled, "it drifts")
	assert.False(t, v.Desired[0].Settled, "nobody has looked at it yet")
	_, ok = v.Tenant("c")
	assert.False(t, ok)
}
