package controlplane

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

func v3(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "projectcalico.org", Version: "v3", Resource: resource}
}

func v1(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "crd.projectcalico.org", Version: "v1", Resource: resource}
}

func object(kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "projectcalico.org/v3", "kind": kind,
		"metadata": map[string]any{"name": name}, "spec": spec,
	}}
}

// TestCalico checks what Config.Calico adds, and kubectl, on one control plane.
func TestCalico(t *testing.T) {
	begun := time.Now()
	p := start(t, Config{Calico: CalicoCRD})
	t.Logf("ready after %s", time.Since(begun).Round(time.Millisecond))
	d, err := dynamic.NewForConfig(p.REST())
	require.NoError(t, err)

	t.Run("is small", func(t *testing.T) { testMemory(t, p.Pid()) })
	t.Run("serves both groups", func(t *testing.T) { testServesBoth(t, p) })
	t.Run("has the tiers that Calico makes", func(t *testing.T) { testTiers(t, d) })
	t.Run("accepts policy", func(t *testing.T) { testAcceptsPolicy(t, d) })
	t.Run("refuses what the schema does not know", func(t *testing.T) { testRefuses(t, d) })
	t.Run("collects from the first moment", func(t *testing.T) { testCollectsCalico(t, d) })
	t.Run("answers as kubectl", func(t *testing.T) { testKubectl(t, p) })
	t.Run("takes the operator's definitions", func(t *testing.T) { testOperator(t, p) })
	t.Run("stays small with twice the definitions", func(t *testing.T) { testMemory(t, p.Pid()) })
}

func testServesBoth(t *testing.T, p *ControlPlane) {
	for gv, want := range map[string][]string{
		"crd.projectcalico.org/v1": {"networkpolicies", "globalnetworkpolicies", "tiers", "felixconfigurations", "ippools", "ipamblocks"},
		"projectcalico.org/v3": {
			"networkpolicies", "globalnetworkpolicies", "tiers", "networksets", "globalnetworksets",
			"stagednetworkpolicies", "stagedglobalnetworkpolicies", "stagedkubernetesnetworkpolicies",
			"ippools", "hostendpoints", "felixconfigurations", "bgpconfigurations", "kubecontrollersconfigurations",
		},
		"policy.networking.k8s.io/v1alpha1": {"adminnetworkpolicies", "baselineadminnetworkpolicies"},
	} {
		list, err := client(t, p.REST()).Discovery().ServerResourcesForGroupVersion(gv)
		require.NoError(t, err, gv)
		var names []string
		for _, r := range list.APIResources {
			names = append(names, r.Name)
		}
		assert.Subset(t, names, want, gv)
	}
}

func testTiers(t *testing.T, d dynamic.Interface) {
	list, err := d.Resource(v3("tiers")).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	got := map[string]any{}
	for _, o := range list.Items {
		got[o.GetName()] = o.Object["spec"]
	}
	assert.Equal(t, map[string]any{
		"adminnetworkpolicy":         map[string]any{"order": int64(1_000), "defaultAction": "Pass"},
		"default":                    map[string]any{"order": int64(1_000_000), "defaultAction": "Deny"},
		"baselineadminnetworkpolicy": map[string]any{"order": int64(10_000_000), "defaultAction": "Pass"},
	}, got)
}

func testAcceptsPolicy(t *testing.T, d dynamic.Interface) {
	tier := object("Tier", "ringfence", map[string]any{"order": int64(500), "defaultAction": "Pass"})
	_, err := d.Resource(v3("tiers")).Create(t.Context(), tier, metav1.CreateOptions{FieldValidation: "Strict"})
	require.NoError(t, err)
	policy := object("NetworkPolicy", "ringfence.own", map[string]any{
		"tier": "ringfence", "order": int64(100), "types": []any{"Ingress"},
		"ingress": []any{map[string]any{"action": "Pass", "source": map[string]any{"namespaceSelector": "projectcalico.org/name == 'default'"}}},
	})
	got, err := d.Resource(v3("networkpolicies")).Namespace("default").Apply(t.Context(), policy.GetName(), policy, metav1.ApplyOptions{FieldManager: "ringfence", Force: true})
	require.NoError(t, err)
	assert.Equal(t, policy.Object["spec"], got.Object["spec"])
}

func testRefuses(t *testing.T, d dynamic.Interface) {
	unknown := object("NetworkPolicy", "unknown", map[string]any{"selectors": "all()"})
	_, err := d.Resource(v3("networkpolicies")).Namespace("default").Create(t.Context(), unknown, metav1.CreateOptions{FieldValidation: "Strict"})
	require.True(t, apierrors.IsBadRequest(err), "%v", err)
	assert.ErrorContains(t, err, `unknown field "spec.selectors"`)

	wrong := object("Tier", "wrong", map[string]any{"defaultAction": "Allow"})
	_, err = d.Resource(v3("tiers")).Create(t.Context(), wrong, metav1.CreateOptions{})
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	assert.ErrorContains(t, err, "defaultAction")
}

func testCollectsCalico(t *testing.T, d dynamic.Interface) {
	sets := d.Resource(v3("globalnetworksets"))
	owner, err := sets.Create(t.Context(), object("GlobalNetworkSet", "owner", map[string]any{}), metav1.CreateOptions{})
	require.NoError(t, err)
	owned := object("GlobalNetworkSet", "owned", map[string]any{})
	owned.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "projectcalico.org/v3", Kind: "GlobalNetworkSet", Name: "owner", UID: owner.GetUID()}})
	_, err = sets.Create(t.Context(), owned, metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, sets.Delete(t.Context(), "owner", metav1.DeleteOptions{}))
	eventually(t, func() bool {
		_, err := sets.Get(t.Context(), "owned", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, "an object follows its owner")
}
