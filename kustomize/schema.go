package kustomize

import (
	"reflect"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// untyped is the schema of kinds whose Go types are not built in.
type untyped struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              map[string]any `json:"spec"`
}

// policyTest, tenantSettings and offboarding are the kinds of ringfence.dev/v1, as
// far as their form goes.
type policyTest struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Workloads map[string]struct {
			Namespace string            `json:"namespace"`
			Labels    map[string]string `json:"labels"`
		} `json:"workloads"`
		Expect []struct {
			Allow string `json:"allow"`
			Deny  string `json:"deny"`
		} `json:"expect"`
	} `json:"spec"`
}

type tenantSettings struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Mode    string `json:"mode"`
		Suspend struct {
			Until  string `json:"until"`
			Reason string `json:"reason"`
		} `json:"suspend"`
		AdoptExtras bool `json:"adoptExtras"`
	} `json:"spec"`
}

type offboarding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Namespace string `json:"namespace"`
		Action    string `json:"action"`
		Reason    string `json:"reason"`
	} `json:"spec"`
}

// schemaOf returns the Go type that says what fields a kind has.
func schemaOf(gk schema.GroupKind) reflect.Type {
	switch gk {
	case kinds.NetworkPolicy.GroupKind():
		return reflect.TypeFor[networkingv1.NetworkPolicy]()
	case kinds.Namespace.GroupKind():
		return reflect.TypeFor[corev1.Namespace]()
	}
	switch gk.Group {
	case kinds.GroupCalico:
		return calicoSchema(gk.Kind)
	case kinds.GroupRingfence:
		switch gk.Kind {
		case "PolicyTest":
			return reflect.TypeFor[policyTest]()
		case "Tenant":
			return reflect.TypeFor[tenantSettings]()
		case "Offboarding":
			return reflect.TypeFor[offboarding]()
		}
	}
	return reflect.TypeFor[untyped]()
}

func calicoSchema(kind string) reflect.Type {
	switch kind {
	case calico.KindNetworkPolicy:
		return reflect.TypeFor[calico.NetworkPolicy]()
	case calico.KindGlobalNetworkPolicy:
		return reflect.TypeFor[calico.GlobalNetworkPolicy]()
	case calico.KindNetworkSet:
		return reflect.TypeFor[calico.NetworkSet]()
	case calico.KindGlobalNetworkSet:
		return reflect.TypeFor[calico.GlobalNetworkSet]()
	case calico.KindTier:
		return reflect.TypeFor[calico.Tier]()
	case calico.KindStagedNetworkPolicy:
		return reflect.TypeFor[calico.StagedNetworkPolicy]()
	case calico.KindStagedKubernetesNetworkPolicy:
		return reflect.TypeFor[calico.StagedKubernetesNetworkPolicy]()
	case calico.KindStagedGlobalNetworkPolicy:
		return reflect.TypeFor[calico.StagedGlobalNetworkPolicy]()
	default:
		return reflect.TypeFor[untyped]()
	}
}

var calicoNetworkPolicy = calicoKind(calico.KindNetworkPolicy)
