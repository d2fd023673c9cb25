package main

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sync/controlplane"
)

// full says that tests with large numbers run in full, as they do by hand before
// an issue is resolved; otherwise they run at a tenth.
func full() bool { return os.Getenv("RINGFENCE_SCALE") == "full" }

// scale returns n in full, or a tenth of it.
func scale(n int) int {
	if full() {
		return n
	}
	return max(1, n/10)
}

// A commit that touches one tenant costs the same number of requests whatever
// the number of tenants.
func TestRequestsDoNotGrowWithTenants(t *testing.T) {
	var counts []int
	for _, tenants := range []int{scale(100), scale(1000)} {
		plane, err := controlplane.Start(t.Context(), controlplane.Config{Log: io.Discard})
		require.NoError(t, err)
		t.Cleanup(func() { _ = plane.Stop() })
		r := startRunning(t, plane, tenants, 3)
		r.await(r.head())
		before := r.settle()
		r.await(r.pushOne(9000))
		counts = append(counts, r.settle()-before)
		t.Logf("%d tenants: %d requests for a commit that adds one policy to one tenant", tenants, counts[len(counts)-1])
	}
	require.Equal(t, counts[0], counts[1])
	require.LessOrEqual(t, counts[0], 6, "the policy, the state twice, an Event, and little else")
}
