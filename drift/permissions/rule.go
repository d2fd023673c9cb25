package permissions

import (
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
)

// Holder is who has a permission.
type Holder string

const (
	// Daemon is `ringfence run`, under the ServiceAccount ringfence: ClusterRole and Role of that name.
	Daemon Holder = "ringfence"
	// Reader is a person who asks `ringfence reach --live`, `diff` or `doctor`: ClusterRole and Role ringfence-reader,
	// which nobody is bound to at first.
	Reader Holder = "ringfence-reader"
)

// file returns where the holder's roles are shipped.
func (h Holder) file() string {
	if h == Reader {
		return "base/ringfence/readers.yaml"
	}
	return "base/ringfence/rbac.yaml"
}

// Condition says of which clusters and configurations a permission is.
type Condition string

const (
	// Always is of every one.
	Always Condition = ""
	// IfServed is of clusters that serve the resource.
	IfServed Condition = "the cluster serves it"
	// IfAggregated is of clusters where Calico's own API server serves its kinds, as up to 3.31 everywhere.
	IfAggregated Condition = "Calico's own API server"
	// IfElection is of daemons with leaderElection.enabled.
	IfElection Condition = "leaderElection.enabled"
	// IfAuth is of daemons with http.auth: kubernetes.
	IfAuth Condition = "http.auth: kubernetes"
)

// Rule is some verbs on some resources of one API group, which are lost together.
type Rule struct {
	// Holder is who has it.
	Holder Holder
	// Group is the API group, "" for the core.
	Group string
	// Resources are plural lower-case names.
	Resources []string
	// Names are those of the only objects that may be touched; nil: any. No verb create is then among
	// Verbs: RBAC cannot tell the name of what does not exist yet.
	Names []string
	// Own: only in Ringfence's own namespace.
	Own bool
	// Verbs are the API's, sorted.
	Verbs []string
	// Optional: without it the daemon does its job, and something else is lost.
	Optional bool
	// If says for whom it is.
	If Condition
	// Lost says in a sentence what is lost without it.
	Lost string
}

// role is the kind of the role that grants the rule.
func (r Rule) role() string {
	if r.Own {
		return "Role"
	}
	return "ClusterRole"
}

// Access is one verb on one resource: what RBAC grants and a review asks for.
type Access struct {
	// Verb is the API's: get, list, watch, create, patch, update or delete.
	Verb string
	// Group is the API group, "" for the core; Resource the plural lower-case name; Name that of the
	// only object, or "".
	Group, Resource, Name string
	// Own: only in Ringfence's own namespace; otherwise in every one.
	Own bool
}

// Accesses returns what the rule grants, one by one, sorted as it lists them.
func (r Rule) Accesses() []Access {
	names := r.Names
	if names == nil {
		names = []string{""}
	}
	var out []Access
	for _, resource := range r.Resources {
		for _, name := range names {
			for _, verb := range r.Verbs {
				out = append(out, Access{Verb: verb, Group: r.Group, Resource: resource, Name: name, Own: r.Own})
			}
		}
	}
	return out
}

// String is the access as people say it, for messages: `get configmaps "ringfence-state" in Ringfence's namespace`.
func (a Access) String() string {
	out := a.Verb + " " + a.resource()
	if a.Name != "" {
		out += ` "` + a.Name + `"`
	}
	if a.Own {
		out += " in Ringfence's namespace"
	}
	return out
}

// resource is the resource with its group, as kubectl calls it.
func (a Access) resource() string {
	if a.Group == "" {
		return a.Resource
	}
	return a.Resource + "." + a.Group
}

// Attributes returns what a SelfSubjectAccessReview asks; own is Ringfence's namespace.
func (a Access) Attributes(own string) *authorizationv1.ResourceAttributes {
	out := &authorizationv1.ResourceAttributes{Verb: a.Verb, Group: a.Group, Resource: a.Resource, Name: a.Name}
	if a.Own {
		out.Namespace = own
	}
	return out
}

// Of returns the rules of one holder, in their order.
func Of(rules []Rule, who Holder) []Rule {
	return slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return r.Holder != who })
}
