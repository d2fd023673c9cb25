package controlplane

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

func testAdds(t *testing.T, a aggregated) {
	sent := object("NetworkPolicy", "added", map[string]any{
		"ingress": rules(map[string]any{"action": "Allow", "protocol": "17"}),
		"egress":  rules(map[string]any{"action": "Deny", "destination": map[string]any{"nets": []any{"2001:DB8::/32"}}}),
	})
	got := a.applied(t, "networkpolicies", sent)
	assert.Equal(t, map[string]any{
		"tier": "default", "types": []any{"Ingress", "Egress"},
		"ingress": rules(map[string]any{"action": "Allow", "protocol": int64(17), "source": map[string]any{}, "destination": map[string]any{}}),
		"egress":  rules(map[string]any{"action": "Deny", "source": map[string]any{}, "destination": map[string]any{"nets": []any{"2001:DB8::/32"}}}),
	}, got.Object["spec"])
	assert.Equal(t, map[string]string{"projectcalico.org/tier": "default"}, got.GetLabels())
	assert.Zero(t, got.GetGeneration())

	tier := a.applied(t, "tiers", object("Tier", "added", map[string]any{}))
	assert.Equal(t, map[string]any{"order": int64(1_000_000), "defaultAction": "Deny"}, tier.Object["spec"])
	set := a.applied(t, "networksets", object("NetworkSet", "added", map[string]any{"nets": []any{}}))
	assert.Equal(t, map[string]any{}, set.Object["spec"], "an empty list is not kept")
}

func testStores(t *testing.T, a aggregated) {
	shown := a.applied(t, "networkpolicies", policy("stored", nil))
	stored, err := a.dynamic.Resource(v1("networkpolicies")).
		Namespace("default").Get(t.Context(), "default.stored", metav1.GetOptions{})
	require.NoError(t, err)
	assert.NotEqual(t, shown.GetUID(), stored.GetUID())
	assert.Equal(t, shown.GetResourceVersion(), stored.GetResourceVersion())
	assert.Contains(t, stored.GetAnnotations(), "projectcalico.org/metadata")
	require.Len(t, shown.GetManagedFields(), 1)
	assert.Equal(t, "ringfence", shown.GetManagedFields()[0].Manager)
	require.Len(t, stored.GetManagedFields(), 1)
	assert.NotEqual(t, "ringfence", stored.GetManagedFields()[0].Manager)
}

func testSpellings(t *testing.T, a aggregated) {
	a.applied(t, "tiers", object("Tier", "security", map[string]any{"order": int64(100)}))
	a.applied(t, "networkpolicies", policy("plain", nil))
	a.applied(t, "networkpolicies", policy("default.prefixed", nil))
	a.applied(t, "networkpolicies", policy("security.tiered", map[string]any{"tier": "security"}))
	for _, name := range []string{"plain", "default.prefixed", "security.tiered"} {
		got, err := a.in("networkpolicies").Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		assert.Equal(t, name, got.GetName())
	}
	for _, other := range []string{"default.plain", "prefixed"} {
		_, err := a.in("networkpolicies").Get(t.Context(), other, metav1.GetOptions{})
		s := status(t, err)
		assert.Equal(t, int32(500), s.Code, "the other spelling of what exists")
		assert.Empty(t, s.Reason)
		assert.Contains(t, s.Message, "resource not found NetworkPolicy(default/"+other+")")
		_, err = a.apply(t, "networkpolicies", policy(other, nil))
		assert.Equal(t, int32(500), status(t, err).Code)
	}
	_, err := a.in("networkpolicies").Get(t.Context(), "absent", metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), "%v", err)
}

func testMoves(t *testing.T, a aggregated) {
	whole := map[string]any{"source": map[string]any{}, "destination": map[string]any{}, "action": "Allow"}
	apply := func(name string, rule map[string]any) string {
		return a.applied(t, "networkpolicies", policy(name, map[string]any{"ingress": rules(rule)})).GetResourceVersion()
	}
	first, second := apply("bare", map[string]any{"action": "Allow"}), apply("whole", whole)
	time.Sleep(1100 * time.Millisecond) // the time of a manager's entry is in seconds
	assert.NotEqual(t, first, apply("bare", map[string]any{"action": "Allow"}), "without source and destination")
	assert.Equal(t, second, apply("whole", whole), "with both")
}

