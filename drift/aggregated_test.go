package drift

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

const watchedPolicy = `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: kept, namespace: default}, spec: {tier: default, types: [Ingress]}}`

// What Calico's own API server does differently is seen as what it is.
func TestClusterOnCalicosServer(t *testing.T) {
	plane := startPlane(t, controlplane.Config{Calico: controlplane.CalicoAggregated, Log: io.Discard})
	s := newSite(t, plane.REST())
	eventually(t, "synced", s.Synced)
	s.apply(t, watchedPolicy)
	kept := ID{Kind: calicoPolicies, Namespace: "default", Name: "kept"}
	eventually(t, "seen", func() bool { return s.Get(kept) != nil })

	t.Run("an update that comes as ADDED", func(t *testing.T) {
		answer := s.apply(t, strings.Replace(watchedPolicy, "types", "order: 7, types", 1))
		eventually(t, "the new one", func() bool { return s.Get(kept).GetResourceVersion() == answer.GetResourceVersion() })
	})
	t.Run("tiers that end watches", func(t *testing.T) { testTierStorm(t, s, kept) })
	t.Run("a tier that is hidden", func(t *testing.T) { testReallyHidden(t, plane) })
	t.Run("an outage", func(t *testing.T) { testCalicoAway(t, s, plane, kept) })
}

// testTierStorm writes a tier 50 times, each of which ends every watch of policies:
// nothing is lost, and what is asked meanwhile is bounded.
func testTierStorm(t *testing.T, s *site, kept ID) {
	var asked, lost atomic.Int64
	counts := fault(func(r *http.Request, _ http.RoundTripper) *http.Response {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "policies") {
			asked.Add(1)
		}
		return nil
	})
	s.fault.Store(&counts)
	defer s.fault.Store(nil)
	begun := time.Now()
	for i := range 50 {
		s.apply(t, fmt.Sprintf(`{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: storm}, spec: {order: %d}}`, i+1))
		if s.Get(kept) == nil {
			lost.Add(1)
		}
	}
	wrote := time.Since(begun)
	eventually(t, "all is seen again", s.Synced)
	time.Sleep(2 * tierPause)
	eventually(t, "all is seen again, and stays so", s.Synced)
	t.Logf("50 writes of a tier in %s: %d requests for policies until all was seen again, %s later", wrote.Round(time.Millisecond), asked.Load(), time.Since(begun).Round(time.Millisecond))
	assert.Zero(t, lost.Load())
	assert.Less(t, asked.Load(), int64(50*4*3), "no more than a list, a watch and a look for hidden tiers for each write and kind")
	s.apply(t, strings.Replace(watchedPolicy, "types", "order: 8, types", 1))
	eventually(t, "the watches work", func() bool {
		order, _ := s.Get(kept).Object["spec"].(map[string]any)["order"].(int64)
		return order == 8
	})
}

