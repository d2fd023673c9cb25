package controlplane

import (
	"fmt"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// aggregated is a control plane with Calico's own API server, and a client of it.
// The tests on it are facts that the daemon relies on.
type aggregated struct {
	*ControlPlane
	dynamic dynamic.Interface
}

func startAggregated(t *testing.T, env ...string) aggregated {
	t.Helper()
	begun := time.Now()
	p := start(t, Config{Calico: CalicoAggregated, Env: env})
	t.Logf("ready after %s", time.Since(begun).Round(time.Millisecond))
	return aggregated{p, dynamicClient(t, p.REST())}
}

func dynamicClient(t *testing.T, c *rest.Config) dynamic.Interface {
	t.Helper()
	c.WarningHandler = rest.NoWarnings{}
	d, err := dynamic.NewForConfig(c)
	require.NoError(t, err)
	return d
}

// in returns the client of a resource of projectcalico.org/v3, in the namespace
// default if it has namespaces.
func in(d dynamic.Interface, resource string) dynamic.ResourceInterface {
	switch resource {
	case "networkpolicies", "networksets", "stagednetworkpolicies", "stagedkubernetesnetworkpolicies":
		return d.Resource(v3(resource)).Namespace("default")
	default:
		return d.Resource(v3(resource))
	}
}

func (a aggregated) in(resource string) dynamic.ResourceInterface { return in(a.dynamic, resource) }

// apply applies as the daemon does.
func (a aggregated) apply(t *testing.T, resource string, o *unstructured.Unstructured, dryRun ...string) (*unstructured.Unstructured, error) {
	t.Helper()
	return a.in(resource).Apply(t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "ringfence", Force: true, DryRun: dryRun})
}

func (a aggregated) applied(t *testing.T, resource string, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	got, err := a.apply(t, resource, o)
	require.NoError(t, err)
	return got
}

// policy is a NetworkPolicy with these fields over a plain spec.
func policy(name string, fields map[string]any) *unstructured.Unstructured {
	spec := map[string]any{"tier": "default", "types": []any{"Ingress"}}
	maps.Copy(spec, fields)
	return object("NetworkPolicy", name, spec)
}

// rules is a list of one rule.
func rules(rule map[string]any) []any { return []any{rule} }

func status(t *testing.T, err error) metav1.Status {
	t.Helper()
	var s apierrors.APIStatus
	require.ErrorAs(t, err, &s)
	return s.Status()
}

func TestAggregated(t *testing.T) {
	a := startAggregated(t)
	t.Run("is small", func(t *testing.T) { testMemory(t, a.CalicoPid()) })
	t.Run("has the tiers that Calico makes", func(t *testing.T) { testTiers(t, a.dynamic) })
	t.Run("keeps every guarded kind", func(t *testing.T) { testKeepsKinds(t, a) })
	t.Run("adds fields of its own", func(t *testing.T) { testAdds(t, a) })
	t.Run("stores what it shows under another name and uid", func(t *testing.T) { testStores(t, a) })
	t.Run("knows a policy by one spelling", func(t *testing.T) { testSpellings(t, a) })
	t.Run("moves on an unchanged apply", func(t *testing.T) { testMoves(t, a) })
	t.Run("keeps types that nobody writes", func(t *testing.T) { testSticky(t, a) })
	t.Run("validates nothing in a dry run", func(t *testing.T) { testDryRun(t, a) })
	t.Run("says 500 for what it refuses", func(t *testing.T) { testRefusals(t, a) })
	t.Run("loses writes and says 200", func(t *testing.T) { testLoses(t, a) })
	t.Run("watches in its own way", func(t *testing.T) { testWatches(t, a) })
	t.Run("lists what the caller may see", func(t *testing.T) { testVisibility(t, a) })
	t.Run("goes down and comes back", func(t *testing.T) { testOutage(t, a) })
}

