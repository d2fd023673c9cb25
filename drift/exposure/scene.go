package exposure

import (
	"iter"
	"net/netip"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
)

// Network is what policies need to know of the cluster's network; see [reach.Config].
type Network struct {
	// PodCIDRs are the ranges of pod addresses; empty means any address.
	PodCIDRs []netip.Prefix
	// NodeCIDRs are the ranges of node addresses; empty means any address.
	NodeCIDRs []netip.Prefix
	// CalicoVersion is "major.minor"; "" means 3.31.
	CalicoVersion string
}

// Scene is what the differences of one namespace, or the cluster-scoped ones, are judged within.
type Scene struct {
	// Network describes the cluster.
	Network Network
	// Namespace is the tenant's; "" for cluster-scoped differences.
	Namespace string
	// Wanted is everything that Git says there, the guard included.
	Wanted []*drift.Wanted
	// Cluster are the cluster-scoped policies, tiers and sets that hold around the namespace. It is not looked at for
	// cluster-scoped differences, whose Wanted says the same, but for what Git does not hold: see Fixed.
	Cluster []*drift.Wanted
	// Fixed are live cluster-scoped objects that are neither in Git nor drift: Calico's own, or all of them where Git has
	// no cluster overlay.
	Fixed []*drift.Observed
	// Namespaces are all namespaces with their labels. What follows from them is remembered for as long as they are the same.
	Namespaces *drift.Namespaces
	// Tenants yields what Git says of every tenant, by namespace.
	Tenants iter.Seq2[string, []*drift.Wanted]
	// Workloads are those that policy tests name in the namespace.
	Workloads []reach.Workload
}

// around returns what holds around the namespace and is the same on both sides.
func (s *Scene) around() []reach.Object {
	var out []reach.Object
	if s.Namespace != "" {
		out = objectsOf(s.Cluster)
	}
	for _, o := range s.Fixed {
		out = append(out, Live(o.Object))
	}
	return out
}

func objectsOf(wanted []*drift.Wanted) []reach.Object {
	out := make([]reach.Object, 0, len(wanted))
	for _, w := range wanted {
		if !isNamespace(w.ID) {
			out = append(out, object(w))
		}
	}
	return out
}

func object(w *drift.Wanted) reach.Object {
	return reach.Object{Content: asServed(w.Object.Object), Origin: reach.Origin{File: w.Origin.File, Line: w.Origin.Line}}
}

// Live is an object as the cluster has it; what was written around Calico's API server as that server would serve it.
func Live(content map[string]any) reach.Object {
	return reach.Object{Content: asServed(content), Origin: reach.Origin{Live: true}}
}

// NamespaceObject makes a Namespace of which only name and labels are known.
func NamespaceObject(name string, labels map[string]string) reach.Object {
	values := make(map[string]any, len(labels))
	for k, v := range labels {
		values[k] = v
	}
	return Live(map[string]any{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{"name": name, "labels": values},
	})
}
