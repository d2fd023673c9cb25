package permissions

import (
	"slices"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// readers is what people need who ask the cluster themselves. Pods, Services, nodes and the like are theirs alone:
// what the daemon says of connections comes from policies and Namespaces.
func readers() []Rule {
	const inhabitants = "`ringfence reach --live` says unknown of what depends on it."
	const enforcing = "`ringfence doctor` cannot tell what enforces policies, nor on which nodes."
	const felix = "`ringfence doctor` does not see settings of Felix that let packets pass."
	list := []string{"list"}
	network := []string{"clusterinformations", "hostendpoints", "ippools"}
	rules := []Rule{
		{Holder: Reader, Resources: []string{"pods", "services", "serviceaccounts", "nodes"}, Verbs: list, Optional: true, Lost: inhabitants},
		{Holder: Reader, Group: "discovery.k8s.io", Resources: []string{"endpointslices"}, Verbs: list, Optional: true, Lost: inhabitants},
		{Holder: Reader, Group: kinds.GroupCalico, Resources: network, Verbs: list, If: IfServed, Optional: true, Lost: inhabitants},
		{Holder: Reader, Group: kinds.GroupStored, Resources: network, Verbs: list, If: IfServed, Optional: true, Lost: inhabitants},
		{Holder: Reader, Group: "apps", Resources: []string{"daemonsets"}, Verbs: list, Optional: true, Lost: enforcing},
		{Holder: Reader, Group: kinds.GroupCalico, Resources: []string{"felixconfigurations"}, Verbs: list, If: IfServed, Optional: true, Lost: felix},
		{Holder: Reader, Group: kinds.GroupStored, Resources: []string{"felixconfigurations"}, Verbs: list, If: IfServed, Optional: true, Lost: felix},
	}
	return slices.Concat(rules, readPolicies(), readServed())
}

// readPolicies is what both commands cannot do without: what the daemon sees.
func readPolicies() (out []Rule) {
	for _, r := range slices.Concat(namespaces(), guarded(), served()) {
		if slices.Equal(r.Verbs, see) {
			r.Holder, r.Lost = Reader, "`ringfence reach --live` and `diff` cannot tell."
			out = append(out, r)
		}
	}
	return append(out, Rule{
		Holder: Reader, Group: kinds.GroupCalico, Resources: []string{kinds.Tier.Resource}, Verbs: []string{"get"}, If: IfAggregated,
		Lost: "Policies in Calico's tiers are hidden, and `ringfence reach --live` and `diff` cannot tell.",
	})
}

// readServed is how both commands find out what the cluster serves, and what was applied.
func readServed() []Rule {
	return []Rule{
		{
			Holder: Reader, Group: "apiregistration.k8s.io", Resources: []string{"apiservices"},
			Names: []string{"v3." + kinds.GroupCalico}, Verbs: []string{"get"}, Optional: true,
			Lost: "Who serves Calico's kinds is not known to `ringfence doctor`; `reach --live` and `diff` assume the worst.",
		},
		{
			Holder: Reader, Own: true, Resources: []string{"configmaps"}, Names: []string{StateName}, Verbs: []string{"get"}, Optional: true,
			Lost: "`ringfence diff` tells as extra what has left Git, and `doctor` does not see whether anything was applied.",
		},
	}
}
