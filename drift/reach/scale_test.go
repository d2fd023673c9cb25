package reach

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The size that the design promises: 5,000 tenants with three workloads and five policies each. Under a tenth of it
// without RINGFENCE_SCALE=full, with the same limits per tenant and none on time, since other tests share the machine.
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
	t.Logf("%d tenants: %v, %d MB", tenants, whole, held>>20)
	require.Less(t, held, uint64(tenants)*100<<10, "100 KB for each tenant: 500 MB for 5,000")

	// Each tenant has its three connections inside, and no tenant reaches another.
	inside, across := 0, 0
	for _, p := range c.parts {
		for _, from := range p.from {
			for _, to := range p.to {
				switch a, b := c.places[from].namespace, c.places[to].namespace; {
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

	start = time.Now()
	w.Apply(Change{Object: config.Objects[len(config.Objects)-1], Removed: true})
	changed := time.Since(start)
	t.Logf("one changed policy: %v", changed)
	if full {
		require.Less(t, whole, 3*time.Second)
		require.Less(t, changed, 20*time.Millisecond)
	}
}
