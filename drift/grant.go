package drift

import (
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// refusedGrant is how kube-apiserver says that nothing grants a request: k8s.io/apiserver's responsewriters.Forbidden.
var refusedGrant = regexp.MustCompile(`cannot (\w+) resource "([^"]+)" in API group "([^"]*)"`)

// GrantHint says which rule gives the permission that an error says is missing; "" if the error says no such thing: an
// admission rule forbids in other words.
func GrantHint(err error) string {
	if !apierrors.IsForbidden(err) {
		return ""
	}
	m := refusedGrant.FindStringSubmatch(err.Error())
	if m == nil {
		return ""
	}
	verb, resource := m[1], schema.GroupResource{Group: m[3], Resource: m[2]}
	role := "ClusterRole"
	switch {
	case resource.Group == "" && resource.Resource == "configmaps", resource.Group == "coordination.k8s.io":
		role = "Role" // in Ringfence's own namespace
	case !isShipped(resource):
		return fmt.Sprintf("grant %s on %s: a kind of layout.allowedKinds needs a Role of your own, bound to Ringfence's ServiceAccount", verb, resource)
	}
	return fmt.Sprintf("grant %s on %s: the %s ringfence in base/ringfence/rbac.yaml does", verb, resource, role)
}

// isShipped says whether base/ringfence grants something on a resource.
func isShipped(resource schema.GroupResource) bool {
	for _, k := range append(kinds.Guarded(), kinds.Namespace) {
		if k.Group == resource.Group && k.Resource == strings.TrimPrefix(resource.Resource, "tier.") {
			return true
		}
	}
	switch resource.Group {
	case kinds.GroupStored, registrations.Group, definitions.Group, "apps", "authentication.k8s.io", "authorization.k8s.io":
		return true
	}
	return resource.Group == "" && resource.Resource == "events"
}

// WithGrant returns the error with [GrantHint], or as it is.
func WithGrant(err error) error {
	if hint := GrantHint(err); hint != "" {
		return hinted{err, hint}
	}
	return err
}

// hinted is an error that says what to do.
type hinted struct {
	error
	hint string
}

// Error is what happened, and what to do.
func (h hinted) Error() string { return fmt.Sprintf("%v (hint: %s)", h.error, h.hint) }

// Unwrap returns what happened.
func (h hinted) Unwrap() error { return h.error }
