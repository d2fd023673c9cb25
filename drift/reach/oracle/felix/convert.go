package felix

import (
	"fmt"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/api"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/k8s/conversion"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/model"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/syncersv1/updateprocessors"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/watchersyncer"
	"github.com/projectcalico/calico/libcalico-go/lib/names"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	adminpolicy "sigs.k8s.io/network-policy-api/apis/v1alpha1"
)

// updatesOf turns an object into what Calico's syncer sends to Felix: through the conversion of Kubernetes' objects to
// Calico's (libcalico-go/lib/backend/k8s/conversion) and the update processors (…/syncersv1/updateprocessors).
func updatesOf(object metav1.Object) ([]api.Update, error) {
	pairs, processor, err := convert(object)
	if err != nil {
		return nil, fmt.Errorf("converting %T %s: %w", object, object.GetName(), err)
	}
	var out []api.Update
	for _, pair := range pairs {
		processed := []*model.KVPair{pair}
		if processor != nil {
			if processed, err = processor.Process(pair); err != nil {
				return nil, fmt.Errorf("processing %T %s: %w", object, object.GetName(), err)
			}
		}
		for _, p := range processed {
			if p.Value != nil {
				out = append(out, api.Update{KVPair: *p, UpdateType: api.UpdateTypeKVNew})
			}
		}
	}
	return out, nil
}

func convert(object metav1.Object) ([]*model.KVPair, watchersyncer.SyncerUpdateProcessor, error) {
	var pair *model.KVPair
	var processor watchersyncer.SyncerUpdateProcessor
	var err error
	kubernetes := conversion.NewConverter()
	switch o := object.(type) {
	case *corev1.Pod:
		if !kubernetes.IsValidCalicoWorkloadEndpoint(o) {
			return nil, nil, nil
		}
		pairs, err := kubernetes.PodToWorkloadEndpoints(o)
		return pairs, updateprocessors.NewWorkloadEndpointUpdateProcessor(), err
	case *corev1.Namespace:
		processor = updateprocessors.NewProfileUpdateProcessor()
		pair, err = kubernetes.NamespaceToProfile(o)
	case *corev1.ServiceAccount:
		processor = updateprocessors.NewProfileUpdateProcessor()
		pair, err = kubernetes.ServiceAccountToProfile(o)
	case *corev1.Service:
		pair, err = kubernetes.ServiceToKVP(o)
	case *discoveryv1.EndpointSlice:
		pair, err = kubernetes.EndpointSliceToKVP(o)
	case *networkingv1.NetworkPolicy:
		processor = updateprocessors.NewNetworkPolicyUpdateProcessor()
		pair, err = kubernetes.K8sNetworkPolicyToCalico(o)
	case *adminpolicy.AdminNetworkPolicy:
		processor = updateprocessors.NewGlobalNetworkPolicyUpdateProcessor()
		pair, err = kubernetes.K8sAdminNetworkPolicyToCalico(o)
	case *adminpolicy.BaselineAdminNetworkPolicy:
		processor = updateprocessors.NewGlobalNetworkPolicyUpdateProcessor()
		pair, err = kubernetes.K8sBaselineAdminNetworkPolicyToCalico(o)
	default:
		pair, processor, err = convertCalico(object)
	}
	return []*model.KVPair{pair}, processor, err
}

func convertCalico(object metav1.Object) (*model.KVPair, watchersyncer.SyncerUpdateProcessor, error) {
	key := model.ResourceKey{Namespace: object.GetNamespace(), Name: object.GetName()}
	policy := names.TieredPolicyName(object.GetName()) // as a policy is stored
	var processor watchersyncer.SyncerUpdateProcessor
	switch object.(type) {
	case *calico.Tier:
		key.Kind, processor = calico.KindTier, updateprocessors.NewTierUpdateProcessor()
	case *calico.NetworkSet:
		key.Kind, processor = calico.KindNetworkSet, updateprocessors.NewNetworkSetUpdateProcessor()
	case *calico.GlobalNetworkSet:
		key.Kind, processor = calico.KindGlobalNetworkSet, updateprocessors.NewGlobalNetworkSetUpdateProcessor()
	case *calico.NetworkPolicy:
		key.Kind, key.Name = calico.KindNetworkPolicy, policy
		processor = updateprocessors.NewNetworkPolicyUpdateProcessor()
	case *calico.GlobalNetworkPolicy:
		key.Kind, key.Name = calico.KindGlobalNetworkPolicy, policy
		processor = updateprocessors.NewGlobalNetworkPolicyUpdateProcessor()
	case *calico.StagedNetworkPolicy:
		key.Kind, key.Name = calico.KindStagedNetworkPolicy, policy
		processor = updateprocessors.NewStagedNetworkPolicyUpdateProcessor()
	case *calico.StagedGlobalNetworkPolicy:
		key.Kind, key.Name = calico.KindStagedGlobalNetworkPolicy, policy
		processor = updateprocessors.NewStagedGlobalNetworkPolicyUpdateProcessor()
	case *calico.StagedKubernetesNetworkPolicy:
		key.Kind = calico.KindStagedKubernetesNetworkPolicy
		processor = updateprocessors.NewStagedKubernetesNetworkPolicyUpdateProcessor()
	default:
		return nil, nil, fmt.Errorf("the kind is not known")
	}
	return &model.KVPair{Key: key, Value: object}, processor, nil
}
