package controlplane

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applymetav1 "k8s.io/client-go/applyconfigurations/meta/v1"
	applynetworkingv1 "k8s.io/client-go/applyconfigurations/networking/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// patience is for a machine that does other things as well.
const patience = time.Minute

func client(t *testing.T, c *rest.Config) kubernetes.Interface {
	t.Helper()
	k, err := kubernetes.NewForConfig(c)
	require.NoError(t, err)
	return k
}

// eventually waits for done, which may ask the API server.
func eventually(t *testing.T, done func() bool, what string) {
	t.Helper()
	require.Eventually(t, done, patience, 20*time.Millisecond, what)
}

func namespace(t *testing.T, k kubernetes.Interface, name string) {
	t.Helper()
	_, err := k.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// TestCluster checks what one control plane, without Calico, does as a
// Kubernetes cluster does it.
func TestCluster(t *testing.T) {
	begun := time.Now()
	p := start(t, Config{})
	t.Logf("ready after %s", time.Since(begun).Round(time.Millisecond))
	k := client(t, p.REST())

	t.Run("reports a real version", func(t *testing.T) {
		v, err := k.Discovery().ServerVersion()
		require.NoError(t, err)
		assert.Regexp(t, `^v1\.37\.\d+$`, v.GitVersion)
		assert.Equal(t, "1", v.Major)
		assert.Equal(t, "37", v.Minor)
	})
	t.Run("listens on the loopback interface", func(t *testing.T) {
		u, err := url.Parse(p.REST().Host)
		require.NoError(t, err)
		assert.Equal(t, "127.0.0.1", u.Hostname())
		assert.Negative(t, p.REST().QPS, "no limit on the client's side")
	})
	t.Run("serves nothing of Calico unasked", func(t *testing.T) {
		_, err := k.Discovery().ServerResourcesForGroupVersion("projectcalico.org/v3")
		assert.True(t, apierrors.IsNotFound(err), "%v", err)
	})
	t.Run("forbids what nobody allowed", func(t *testing.T) { testForbids(t, p, k) })
	t.Run("aggregates cluster roles", func(t *testing.T) { testAggregates(t, k) })
	t.Run("deletes a namespace with what it holds", func(t *testing.T) { testDeletesNamespace(t, k) })
	t.Run("collects what lost its owner", func(t *testing.T) { testCollects(t, k) })
	t.Run("fills the secret of a token", func(t *testing.T) { testTokenSecret(t, p, k) })
	t.Run("applies a network policy", func(t *testing.T) { testApplies(t, k) })
	t.Run("refuses a create in a namespace that ends or is not there", func(t *testing.T) {
		_, err := k.CoreV1().ConfigMaps("nowhere").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{})
		assert.True(t, apierrors.IsNotFound(err), "%v", err)
	})
}

func testForbids(t *testing.T, p *ControlPlane, k kubernetes.Interface) {
	impersonated := p.REST()
	impersonated.Impersonate = rest.ImpersonationConfig{UserName: "nobody-in-particular"}
	_, err := client(t, impersonated).CoreV1().Secrets("kube-system").List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)

	anonymous := rest.AnonymousClientConfig(p.REST())
	_, err = client(t, anonymous).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)

	namespace(t, k, "rbac")
	eventually(t, func() bool {
		_, err := k.CoreV1().ServiceAccounts("rbac").Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	}, "the default service account of a new namespace")
	token, err := k.CoreV1().ServiceAccounts("rbac").CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	byToken := rest.AnonymousClientConfig(p.REST())
	byToken.BearerToken = token.Status.Token
	account := client(t, byToken)
	_, err = account.CoreV1().ConfigMaps("rbac").List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)

	_, err = k.RbacV1().RoleBindings("rbac").Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "view"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "default", Namespace: "rbac"}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	eventually(t, func() bool {
		_, err := account.CoreV1().ConfigMaps("rbac").List(t.Context(), metav1.ListOptions{})
		return err == nil
	}, "what the role allows is allowed")
	_, err = account.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "only there: %v", err)
}

