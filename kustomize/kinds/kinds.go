package kinds

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kind describes one kind that Ringfence applies or guards.
type Kind struct {
	// GVK is the group, version and kind under which the objects are written
	// in Git, applied and watched.
	schema.GroupVersionKind
	// Resource is the plural lower-case name in API paths.
	Resource string
	// Namespaced is false for cluster-scoped kinds.
	Namespaced bool
	// Tiered is true for Calico's policies, which live in a tier (spec.tier).
	Tiered bool
}

// GVR returns the kind's group, version and resource.
func (k Kind) GVR() schema.GroupVersionResource {
	return k.GroupVersion().WithResource(k.Resource)
}

// Groups of the guarded kinds, and Ringfence's own.
const (
	GroupKubernetes = "networking.k8s.io"
	GroupCalico     = "projectcalico.org"
	GroupPolicy     = "policy.networking.k8s.io"
	GroupRingfence  = "ringfence.dev"
	// GroupStored is where Calico keeps what its API server serves as GroupCalico.
	// Nothing of it is ever written; see [Stored].
	GroupStored = "crd.projectcalico.org"
)

// Namespace is the kind of a tenant's namespace. It is not guarded: only what
// Git says of it is compared.
var Namespace = Kind{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, Resource: "namespaces"}

// NetworkPolicy is the Kubernetes kind that every cluster serves.
var NetworkPolicy = Kind{
	GroupVersionKind: schema.GroupVersionKind{Group: GroupKubernetes, Version: "v1", Kind: "NetworkPolicy"},
	Resource:         "networkpolicies", Namespaced: true,
}

// Tier is Calico's ordered group of policies; it must exist before they do.
var Tier = calico("Tier", "tiers", false, false)

var guarded = []Kind{
	NetworkPolicy,
	calico("NetworkPolicy", "networkpolicies", true, true),
	calico("NetworkSet", "networksets", true, false),
	calico("StagedNetworkPolicy", "stagednetworkpolicies", true, true),
	calico("StagedKubernetesNetworkPolicy", "stagedkubernetesnetworkpolicies", true, false),
	Tier,
	calico("GlobalNetworkPolicy", "globalnetworkpolicies", false, true),
	calico("GlobalNetworkSet", "globalnetworksets", false, false),
	calico("StagedGlobalNetworkPolicy", "stagedglobalnetworkpolicies", false, true),
	policy("v1alpha2", "ClusterNetworkPolicy", "clusternetworkpolicies"),
	policy("v1alpha1", "AdminNetworkPolicy", "adminnetworkpolicies"),
	policy("v1alpha1", "BaselineAdminNetworkPolicy", "baselineadminnetworkpolicies"),
}

// Guarded returns every guarded kind, the Kubernetes one first. The caller may
// change the slice.
func Guarded() []Kind { return slices.Clone(guarded) }

// Stored returns the kind as which Calico's API server keeps the objects of one of its
// kinds; false for other kinds. It is no guarded kind: it shows what was written around
// that server, and is only read.
func Stored(k Kind) (Kind, bool) {
	if k.Group != GroupCalico {
		return Kind{}, false
	}
	k.Group, k.Version, k.Tiered = GroupStored, "v1", false
	return k, true
}

// Find returns the guarded kind (or Namespace) of that group and kind name.
// The version is not looked at: see Kind.GVK for the one to be used.
func Find(gk schema.GroupKind) (Kind, bool) {
	if gk == Namespace.GroupKind() {
		return Namespace, true
	}
	for _, k := range guarded {
		if k.GroupKind() == gk {
			return k, true
		}
	}
	return Kind{}, false
}

func calico(kind, resource string, namespaced, tiered bool) Kind {
	return Kind{
		GroupVersionKind: schema.GroupVersionKind{Group: GroupCalico, Version: "v3", Kind: kind},
		Resource:         resource, Namespaced: namespaced, Tiered: tiered,
	}
}

func policy(version, kind, resource string) Kind {
	return Kind{GroupVersionKind: schema.GroupVersionKind{Group: GroupPolicy, Version: version, Kind: kind}, Resource: resource}
}
