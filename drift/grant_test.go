package drift

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What nothing grants is told with the rule that does; what an admission rule forbids is another matter.
func TestGrantHint(t *testing.T) {
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
		"a kind of the user's": {
			forbidden("certificates.cert-manager.io", user+`cannot patch resource "certificates" in API group "cert-manager.io" in the namespace "caas-acme"`),
			"grant patch on certificates.cert-manager.io: a kind of layout.allowedKinds needs a Role of your own, bound to Ringfence's ServiceAccount",
		},
		"a quota":       {forbidden("networkpolicies.networking.k8s.io", "exceeded quota: policies"), ""},
		"another error": {errors.New(user + `cannot list resource "namespaces" in API group ""`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, GrantHint(c.err))
			if c.want == "" {
				assert.Equal(t, c.err, WithGrant(c.err))
				return
			}
			assert.EqualError(t, WithGrant(c.err), c.err.Error()+" (hint: "+c.want+")")
			assert.True(t, apierrors.IsForbidden(WithGrant(c.err)))
		})
	}
}
