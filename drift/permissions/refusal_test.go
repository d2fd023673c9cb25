package permissions

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What nothing grants is told with the rule that does; what an admission rule forbids is another matter.
func TestHint(t *testing.T) {
	forbidden := func(resource, message string) error {
		return apierrors.NewForbidden(schema.ParseGroupResource(resource), "x", errors.New(message))
	}
	const user = `User "system:serviceaccount:ringfence-system:ringfence" `
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a guarded kind": {
			forbidden("networkpolicies.networking.k8s.io", user+`cannot patch resource "networkpolicies" in API group "networking.k8s.io" in the namespace "caas-acme"`),
			"grant patch on networkpolicies.networking.k8s.io: the ClusterRole ringfence in base/ringfence/rbac.yaml does",
		},
		"the core group": {
			forbidden("namespaces", user+`cannot list resource "namespaces" in API group "" at the cluster scope`),
			"grant list on namespaces: the ClusterRole ringfence in base/ringfence/rbac.yaml does",
		},
		"its own namespace": {
			forbidden("configmaps", user+`cannot get resource "configmaps" in API group "" in the namespace "ringfence-system"`),
			"grant get on configmaps: the Role ringfence in base/ringfence/rbac.yaml does",
		},
		"a verb that nobody has": {
			forbidden("namespaces", user+`cannot delete resource "namespaces" in API group "" at the cluster scope`),
			"grant delete on namespaces",
		},
		"a tier": {
			forbidden("networkpolicies.projectcalico.org", user+`cannot patch networkpolicies.projectcalico.org in tier "default" and namespace "caas-acme"`),
			"grant patch on tier.networkpolicies.projectcalico.org: the ClusterRole ringfence in base/ringfence/rbac.yaml does",
		},
		"a tier that is hidden": {
			forbidden("globalnetworkpolicies.projectcalico.org", user+`cannot list globalnetworkpolicies.projectcalico.org in tier "security" (user cannot get tier)`),
			"grant get on tiers.projectcalico.org: the ClusterRole ringfence in base/ringfence/rbac.yaml does",
		},
		"every tier": {
			forbidden("networkpolicies.projectcalico.org", "operation on Calico tiered policy is forbidden"),
			"grant get on tiers.projectcalico.org, list on tier.networkpolicies.projectcalico.org, watch on tier.networkpolicies.projectcalico.org: " +
				"the ClusterRole ringfence in base/ringfence/rbac.yaml does",
		},
		"a kind of the user's": {
			forbidden("certificates.cert-manager.io", user+`cannot patch resource "certificates" in API group "cert-manager.io" in the namespace "caas-acme"`),
			"grant patch on certificates.cert-manager.io: a kind of layout.allowedKinds needs a Role of your own, bound to Ringfence's ServiceAccount",
		},
		"a quota":       {forbidden("networkpolicies.networking.k8s.io", "exceeded quota: policies"), ""},
		"another error": {errors.New(user + `cannot list resource "namespaces" in API group ""`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, Hint(Daemon, c.err))
			if c.want == "" {
				assert.Equal(t, c.err, Explain(Daemon, c.err))
				return
			}
			assert.EqualError(t, Explain(Daemon, c.err), c.err.Error()+" (hint: "+c.want+")")
			assert.True(t, apierrors.IsForbidden(Explain(Daemon, c.err)))
		})
	}
}

// People are told of the roles for people.
func TestHintForReaders(t *testing.T) {
	const user = `User "jane" cannot `
	err := apierrors.NewForbidden(schema.ParseGroupResource("pods"), "", errors.New(user+`list resource "pods" in API group "" at the cluster scope`))
	assert.Equal(t, "grant list on pods: the ClusterRole ringfence-reader in base/ringfence/readers.yaml does", Hint(Reader, err))
	err = apierrors.NewForbidden(schema.ParseGroupResource("secrets"), "", errors.New(user+`list resource "secrets" in API group ""`))
	assert.Equal(t, "grant list on secrets", Hint(Reader, err))
}