func testAggregates(t *testing.T, k kubernetes.Interface) {
	for _, name := range []string{"admin", "edit", "view"} {
		role, err := k.RbacV1().ClusterRoles().Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		assert.NotEmpty(t, role.Rules, "when Start returns, %s has its rules", name)
	}
	_, err := k.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "more", Labels: map[string]string{"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"example.com"}, Resources: []string{"things"}, Verbs: []string{"get"}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	eventually(t, func() bool {
		role, err := k.RbacV1().ClusterRoles().Get(t.Context(), "admin", metav1.GetOptions{})
		if err != nil {
			return false
		}
		for _, rule := range role.Rules {
			if len(rule.APIGroups) == 1 && rule.APIGroups[0] == "example.com" {
				return true
			}
		}
		return false
	}, "a rule that aggregates to view reaches admin")
}

func testDeletesNamespace(t *testing.T, k kubernetes.Interface) {
	namespace(t, k, "ending")
	_, err := k.CoreV1().ConfigMaps("ending").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = k.NetworkingV1().NetworkPolicies("ending").Create(t.Context(), &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "held", Finalizers: []string{"example.com/hold"}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, k.CoreV1().Namespaces().Delete(t.Context(), "ending", metav1.DeleteOptions{}))

	// A finalizer holds it back, as in any cluster; the rest is gone.
	eventually(t, func() bool {
		_, err := k.CoreV1().ConfigMaps("ending").Get(t.Context(), "a", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, "what nothing holds goes")
	ns, err := k.CoreV1().Namespaces().Get(t.Context(), "ending", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, corev1.NamespaceTerminating, ns.Status.Phase)
	_, err = k.CoreV1().ConfigMaps("ending").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "b"}}, metav1.CreateOptions{})
	assert.True(t, apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), "%v", err)

	// Without a precondition: the namespace's controller writes it too.
	_, err = k.NetworkingV1().NetworkPolicies("ending").Patch(t.Context(), "held", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	released := time.Now()
	eventually(t, func() bool {
		_, err := k.CoreV1().Namespaces().Get(t.Context(), "ending", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, "then the namespace goes too")
	t.Logf("gone %s after the last finalizer", time.Since(released).Round(time.Millisecond))
}

func testCollects(t *testing.T, k kubernetes.Interface) {
	maps := k.CoreV1().ConfigMaps("default")
	owner, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "owner"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name:            "owned",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, maps.Delete(t.Context(), owner.Name, metav1.DeleteOptions{}))
	eventually(t, func() bool {
		_, err := maps.Get(t.Context(), "owned", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, "an object follows its owner")
}

func testTokenSecret(t *testing.T, p *ControlPlane, k kubernetes.Interface) {
	_, err := k.CoreV1().Secrets("default").Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "token", Annotations: map[string]string{corev1.ServiceAccountNameKey: "default"}},
		Type:       corev1.SecretTypeServiceAccountToken,
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	var token string
	eventually(t, func() bool {
		s, err := k.CoreV1().Secrets("default").Get(t.Context(), "token", metav1.GetOptions{})
		if err == nil {
			token = string(s.Data[corev1.ServiceAccountTokenKey])
		}
		return token != ""
	}, "the secret gets its token")
	c := rest.AnonymousClientConfig(p.REST())
	c.BearerToken = token
	who, err := client(t, c).AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	require.NoError(t, err)
	assert.Equal(t, "system:serviceaccount:default:default", who.Status.UserInfo.Username)
}

func testApplies(t *testing.T, k kubernetes.Interface) {
	deny := applynetworkingv1.NetworkPolicy("deny-all", "default").WithSpec(applynetworkingv1.NetworkPolicySpec().
		WithPodSelector(applymetav1.LabelSelector()).
		WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress))
	apply := func(ctx context.Context) *networkingv1.NetworkPolicy {
		got, err := k.NetworkingV1().NetworkPolicies("default").Apply(ctx, deny, metav1.ApplyOptions{FieldManager: "ringfence", Force: true})
		require.NoError(t, err)
		return got
	}
	first := apply(t.Context())
	require.Len(t, first.ManagedFields, 1)
	assert.Equal(t, metav1.ManagedFieldsOperationApply, first.ManagedFields[0].Operation)
	assert.Equal(t, first.ResourceVersion, apply(t.Context()).ResourceVersion, "applying the same again writes nothing")
}