// testReallyHidden watches as somebody who may not see a tier: its policies are
// missing from every list, and the kinds are blind until he may.
func testReallyHidden(t *testing.T, plane *controlplane.ControlPlane) {
	admin, err := kubernetes.NewForConfig(plane.REST())
	require.NoError(t, err)
	grant := func(name string, rules ...rbacv1.PolicyRule) {
		meta := metav1.ObjectMeta{Name: name}
		_, err := admin.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
		require.NoError(t, err)
		_, err = admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "watcher"}},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	calico := func(names []string, resources ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{kinds.GroupCalico}, Resources: resources, ResourceNames: names, Verbs: []string{"get", "list", "watch"}}
	}
	tiered := []string{"tier.networkpolicies", "tier.globalnetworkpolicies", "tier.stagednetworkpolicies", "tier.stagedglobalnetworkpolicies"}
	grant("most",
		rbacv1.PolicyRule{APIGroups: []string{"", kinds.GroupKubernetes, kinds.GroupPolicy, kinds.GroupStored, "apiextensions.k8s.io", "apiregistration.k8s.io"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"}},
		calico(nil, "networkpolicies", "globalnetworkpolicies", "stagednetworkpolicies", "stagedglobalnetworkpolicies",
			"stagedkubernetesnetworkpolicies", "networksets", "globalnetworksets"),
		rbacv1.PolicyRule{APIGroups: []string{kinds.GroupCalico}, Resources: []string{"tiers"}, Verbs: []string{"list", "watch"}},
		calico([]string{"default", "adminnetworkpolicy", "baselineadminnetworkpolicy", "storm"}, "tiers"),
		calico([]string{"default.*", "adminnetworkpolicy.*", "baselineadminnetworkpolicy.*", "storm.*"}, tiered...),
	)
	config := plane.REST()
	config.Impersonate = rest.ImpersonationConfig{UserName: "watcher", Groups: []string{"system:authenticated"}}
	watcher := newSite(t, config)
	eventually(t, "all that there is may be seen", watcher.Synced)

	writer := prepareSite(t, plane.REST())
	writer.apply(t, `{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: secret}, spec: {order: 5}}`)
	writer.apply(t, `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: secret.p, namespace: default}, spec: {tier: secret, types: [Ingress]}}`)
	eventually(t, "blind", func() bool { return len(watcher.Blind()) == 4 })
	for _, reason := range watcher.Blind() {
		assert.Contains(t, reason, "the policies of the tier secret are hidden")
	}
	hidden := ID{Kind: calicoPolicies, Namespace: "default", Name: "secret.p"}
	assert.Nil(t, watcher.Get(hidden), "200, and no word of it")

	grant("rest", calico([]string{"secret"}, "tiers"), calico([]string{"secret.*"}, tiered...))
	begun := time.Now()
	eventuallyWithin(t, time.Minute, "sees it", func() bool { return watcher.Synced() && watcher.Get(hidden) != nil })
	t.Logf("seen %s after it was allowed", time.Since(begun).Round(time.Millisecond))

	// Once more, while it is seen: it must be unknown before it is gone.
	require.NoError(t, admin.RbacV1().ClusterRoleBindings().Delete(t.Context(), "rest", metav1.DeleteOptions{}))
	begun = time.Now()
	order := 0
	eventuallyWithin(t, time.Minute, "blind again", func() bool {
		order++
		writer.apply(t, fmt.Sprintf(`{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: storm}, spec: {order: %d}}`, 100+order))
		for range 20 {
			if before := watcher.Synced(); watcher.Get(hidden) == nil && before && watcher.Synced() {
				assert.Fail(t, "it is called gone, and is only hidden")
			}
			time.Sleep(10 * time.Millisecond)
		}
		return slices.ContainsFunc(watcher.Blind(), func(reason string) bool { return strings.Contains(reason, "the tier secret are hidden") })
	})
	t.Logf("blind %s after it was forbidden", time.Since(begun).Round(time.Millisecond))
}

// testCalicoAway kills the server and waits until discovery no longer names what it
// serves: all of it is unknown, nothing is gone, and it comes back by itself.
func testCalicoAway(t *testing.T, s *site, plane *controlplane.ControlPlane, kept ID) {
	require.NoError(t, plane.KillCalico())
	eventually(t, "blind", func() bool { return len(s.Blind()) == 8 })
	client, err := kubernetes.NewForConfig(plane.REST())
	require.NoError(t, err)
	eventuallyWithin(t, time.Minute, "discovery does not name the kinds", func() bool {
		_, lists, _ := client.Discovery().ServerGroupsAndResources()
		for _, list := range lists {
			if list.GroupVersion == kinds.GroupCalico+"/v3" {
				return false
			}
		}
		return true
	})
	for range 3 {
		s.rediscover()
		time.Sleep(500 * time.Millisecond)
		assert.Len(t, s.Blind(), 8)
		assert.True(t, s.Served(calicoPolicies), "not gone, only away")
		assert.NotNil(t, s.Get(kept))
	}
	begun := time.Now()
	require.NoError(t, plane.StartCalico(t.Context()))
	eventuallyWithin(t, time.Minute, "sees again", s.Synced)
	t.Logf("sees all %s after the start", time.Since(begun).Round(time.Millisecond))
	assert.NotNil(t, s.Get(kept))
}

func eventuallyWithin(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, limit, 20*time.Millisecond, what)
}
