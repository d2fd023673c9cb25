package drift

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// BuiltIn returns why a live guarded object that is not in Git belongs there
// all the same: it was made by Calico or its operator. It answers "" for
// everything else.
//
// Where the kinds are served from definitions, names are free for anyone to take, and
// Calico makes no mirrors: an object named like one is somebody's there.
//
// Sources: calico api/pkg/apis/projectcalico/v3/tier.go (static tiers);
// tigera/operator (tiers allow-tigera and calico-system); calico-api.md §2.1.
func BuiltIn(o *Observed, f Flavour) string {
	id := o.ID
	if id.Kind.Group != kinds.GroupCalico {
		return ""
	}
	if id.Kind == kinds.Tier {
		switch id.Name {
		case "default", "kube-admin", "kube-baseline", "adminnetworkpolicy", "baselineadminnetworkpolicy":
			return "Calico's own tier"
		case "allow-tigera", "calico-system":
			return "the operator's tier"
		}
		return ""
	}
	if f.Dialect().Mirrors && strings.HasPrefix(id.Name, "knp.default.") {
		return "Calico's mirror of a Kubernetes NetworkPolicy"
	}
	if id.Kind.Namespaced {
		return ""
	}
	tier, _, _ := unstructured.NestedString(o.Object, "spec", "tier")
	if tier == "allow-tigera" || tier == "calico-system" {
		return "the operator's policy"
	}
	return ""
}
