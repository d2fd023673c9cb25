package kustomize

import (
	"strings"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Isolates reports for each direction whether the object closes it for every pod of
// its namespace on its own: it is a policy that selects every pod, names the
// direction and has no rule for it.
//
// That is so for the NetworkPolicy of networking.k8s.io with an empty podSelector
// (policyTypes, if not given, mean Ingress, and Egress if there are egress rules: the
// Kubernetes API reference), and for Calico's NetworkPolicy in the tier "default", whose
// default action cannot be changed, with no selector or all(), and no
// serviceAccountSelector (types, if not given, mean the directions that have rules, or
// Ingress if there are none: projectcalico/api NetworkPolicySpec). Other kinds
// never isolate here: global policies are no tenant's, and in other tiers the tier
// decides.
func (o Object) Isolates() (ingress, egress bool) {
	spec, _ := o.Object["spec"].(map[string]any)
	switch o.Kind.GroupKind() {
	case kinds.NetworkPolicy.GroupKind():
		if !selectsAll(spec["podSelector"]) {
			return false, false
		}
		return silent(spec, "policyTypes", "Ingress"), silent(spec, "policyTypes", "Egress")
	case calicoNetworkPolicy:
		selector, _ := spec["selector"].(string)
		accounts, _ := spec["serviceAccountSelector"].(string)
		everyPod := strings.TrimSpace(selector) == "" || strings.Join(strings.Fields(selector), "") == "all()"
		if !everyPod || strings.TrimSpace(accounts) != "" || tierOf(o.Object) != defaultTier {
			return false, false
		}
		return silent(spec, "types", "Ingress"), silent(spec, "types", "Egress")
	}
	return false, false
}

// selectsAll reports whether a label selector is empty.
func selectsAll(selector any) bool {
	m, _ := selector.(map[string]any)
	return empty(m["matchLabels"]) && empty(m["matchExpressions"])
}

// silent reports whether a policy names a direction, by its list of types or by their
// default, and has no rules for it.
func silent(spec map[string]any, typesField, direction string) bool {
	types, _ := spec[typesField].([]any)
	named := len(types) == 0 && direction == "Ingress" &&
		(typesField == "policyTypes" || empty(spec["egress"]))
	for _, t := range types {
		named = named || t == direction
	}
	return named && empty(spec[strings.ToLower(direction)])
}
