package felix

import (
	"errors"
	"fmt"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/calico/libcalico-go/lib/names"
	validator "github.com/projectcalico/calico/libcalico-go/lib/validator/v3"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/apis/networking"
	networkingv1conversion "k8s.io/kubernetes/pkg/apis/networking/v1"
	"k8s.io/kubernetes/pkg/apis/networking/validation"
)

// Validate says what is wrong with an object, as the API server of its kind does: kube-apiserver's validation of
// NetworkPolicy, and that of Calico's client, behind Calico's own API server, of Calico's kinds.
func Validate(content map[string]any) error {
	object, err := decode(content)
	if err != nil {
		return err
	}
	switch o := object.(type) {
	case *networkingv1.NetworkPolicy:
		internal := &networking.NetworkPolicy{}
		if err := networkingv1conversion.Convert_v1_NetworkPolicy_To_networking_NetworkPolicy(o, internal, nil); err != nil {
			return fmt.Errorf("converting a NetworkPolicy: %w", err)
		}
		return validation.ValidateNetworkPolicy(internal, validation.NetworkPolicyValidationOptions{}).ToAggregate()
	case *calico.NetworkPolicy:
		return errors.Join(named(o, o.Spec.Tier), validator.Validate(o))
	case *calico.GlobalNetworkPolicy:
		return errors.Join(named(o, o.Spec.Tier), validator.Validate(o))
	case *calico.StagedNetworkPolicy:
		return errors.Join(named(o, o.Spec.Tier), validator.Validate(o))
	case *calico.StagedGlobalNetworkPolicy:
		return errors.Join(named(o, o.Spec.Tier), validator.Validate(o))
	}
	return validator.Validate(object)
}

func named(policy metav1.Object, tier string) error {
	return names.ValidateTieredPolicyName(policy.GetName(), tier)
}