func testSticky(t *testing.T, a aggregated) {
	allow := rules(map[string]any{"action": "Allow"})
	a.applied(t, "networkpolicies", object("NetworkPolicy", "sticky", map[string]any{"ingress": allow}))
	got := a.applied(t, "networkpolicies", object("NetworkPolicy", "sticky", map[string]any{"ingress": allow, "egress": allow}))
	types, _, err := unstructured.NestedStringSlice(got.Object, "spec", "types")
	require.NoError(t, err)
	assert.Equal(t, []string{"Ingress"}, types, "the egress rule is not enforced")
}

func testDryRun(t *testing.T, a aggregated) {
	for _, o := range []*unstructured.Unstructured{
		policy("dry", map[string]any{"selector": "app = 'x'"}),
		policy("dry", map[string]any{"ingress": rules(map[string]any{"action": "Permit"})}),
		policy("absent.dry", map[string]any{"tier": "absent"}),
		policy("dry", map[string]any{"tier": "security"}),
		policy("a.b.c", nil),
	} {
		_, err := a.apply(t, "networkpolicies", o, metav1.DryRunAll)
		require.NoError(t, err, "%v", o)
		_, err = a.apply(t, "networkpolicies", o)
		require.Error(t, err, "%v", o)
	}
	got, err := a.apply(t, "networkpolicies", object("NetworkPolicy", "dry", map[string]any{}), metav1.DryRunAll)
	require.NoError(t, err)
	assert.NotContains(t, got.Object["spec"], "types", "nothing is filled in either")
	_, err = a.apply(t, "networkpolicies", policy("dry", map[string]any{"bogus": true}), metav1.DryRunAll)
	assert.ErrorContains(t, err, "field not declared in schema", "only the schema counts")
}

func testRefusals(t *testing.T, a aggregated) {
	bad := policy("refused", map[string]any{
		"selector": "app = 'x'",
		"ingress":  rules(map[string]any{"action": "Permit", "source": map[string]any{"nets": []any{"10.0.0.5/8"}}}),
	})
	_, err := a.in("networkpolicies").Create(t.Context(), bad, metav1.CreateOptions{})
	require.True(t, apierrors.IsInvalid(err), "POST: %v", err)
	assert.Greater(t, len(status(t, err).Details.Causes), 1, "all at once")
	for _, field := range []string{"Selector", "Action"} {
		assert.ErrorContains(t, err, field)
	}
	for what, o := range map[string]*unstructured.Unstructured{
		"with the following fields": bad,
		"Incorrectly formatted":     policy("bare", map[string]any{"tier": "security"}),
		"resource does not exist":   policy("absent.p", map[string]any{"tier": "absent"}),
		"field not declared":        policy("bogus", map[string]any{"bogus": true}),
	} {
		_, err := a.apply(t, "networkpolicies", o)
		s := status(t, err)
		assert.Equal(t, int32(500), s.Code, what)
		assert.Empty(t, s.Reason, what)
		assert.Contains(t, s.Message, what)
	}
	a.applied(t, "networkpolicies", policy("valid", nil))
	_, err = a.apply(t, "networkpolicies", policy("valid", map[string]any{"selector": "app = 'x'"}))
	require.True(t, apierrors.IsInvalid(err), "an update by apply: %v", err)
	for _, tier := range []string{"security", "default"} {
		err = a.in("tiers").Delete(t.Context(), tier, metav1.DeleteOptions{})
		assert.Equal(t, int32(500), status(t, err).Code, "a tier with policies, and Calico's own")
	}
}

// testLoses has writers fight over one policy until a write is answered with 200
// and an object that has no name, which is how a lost one looks.
func testLoses(t *testing.T, a aggregated) {
	a.applied(t, "networkpolicies", policy("fought", nil))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var writes, lost atomic.Int64
	var work sync.WaitGroup
	for writer := range 6 {
		work.Go(func() {
			for i := int64(0); ctx.Err() == nil && lost.Load() == 0; i++ {
				patch := fmt.Sprintf(`{"spec":{"order":%d}}`, i*6+int64(writer))
				got, err := a.in("networkpolicies").Patch(ctx, "fought", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
				if err != nil {
					continue // a conflict that is reported is none that is lost
				}
				writes.Add(1)
				if got.GetName() == "" {
					assert.Empty(t, got.GetResourceVersion())
					lost.Add(1)
				}
			}
		})
	}
	work.Wait()
	t.Logf("%d of %d writes that were answered with 200 are lost", lost.Load(), writes.Load())
	assert.Positive(t, lost.Load())
	got, err := a.in("networkpolicies").Get(t.Context(), "fought", metav1.GetOptions{})
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(got.GetName(), "fought"), "it still stands")
}
