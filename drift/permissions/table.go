package permissions

import (
	"slices"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// StateName is the ConfigMap that holds what must survive a restart of the daemon.
const StateName = "ringfence-state"

// Rules returns the whole table for an instance ("default" or "" for the usual one): first what the daemon
// needs, then what people do. The caller may change it.
func Rules(instance string) []Rule {
	return slices.Concat(namespaces(), guarded(), served(), own(instance), told(), asked(), readers())
}

// see and write are what the daemon does with guarded kinds. It gets a single object only when a write met
// another's; updates one that somebody has added fields to; and lists and watches all.
var (
	see   = []string{"list", "watch"}
	write = []string{"create", "delete", "get", "patch", "update"}
)

func namespaces() []Rule {
	resource := []string{kinds.Namespace.Resource}
	return []Rule{
		{
			Holder: Daemon, Resources: resource, Verbs: see,
			Lost: "No namespace is seen: every tenant is unknown, and nothing is written.",
		},
		{
			Holder: Daemon, Resources: resource, Verbs: []string{"get", "patch"},
			Lost: "Labels that Git says of a Namespace are not written: tenants that bring one fail.",
		},
		{
			Holder: Daemon, Resources: resource, Verbs: []string{"create"}, Optional: true,
			Lost: "A Namespace in Git is not made: its tenant fails until somebody else has made it.",
		},
	}
}

func guarded() (out []Rule) {
	const (
		unseen    = "The kind cannot be seen: every tenant is unknown, and nothing is removed."
		unwritten = "Tenants with objects of the kind fail, and drift of it stands."
	)
	of := func(group string, condition Condition) {
		var resources, tiered []string
		for _, k := range kinds.Guarded() {
			if k.Group == group {
				resources = append(resources, k.Resource)
				if k.Tiered {
					tiered = append(tiered, "tier."+k.Resource)
				}
			}
		}
		out = append(out,
			Rule{Holder: Daemon, Group: group, Resources: resources, Verbs: see, If: condition, Lost: unseen},
			Rule{Holder: Daemon, Group: group, Resources: resources, Verbs: write, If: condition, Lost: unwritten})
		if len(tiered) > 0 {
			// A server-side apply asks for patch alone, also when it creates (calico-api.md §2.5).
			out = append(out,
				Rule{
					Holder: Daemon, Group: group, Resources: tiered, Verbs: see, If: IfAggregated,
					Lost: "Policies in Calico's tiers are hidden: every tenant is unknown, and nothing is removed.",
				},
				Rule{
					Holder: Daemon, Group: group, Resources: tiered, Verbs: []string{"delete", "get", "patch", "update"}, If: IfAggregated,
					Lost: "Tenants with Calico's policies fail, and drift of them stands.",
				})
		}
	}
	of(kinds.GroupKubernetes, Always)
	of(kinds.GroupCalico, IfServed)
	of(kinds.GroupPolicy, IfServed)
	return out
}

// served is how the daemon finds out what the cluster serves, and how.
func served() []Rule {
	var stored []string
	for _, k := range kinds.Guarded() {
		if kept, ok := kinds.Stored(k); ok {
			stored = append(stored, kept.Resource)
		}
	}
	return []Rule{
		{
			Holder: Daemon, Group: kinds.GroupStored, Resources: stored, Verbs: see, If: IfAggregated,
			Lost: "What is written around Calico's API server cannot be seen: every tenant is unknown, and nothing is removed.",
		},
		{
			Holder: Daemon, Group: "apiregistration.k8s.io", Resources: []string{"apiservices"}, Names: []string{"v3." + kinds.GroupCalico},
			Verbs: []string{"get", "watch"}, Optional: true,
			Lost: "Who serves Calico's kinds is not known: the worst is assumed, which is slower, and a change is seen after 10 minutes.",
		},
		{
			Holder: Daemon, Group: "apiextensions.k8s.io", Resources: []string{"customresourcedefinitions"}, Verbs: []string{"watch"}, Optional: true,
			Lost: "A guarded kind that is installed later is seen after 10 minutes, and not at once.",
		},
	}
}

// own is what is kept in Ringfence's namespace.
func own(instance string) []Rule {
	lease := "ringfence"
	if instance != "" && instance != "default" {
		lease += "-" + instance
	}
	const (
		state   = "What must survive a restart can be neither read nor kept: nothing is written."
		elected = "No replica becomes the leader: nothing is written."
	)
	return []Rule{
		{Holder: Daemon, Own: true, Resources: []string{"configmaps"}, Names: []string{StateName}, Verbs: []string{"get", "update"}, Lost: state},
		{Holder: Daemon, Own: true, Resources: []string{"configmaps"}, Verbs: []string{"create"}, Lost: state},
		{
			Holder: Daemon, Own: true, Group: "coordination.k8s.io", Resources: []string{"leases"}, Names: []string{lease},
			Verbs: []string{"get", "update"}, If: IfElection, Lost: elected,
		},
		{
			Holder: Daemon, Own: true, Group: "coordination.k8s.io", Resources: []string{"leases"}, Verbs: []string{"create"},
			If: IfElection, Lost: elected,
		},
	}
}

// told is what the daemon tells, and what it tells of.
func told() []Rule {
	return []Rule{
		{
			Holder: Daemon, Resources: []string{"events"}, Verbs: []string{"create", "patch"}, Optional: true,
			Lost: "Nothing is told to those who look at a tenant's Namespace; the log, metrics and the API still say it.",
		},
		{
			Holder: Daemon, Group: "apps", Resources: []string{"daemonsets"}, Verbs: see, Optional: true,
			Lost: "Whether anything enforces policies, and on which nodes, is unknown.",
		},
	}
}

// asked is how the daemon finds out who asks it.
func asked() []Rule {
	const closed = "The page and the API answer nobody."
	return []Rule{
		{Holder: Daemon, Group: "authentication.k8s.io", Resources: []string{"tokenreviews"}, Verbs: []string{"create"}, If: IfAuth, Lost: closed},
		{Holder: Daemon, Group: "authorization.k8s.io", Resources: []string{"subjectaccessreviews"}, Verbs: []string{"create"}, If: IfAuth, Lost: closed},
	}
}
