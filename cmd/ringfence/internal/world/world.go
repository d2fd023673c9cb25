package world

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
)

// World is a world of package reach with what is known of its making.
type World struct {
	*reach.World
	// Tenants are the names of the tenants, sorted; empty where nothing says which namespaces are tenants'.
	Tenants []string
	// Gaps are what is missing from the world and should be in it.
	Gaps []Gap

	isTenant func(namespace string) bool
}

// Gap is something that is missing from a world. What it may decide is unknown there.
type Gap struct {
	// Text says what is missing, in a sentence without a stop.
	Text string
	// Namespace is the only one that it concerns; "" for any.
	Namespace string
	// Unclaimed: of all namespaces it concerns those alone that are no known tenant's.
	Unclaimed bool
}

// Options say how policies are evaluated.
type Options struct {
	// Network describes the cluster's network; only pod and node ranges and the Calico version count.
	Network config.Network
	// Pending evaluates staged policies as if they were enforced.
	Pending bool
}

func (o Options) reach() reach.Config {
	version := o.Network.CalicoVersion
	if version == "auto" { // nobody can be asked here
		version = ""
	}
	return reach.Config{
		PodCIDRs: o.Network.PodCIDRs, NodeCIDRs: o.Network.NodeCIDRs, CalicoVersion: version, Pending: o.Pending,
	}
}

// Concerns reports whether something that is missing, or an object that is not as it seems, may matter to what goes on in
// and out of the namespaces; of all namespaces, if none is named.
func (w *World) Concerns(namespaces ...string) bool {
	if len(namespaces) == 0 {
		return len(w.Gaps)+len(w.Problems()) > 0
	}
	for _, g := range w.Gaps {
		claimed := g.Unclaimed && !slices.ContainsFunc(namespaces, func(n string) bool { return !slices.Contains(w.Tenants, n) })
		if g.Namespace == "" && !claimed || slices.Contains(namespaces, g.Namespace) {
			return true
		}
	}
	return slices.ContainsFunc(w.Problems(), func(p *reach.Problem) bool { return concerns(p, namespaces) })
}

func concerns(p *reach.Problem, namespaces []string) bool {
	namespace := p.Object.Namespace
	if p.Object.Kind == "Namespace" {
		namespace = p.Object.Name
	}
	return namespace == "" || slices.Contains(namespaces, namespace)
}

// isPolicy reports whether an object is a policy of any API, one that is not understood here included.
func isPolicy(kind string) bool {
	return strings.HasSuffix(kind, "NetworkPolicy") || strings.HasSuffix(kind, "NetworkPolicies")
}

func objectOf(o kustomize.Object) reach.Object {
	return reach.Object{Content: o.Object, Origin: originOf(o.Origin)}
}

func originOf(o kustomize.Origin) reach.Origin { return reach.Origin{File: o.File, Line: o.Line} }

// fenceable returns whether a namespace can be a tenant's by its name.
func fenceable(layout config.Layout) func(string) bool {
	return func(namespace string) bool {
		return kustomize.MayFence(namespace) && slices.ContainsFunc(layout.Namespaces, func(glob string) bool {
			ok, err := path.Match(glob, namespace)
			return err == nil && ok
		})
	}
}
