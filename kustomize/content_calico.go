package kustomize

import (
	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

func calicoKind(kind string) schema.GroupKind {
	return schema.GroupKind{Group: kinds.GroupCalico, Kind: kind}
}

// calico checks an object of Calico's, and no other.
func (c *contents) calico(o Object) {
	switch o.Kind.GroupKind() {
	case calicoKind(calico.KindNetworkPolicy):
		validated(c, o, &calico.NetworkPolicy{})
	case calicoKind(calico.KindGlobalNetworkPolicy):
		validated(c, o, &calico.GlobalNetworkPolicy{})
	case calicoKind(calico.KindStagedNetworkPolicy):
		validated(c, o, &calico.StagedNetworkPolicy{})
	case calicoKind(calico.KindStagedGlobalNetworkPolicy):
		validated(c, o, &calico.StagedGlobalNetworkPolicy{})
	case calicoKind(calico.KindStagedKubernetesNetworkPolicy):
		validated(c, o, &calico.StagedKubernetesNetworkPolicy{})
	case calicoKind(calico.KindNetworkSet):
		validated(c, o, &calico.NetworkSet{})
	case calicoKind(calico.KindGlobalNetworkSet):
		validated(c, o, &calico.GlobalNetworkSet{})
	case kinds.Tier.GroupKind():
		validated(c, o, &calico.Tier{})
	}
}

// validated adds what Calico's API server refuses an object for, which it decodes
// into typed.
func validated[T any](c *contents, o Object, typed *T) {
	decoded(c, o, typed, func() {
		for _, fault := range c.rules.Calico(typed) {
			c.add(fault.Path, "%s", fault.Message)
		}
	})
}
