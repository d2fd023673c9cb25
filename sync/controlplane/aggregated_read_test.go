package controlplane

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// event returns the next one of w, or fails.
func event(t *testing.T, w watch.Interface) (watch.Event, bool) {
	t.Helper()
	select {
	case e, ok := <-w.ResultChan():
		return e, ok
	case <-time.After(patience):
		t.Fatal("no event")
		return watch.Event{}, false
	}
}

func testWatches(t *testing.T, a aggregated) {
	list, err := a.in("networkpolicies").List(t.Context(), metav1.ListOptions{Limit: 1})
	require.NoError(t, err)
	require.Greater(t, len(list.Items), 1, "a limit is ignored")
	assert.Empty(t, list.GetContinue())

	watching := func(o metav1.ListOptions) watch.Interface {
		o.AllowWatchBookmarks = true
		w, err := a.in("networkpolicies").Watch(t.Context(), o)
		require.NoError(t, err)
		t.Cleanup(w.Stop)
		return w
	}
	a.applied(t, "networkpolicies", policy("watched", nil))
	all := watching(metav1.ListOptions{ResourceVersion: a.applied(t, "networkpolicies", policy("watched", map[string]any{"order": int64(1)})).GetResourceVersion()})
	updated := a.applied(t, "networkpolicies", policy("watched", map[string]any{"order": int64(2)}))
	e, ok := event(t, all)
	require.True(t, ok)
	assert.Equal(t, watch.Added, e.Type, "an update of what exists")
	got, err := metaOf(e)
	require.NoError(t, err)
	assert.Equal(t, updated.GetResourceVersion(), got.GetResourceVersion())

	require.NoError(t, a.in("networkpolicies").Delete(t.Context(), "watched", metav1.DeleteOptions{}))
	e, ok = event(t, all)
	require.True(t, ok)
	assert.Equal(t, watch.Deleted, e.Type)

	a.applied(t, "tiers", object("Tier", "ends-watches", map[string]any{"order": int64(5)}))
	_, ok = event(t, all)
	assert.False(t, ok, "the write of any tier ends every watch of policies, in order")

	old := watching(metav1.ListOptions{ResourceVersion: "1"})
	e, ok = event(t, old)
	require.True(t, ok)
	assert.Equal(t, watch.Error, e.Type)
	err = apierrors.FromObject(e.Object)
	assert.Zero(t, status(t, err).Code)
	assert.Equal(t, metav1.StatusReasonInternalError, status(t, err).Reason)
	assert.ErrorContains(t, err, "too old resource version")
	assert.False(t, apierrors.IsResourceExpired(err) || apierrors.IsGone(err), "nothing tells a client to list again")

	yes := true
	_, err = a.in("networkpolicies").Watch(t.Context(), metav1.ListOptions{SendInitialEvents: &yes, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, AllowWatchBookmarks: true})
	assert.True(t, apierrors.IsInvalid(err), "streamed lists are refused: %v", err)
}

func metaOf(e watch.Event) (metav1.Object, error) {
	o, ok := e.Object.(metav1.Object)
	if !ok {
		return nil, apierrors.FromObject(e.Object)
	}
	return o, nil
}

