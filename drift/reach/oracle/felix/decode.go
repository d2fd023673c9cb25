package felix

import (
	"fmt"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/calico/libcalico-go/lib/resources"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	networking "k8s.io/kubernetes/pkg/apis/networking/v1"
	adminpolicy "sigs.k8s.io/network-policy-api/apis/v1alpha1"
)

// node is the only node: every pod is on it, so that Felix judges them all.
const node = "node"

// newObject returns an empty object of one of the kinds that the reference knows; nil for others.
func newObject(apiVersion, kind string) metav1.Object {
	switch apiVersion + " " + kind {
	case "v1 Namespace":
		return &corev1.Namespace{}
	case "v1 ServiceAccount":
		return &corev1.ServiceAccount{}
	case "v1 Pod":
		return &corev1.Pod{}
	case "v1 Service":
		return &corev1.Service{}
	case "discovery.k8s.io/v1 EndpointSlice":
		return &discoveryv1.EndpointSlice{}
	case "networking.k8s.io/v1 NetworkPolicy":
		return &networkingv1.NetworkPolicy{}
	case "policy.networking.k8s.io/v1alpha1 AdminNetworkPolicy":
		return &adminpolicy.AdminNetworkPolicy{}
	case "policy.networking.k8s.io/v1alpha1 BaselineAdminNetworkPolicy":
		return &adminpolicy.BaselineAdminNetworkPolicy{}
	case "projectcalico.org/v3 Tier":
		return calico.NewTier()
	case "projectcalico.org/v3 NetworkSet":
		return calico.NewNetworkSet()
	case "projectcalico.org/v3 GlobalNetworkSet":
		return calico.NewGlobalNetworkSet()
	case "projectcalico.org/v3 NetworkPolicy":
		return calico.NewNetworkPolicy()
	case "projectcalico.org/v3 GlobalNetworkPolicy":
		return calico.NewGlobalNetworkPolicy()
	case "projectcalico.org/v3 StagedNetworkPolicy":
		return calico.NewStagedNetworkPolicy()
	case "projectcalico.org/v3 StagedGlobalNetworkPolicy":
		return calico.NewStagedGlobalNetworkPolicy()
	case "projectcalico.org/v3 StagedKubernetesNetworkPolicy":
		return calico.NewStagedKubernetesNetworkPolicy()
	}
	return nil
}

// decode returns an object as the type of its kind, with what the API servers of Kubernetes and Calico fill in.
func decode(content map[string]any) (metav1.Object, error) {
	apiVersion, _ := content["apiVersion"].(string)
	kind, _ := content["kind"].(string)
	object := newObject(apiVersion, kind)
	if object == nil {
		return nil, fmt.Errorf("decoding an object: %s %s is not known", apiVersion, kind)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, object); err != nil {
		return nil, fmt.Errorf("decoding a %s: %w", kind, err)
	}
	fillIn(object)
	return object, nil
}

// fillIn does what the API servers do to an object before they store it: Kubernetes' own defaulting, Calico's defaulting
// of tiers, and that of types, which Calico's client keeps to itself (libcalico-go/lib/clientv3/globalnetworkpolicy.go,
// defaultPolicyTypesField).
func fillIn(object metav1.Object) {
	object.SetUID("00000000-0000-0000-0000-000000000001") // Calico turns UIDs into its own
	switch o := object.(type) {
	case *corev1.Namespace:
		if o.Labels == nil {
			o.Labels = map[string]string{}
		}
		o.Labels[corev1.LabelMetadataName] = o.Name
	case *networkingv1.NetworkPolicy:
		networking.SetObjectDefaults_NetworkPolicy(o)
	case *calico.Tier:
		resources.DefaultTierFields(o)
	case *calico.NetworkPolicy:
		o.Spec.Types = typesOf(o.Spec.Types, o.Spec.Ingress, o.Spec.Egress)
	case *calico.GlobalNetworkPolicy:
		o.Spec.Types = typesOf(o.Spec.Types, o.Spec.Ingress, o.Spec.Egress)
	case *calico.StagedNetworkPolicy:
		if o.Spec.StagedAction != calico.StagedActionDelete {
			o.Spec.Types = typesOf(o.Spec.Types, o.Spec.Ingress, o.Spec.Egress)
		}
	case *calico.StagedGlobalNetworkPolicy:
		if o.Spec.StagedAction != calico.StagedActionDelete {
			o.Spec.Types = typesOf(o.Spec.Types, o.Spec.Ingress, o.Spec.Egress)
		}
	}
}

func typesOf(given []calico.PolicyType, ingress, egress []calico.Rule) []calico.PolicyType {
	switch {
	case len(given) > 0:
		return given
	case len(egress) == 0:
		return []calico.PolicyType{calico.PolicyTypeIngress}
	case len(ingress) == 0:
		return []calico.PolicyType{calico.PolicyTypeEgress}
	}
	return []calico.PolicyType{calico.PolicyTypeIngress, calico.PolicyTypeEgress}
}
