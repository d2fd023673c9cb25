package felix

import (
	"fmt"
	"net/netip"

	"github.com/projectcalico/calico/app-policy/checker"
	"github.com/projectcalico/calico/app-policy/policystore"
	"github.com/projectcalico/calico/felix/proto"
	"github.com/projectcalico/calico/felix/rules"
	"github.com/projectcalico/calico/felix/types"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/api"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/model"
	corev1 "k8s.io/api/core/v1"
)

// Packet is the first packet of a connection.
type Packet struct {
	Protocol   uint8 // its number
	Port       uint16
	Type, Code uint8 // of ICMP and ICMPv6
}

// End is one end of a connection: an address, and the pod that has it.
type End struct {
	Pod  string // "namespace/name"; "" for an address outside
	Addr netip.Addr
}

// Reference judges connections with the parts of Calico that judge them in a cluster. It may not be used concurrently.
type Reference struct {
	pending bool
	packet  *flow // that is being judged
	store   *policystore.PolicyStore
	pods    map[string]*proto.WorkloadEndpoint // nil for pods that Calico does not judge
	views   map[viewKey]*policystore.PolicyStore
}

// New makes a reference of objects in the form in which a World gets them. pending counts staged policies as enforced.
// The error is of an object that Calico refuses.
func New(objects []map[string]any, pending bool) (*Reference, error) {
	updates, pods, err := gather(objects)
	if err != nil {
		return nil, err
	}
	r := &Reference{pending: pending, packet: &flow{}, pods: pods, views: map[viewKey]*policystore.PolicyStore{}}
	r.store, err = compute(updates, func(u *proto.IPSetUpdate) policystore.IPSet { return newKernelSet(u, r.packet) })
	if err != nil {
		return nil, err
	}
	for id, endpoint := range r.store.Endpoints {
		r.pods[types.WorkloadEndpointIDToProto(id).WorkloadId] = r.rendered(endpoint)
	}
	return r, nil
}

// gather returns what the syncer would send to Felix, and the names of all pods.
func gather(objects []map[string]any) (updates []api.Update, pods map[string]*proto.WorkloadEndpoint, err error) {
	ready := model.KVPair{Key: model.ReadyFlagKey{}, Value: true}
	updates = []api.Update{{KVPair: ready, UpdateType: api.UpdateTypeKVNew}}
	pods = map[string]*proto.WorkloadEndpoint{}
	for _, content := range append(builtinTiers(), objects...) {
		object, err := decode(content)
		if err != nil {
			return nil, nil, err
		}
		if pod, ok := object.(*corev1.Pod); ok {
			pods[pod.Namespace+"/"+pod.Name] = nil
		}
		more, err := updatesOf(object)
		if err != nil {
			return nil, nil, err
		}
		updates = append(updates, more...)
	}
	return updates, pods, nil
}

// builtinTiers are the tiers that Calico makes when it starts (libcalico-go/lib/clientv3/client.go, EnsureInitialized).
// A tier of the same name that is given comes later and replaces them.
func builtinTiers() []map[string]any {
	tier := func(name string, order float64, action string) map[string]any {
		return map[string]any{
			"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": map[string]any{"name": name},
			"spec": map[string]any{"order": order, "defaultAction": action},
		}
	}
	return []map[string]any{
		tier("default", 1_000_000, "Deny"), tier("adminnetworkpolicy", 1_000, "Pass"), tier("baselineadminnetworkpolicy", 10_000_000, "Pass"),
	}
}

// Allowed reports whether the egress policies of the source and the ingress policies of the destination let a packet pass.
func (r *Reference) Allowed(source, destination End, packet Packet) (bool, error) {
	out, err := r.side(rules.RuleDirEgress, source.Pod, source, destination, packet)
	if err != nil || !out {
		return false, err
	}
	return r.side(rules.RuleDirIngress, destination.Pod, source, destination, packet)
}

// side asks Calico's checker about one direction.
func (r *Reference) side(direction rules.RuleDir, pod string, source, destination End, packet Packet) (bool, error) {
	if pod == "" {
		return true, nil
	}
	endpoint, ok := r.pods[pod]
	switch {
	case ok && endpoint == nil:
		return true, nil
	case !ok:
		return false, fmt.Errorf("judging pod %s: Felix knows none of that name", pod)
	}
	*r.packet = flow{packet, source.Addr, destination.Addr}
	trace := checker.Evaluate(direction, r.view(source.Addr.Is4(), packet), endpoint, r.packet)
	if len(trace) == 0 {
		return false, fmt.Errorf("judging pod %s: the checker says nothing of %+v", pod, r.packet)
	}
	switch last := trace[len(trace)-1]; last.Action {
	case rules.RuleActionAllow:
		return true, nil
	case rules.RuleActionDeny:
		return false, nil
	default:
		return false, fmt.Errorf("judging pod %s: the checker ends with %v", pod, last)
	}
}
