package reach

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The size that the design promises: 5,000 tenants with three workloads and five policies each; under a tenth of it without
// RINGFENCE_SCALE=full. Time is logged and not judged, since other tests share the machine.
func TestScale(t *testing.T) {
	full := os.Getenv("RINGFENCE_SCALE") == "full"
	tenants := 400
	if full {
		tenants = 5000
	}
	config := tenantConfig(tenants)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	w, err := New(config)
	require.NoError(t, err)
	c := w.Connectivity()
	whole := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := after.HeapAlloc - before.HeapAlloc
	runtime.KeepAlive(config)
	runtime.KeepAlive(w)
	t.Logf("%d tenants: %v, %d MB", tenants, whole, held>>20)
	require.Less(t, held, uint64(tenants)*100<<10, "100 KB for each tenant: 500 MB for 5,000")

	// Each tenant has its three connections inside, and no tenant reaches another.
	inside, across := 0, 0
	l := c.list()
	for _, p := range l.parts {
		for _, from := range p.from {
			for _, to := range p.to {
				switch a, b := l.places[from].namespace, l.places[to].namespace; {
				case a == b && a != "kube-system":
					inside++
				case a != "kube-system" && b != "kube-system":
					across++
				}
			}
		}
	}
	require.Equal(t, 2*tenants, inside, "manager to postgres and to rabbitmq")
	require.Zero(t, across)
}

// A change costs the rows that it may touch: of its tenant, of those that its policies judge, of those that may call it.
func TestChangesCostWhatTheyTouch(t *testing.T) {
	const tenants = 100
	config := tenantConfig(tenants)
	config.Objects = append(config.Objects, guardObjects()...)
	w, err := New(config)
	require.NoError(t, err)
	w.Connectivity()
	all := 2 * len(w.Endpoints())
	require.Equal(t, all, w.conn.work)
	changes := benchChanges()
	for name, most := range map[string]int{
		"policy":                     6,
		"policy_that_opens_all":      6,
		"namespace_label_unseen":     0,
		"namespace_label_seen":       3,
		"network_set_of_one_tenant":  1,
		"network_set_of_one_guard":   6,
		"tier_of_one_tenant":         6,
		"tier_of_all_tenants":        2 * 3 * tenants,
		"workload":                   5,
		"workload_that_all_may_call": 2 + 3*tenants,
	} {
		for _, change := range changes[name] {
			w.Apply(change)
			require.LessOrEqual(t, w.conn.work, most, name)
			require.Equal(t, 0, work(w, change), "%s: nothing is left to do", name)
		}
	}
}

// work is what a change costs in a world.
func work(w *World, change Change) int {
	before := w.conn
	if after := w.With(change).conn; after != before {
		return after.work
	}
	return 0
}