// guarded are the guarded kinds of Calico, with a spec and a change of it.
var guarded = []struct {
	resource, kind string
	spec, change   map[string]any
}{
	{"tiers", "Tier", map[string]any{"order": int64(700)}, map[string]any{"order": int64(701)}},
	{"networkpolicies", "NetworkPolicy", map[string]any{"types": []any{"Ingress"}}, map[string]any{"types": []any{"Ingress"}, "order": int64(1)}},
	{"globalnetworkpolicies", "GlobalNetworkPolicy", map[string]any{"types": []any{"Egress"}}, map[string]any{"types": []any{"Egress"}, "order": int64(1)}},
	{"networksets", "NetworkSet", map[string]any{"nets": []any{"10.0.0.0/8"}}, map[string]any{"nets": []any{"10.0.0.0/9"}}},
	{"globalnetworksets", "GlobalNetworkSet", map[string]any{"nets": []any{"10.0.0.0/8"}}, map[string]any{"nets": []any{"10.0.0.0/9"}}},
	{"stagednetworkpolicies", "StagedNetworkPolicy", map[string]any{"types": []any{"Ingress"}}, map[string]any{"types": []any{"Ingress"}, "order": int64(1)}},
	{"stagedglobalnetworkpolicies", "StagedGlobalNetworkPolicy", map[string]any{"types": []any{"Egress"}}, map[string]any{"types": []any{"Egress"}, "order": int64(1)}},
	{
		"stagedkubernetesnetworkpolicies", "StagedKubernetesNetworkPolicy",
		map[string]any{"policyTypes": []any{"Ingress"}},
		map[string]any{"policyTypes": []any{"Egress"}},
	},
}

func testKeepsKinds(t *testing.T, a aggregated) {
	for _, kind := range guarded {
		created := a.applied(t, kind.resource, object(kind.kind, "kept", kind.spec))
		assert.Equal(t, "kept", created.GetName(), kind.kind)
		changed := a.applied(t, kind.resource, object(kind.kind, "kept", kind.change))
		assert.NotEqual(t, created.GetResourceVersion(), changed.GetResourceVersion(), kind.kind)
		for field, want := range kind.change {
			assert.Equal(t, want, changed.Object["spec"].(map[string]any)[field], "%s %s", kind.kind, field)
		}
		got, err := a.in(kind.resource).Get(t.Context(), "kept", metav1.GetOptions{})
		require.NoError(t, err, kind.kind)
		assert.Equal(t, changed.Object, got.Object, kind.kind)
		list, err := a.in(kind.resource).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		var names []string
		for _, o := range list.Items {
			names = append(names, o.GetName())
		}
		assert.Contains(t, names, "kept", kind.kind)
		uid := changed.GetUID()
		require.NoError(t, a.in(kind.resource).Delete(t.Context(), "kept", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}), kind.kind)
		_, err = a.in(kind.resource).Get(t.Context(), "kept", metav1.GetOptions{})
		assert.True(t, apierrors.IsNotFound(err), "%s: %v", kind.kind, err)
	}
}

// TestCalicoOfAFolder: what is stored survives a stop, and a folder may go from
// one way to the other.
func TestCalicoOfAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	a := aggregated{ControlPlane: start(t, Config{Dir: dir, Calico: CalicoAggregated})}
	a.dynamic = dynamicClient(t, a.REST())
	first := a.applied(t, "networkpolicies", policy("kept", nil))
	require.NoError(t, a.Stop())
	require.Zero(t, a.CalicoPid())
	require.ErrorContains(t, a.StartCalico(t.Context()), "the control plane was stopped")

	again := start(t, Config{Dir: dir, Calico: CalicoAggregated})
	got, err := a.in("networkpolicies").Get(t.Context(), "kept", metav1.GetOptions{})
	require.NoError(t, err, "the old client")
	assert.Equal(t, first.GetResourceVersion(), got.GetResourceVersion())
	require.NoError(t, again.Stop())

	native := start(t, Config{Dir: dir, Calico: CalicoCRD})
	testTiers(t, a.dynamic)
	_, err = a.in("networkpolicies").Get(t.Context(), "kept", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "another store: %v", err)
	require.ErrorIs(t, native.StartCalico(t.Context()), errNoCalicoServer)
	require.ErrorIs(t, native.KillCalico(), errNoCalicoServer)
	require.NoError(t, native.Stop())

	start(t, Config{Dir: dir, Calico: CalicoAggregated})
	got, err = a.in("networkpolicies").Get(t.Context(), "kept", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, first.GetUID(), got.GetUID())
}

// TestAggregatedIsLimited: the server's own client sends 50 requests each second
// of a kind, as it does on real clusters, whoever asks how fast.
func TestAggregatedIsLimited(t *testing.T) {
	a := startAggregated(t, "CALICO_K8SCLIENTQPS=50")
	const policies = 150 // the first 100 requests or so are in the burst
	begun := time.Now()
	for i := range policies {
		a.applied(t, "networkpolicies", policy(fmt.Sprintf("limited-%d", i), nil))
	}
	took := time.Since(begun)
	t.Logf("%d policies in %s: %.0f each second", policies, took.Round(time.Millisecond), policies/took.Seconds())
	assert.Less(t, policies/took.Seconds(), 50.0, "several requests for each policy")
}
