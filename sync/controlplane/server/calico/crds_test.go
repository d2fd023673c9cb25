package calico

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// byName returns all definitions by their names.
func byName(t *testing.T) map[string]*apiextensions.CustomResourceDefinition {
	t.Helper()
	published, public, err := CRDs(Native)
	require.NoError(t, err)
	all := map[string]*apiextensions.CustomResourceDefinition{}
	for _, crd := range append(published, public...) {
		require.NotContains(t, all, crd.Name, "each definition comes once")
		all[crd.Name] = crd
	}
	return all
}

func TestPublicHasTheSchemasOfTheStorage(t *testing.T) {
	all := byName(t)
	for plural, as := range shown {
		v1 := all[plural+".crd.projectcalico.org"]
		require.NotNil(t, v1, plural)
		if as.plural == "" {
			as.plural, as.kind = plural, v1.Spec.Names.Kind
		}
		v3 := all[as.plural+".projectcalico.org"]
		require.NotNil(t, v3, plural)
		assert.Equal(t, "projectcalico.org", v3.Spec.Group)
		assert.Equal(t, as.kind, v3.Spec.Names.Kind)
		assert.Equal(t, as.kind+"List", v3.Spec.Names.ListKind)
		assert.Equal(t, as.short, v3.Spec.Names.ShortNames)
		assert.Equal(t, v1.Spec.Scope, v3.Spec.Scope)
		require.Len(t, v3.Spec.Versions, 1)
		assert.Equal(t, "v3", v3.Spec.Versions[0].Name)
		assert.True(t, v3.Spec.Versions[0].Served && v3.Spec.Versions[0].Storage)
		assert.Equal(t, v1.Spec.Versions[0].Schema, v3.Spec.Versions[0].Schema)
		assert.Equal(t, "v1", v1.Spec.Versions[0].Name, "the published definition is left as it was")
		assert.Equal(t, "crd.projectcalico.org", v1.Spec.Group)
	}
}

// The guarded kinds of Ringfence, and scopes as Calico documents them.
func TestPublicServesPolicy(t *testing.T) {
	all := byName(t)
	for name, scope := range map[string]apiextensions.ResourceScope{
		"networkpolicies":                 apiextensions.NamespaceScoped,
		"networksets":                     apiextensions.NamespaceScoped,
		"stagednetworkpolicies":           apiextensions.NamespaceScoped,
		"stagedkubernetesnetworkpolicies": apiextensions.NamespaceScoped,
		"globalnetworkpolicies":           apiextensions.ClusterScoped,
		"globalnetworksets":               apiextensions.ClusterScoped,
		"stagedglobalnetworkpolicies":     apiextensions.ClusterScoped,
		"tiers":                           apiextensions.ClusterScoped,
		"ippools":                         apiextensions.ClusterScoped,
		"hostendpoints":                   apiextensions.ClusterScoped,
		"felixconfigurations":             apiextensions.ClusterScoped,
	} {
		crd := all[name+".projectcalico.org"]
		require.NotNil(t, crd, name)
		assert.Equal(t, scope, crd.Spec.Scope, name)
	}
	for _, name := range []string{"ipamblocks", "ipamhandles", "blockaffinities", "ipamconfigs"} {
		assert.Contains(t, all, name+".crd.projectcalico.org")
		assert.NotContains(t, all, name+".projectcalico.org", "Calico's own bookkeeping is not public")
	}
	assert.Contains(t, all, "ipamconfigurations.projectcalico.org")
	assert.Contains(t, all, "adminnetworkpolicies.policy.networking.k8s.io")
	assert.Contains(t, all, "baselineadminnetworkpolicies.policy.networking.k8s.io")
}

func TestPublicIsMadeFromOneVersion(t *testing.T) {
	crd := byName(t)["tiers.crd.projectcalico.org"].DeepCopy()
	crd.Spec.Versions = append(crd.Spec.Versions, crd.Spec.Versions[0])
	_, err := toPublic(crd)
	assert.EqualError(t, err, "deriving projectcalico.org/v3 from tiers.crd.projectcalico.org: it has 2 versions, not one")
}

func TestTiersAreCalicos(t *testing.T) {
	want := map[string][2]any{
		"adminnetworkpolicy":         {int64(1000), "Pass"},
		"default":                    {int64(1000000), "Deny"},
		"baselineadminnetworkpolicy": {int64(10000000), "Pass"},
	}
	got := map[string][2]any{}
	for _, tier := range tiers {
		o := tier.object()
		spec := o.Object["spec"].(map[string]any)
		got[o.GetName()] = [2]any{spec["order"], spec["defaultAction"]}
	}
	assert.Equal(t, want, got)
}