func testVisibility(t *testing.T, a aggregated) {
	a.applied(t, "tiers", object("Tier", "hidden", map[string]any{"order": int64(300)}))
	a.applied(t, "networkpolicies", policy("hidden.p", map[string]any{"tier": "hidden"}))
	a.applied(t, "networkpolicies", policy("seen", nil))
	k := client(t, a.REST())
	for name, rules := range map[string][]rbacv1.PolicyRule{
		"no-tier": {{APIGroups: []string{"projectcalico.org"}, Resources: []string{"networkpolicies"}, Verbs: []string{"*"}}},
		"one-tier": {
			{APIGroups: []string{"projectcalico.org"}, Resources: []string{"networkpolicies"}, Verbs: []string{"*"}},
			{APIGroups: []string{"projectcalico.org"}, Resources: []string{"tiers"}, ResourceNames: []string{"default"}, Verbs: []string{"get"}},
			{APIGroups: []string{"projectcalico.org"}, Resources: []string{"tier.networkpolicies"}, ResourceNames: []string{"default.*"}, Verbs: []string{"*"}},
		},
	} {
		meta := metav1.ObjectMeta{Name: "calico-" + name}
		_, err := k.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
		require.NoError(t, err)
		_, err = k.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	as := func(name string) rest.ImpersonationConfig { return rest.ImpersonationConfig{UserName: name} }
	c := a.REST()
	c.Impersonate = as("no-tier")
	none := in(dynamicClient(t, c), "networkpolicies")
	c.Impersonate = as("one-tier")
	one := in(dynamicClient(t, c), "networkpolicies")

	var names []string
	eventually(t, func() bool {
		list, err := one.List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return false
		}
		for _, o := range list.Items {
			names = append(names, o.GetName())
		}
		return true
	}, "delegated authorization learns of the role")
	assert.Contains(t, names, "seen")
	assert.NotContains(t, names, "hidden.p", "200, and no word of what is not there")
	_, err := one.Get(t.Context(), "hidden.p", metav1.GetOptions{})
	assert.True(t, apierrors.IsForbidden(err), "%v", err)
	_, err = none.List(t.Context(), metav1.ListOptions{})
	assert.True(t, apierrors.IsForbidden(err), "%v", err)

	// A policy whose tier is gone is hidden from whoever may see everything.
	tiers := a.dynamic.Resource(v1("tiers"))
	require.NoError(t, tiers.Delete(t.Context(), "hidden", metav1.DeleteOptions{}))
	eventually(t, func() bool {
		list, err := a.in("networkpolicies").List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		return !slices.ContainsFunc(list.Items, func(o unstructured.Unstructured) bool { return o.GetName() == "hidden.p" })
	}, "it is no longer listed")
	_, err = a.in("networkpolicies").Get(t.Context(), "hidden.p", metav1.GetOptions{})
	require.NoError(t, err, "and still there")
}

func testOutage(t *testing.T, a aggregated) {
	a.applied(t, "networkpolicies", policy("kept", nil))
	port, err := os.ReadFile(filepath.Join(a.Dir(), "calico", "port"))
	require.NoError(t, err)
	w, err := a.in("networkpolicies").Watch(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	defer w.Stop()
	require.NoError(t, a.KillCalico())
	assert.Zero(t, a.CalicoPid())
	begun := time.Now()
	_, err = a.in("networkpolicies").Get(t.Context(), "kept", metav1.GetOptions{})
	assert.True(t, apierrors.IsServiceUnavailable(err), "%v", err)

	d := client(t, a.REST()).Discovery()
	eventually(t, func() bool {
		_, _, err := d.ServerGroupsAndResources()
		return discovery.IsGroupDiscoveryFailedError(err)
	}, "discovery says that the group is stale")
	t.Logf("stale after %s", time.Since(begun).Round(time.Millisecond))
	groups, err := d.ServerGroups()
	require.NoError(t, err)
	var named []string
	for _, g := range groups.Groups {
		named = append(named, g.Name)
	}
	assert.Contains(t, named, "projectcalico.org", "it is still listed")
	var code int
	_ = client(t, a.REST()).Discovery().RESTClient().Get().AbsPath("/apis/projectcalico.org/v3").Do(t.Context()).StatusCode(&code)
	assert.Equal(t, http.StatusServiceUnavailable, code)
	stored, err := a.dynamic.Resource(v1("networkpolicies")).Namespace("default").Get(t.Context(), "default.kept", metav1.GetOptions{})
	require.NoError(t, err, "the storage goes on")
	assert.Equal(t, "default.kept", stored.GetName())

	begun = time.Now()
	require.NoError(t, a.StartCalico(t.Context()))
	require.NoError(t, a.StartCalico(t.Context()), "once more changes nothing")
	t.Logf("back after %s", time.Since(begun).Round(time.Millisecond))
	again, err := os.ReadFile(filepath.Join(a.Dir(), "calico", "port"))
	require.NoError(t, err)
	assert.Equal(t, port, again)
	_, err = a.in("networkpolicies").Get(t.Context(), "kept", metav1.GetOptions{})
	require.NoError(t, err)
}
