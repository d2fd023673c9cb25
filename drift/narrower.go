package drift

import (
	"encoding/json"
	"slices"

	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	sigsjson "sigs.k8s.io/json"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Narrower reports whether a NetworkPolicy of Kubernetes can be written over what is live of it, nil for nothing, by a
// server-side apply and then a replacement, and open no connection at any moment, whatever other policies there are of any
// kind, seen or not. It answers false wherever that does not follow from the two alone.
//
// It is so if the policy isolates at least what the live one does, and each of its rules is one of the live one's: what a
// pod is isolated by is then no less, and what it is allowed is no more, so that no policy before it, beside it or behind it
// comes to let more through. What such a policy does not select falls to Calico's later tiers, or to BaselineAdminNetworkPolicies,
// which may allow; nothing falls there that did not before. Between the two writes the lists of rules may still be the live ones.
func Narrower(want *Wanted, live *unstructured.Unstructured) bool {
	if want.ID.Kind != kinds.NetworkPolicy || len(want.GetFinalizers()) > 0 {
		return false
	}
	w, ok := policySpec(want.Unstructured)
	if !ok {
		return false
	}
	bare := len(w.Ingress)+len(w.Egress) == 0
	if live == nil {
		return bare
	}
	l, ok := policySpec(live)
	if !ok || live.GetDeletionTimestamp() != nil || len(live.GetFinalizers()) > 0 {
		return false // it would be made anew, with a copy to stand in
	}
	for _, t := range l.PolicyTypes {
		if !slices.Contains(w.PolicyTypes, t) {
			return false
		}
	}
	if !equality.Semantic.DeepEqual(w.PodSelector, l.PodSelector) {
		all := len(w.PodSelector.MatchLabels)+len(w.PodSelector.MatchExpressions) == 0
		return all && bare && len(l.Ingress)+len(l.Egress) == 0
	}
	return fewer(w.Ingress, l.Ingress, slices.Contains(l.PolicyTypes, networking.PolicyTypeIngress)) &&
		fewer(w.Egress, l.Egress, slices.Contains(l.PolicyTypes, networking.PolicyTypeEgress))
}

// fewer says whether every rule is one of those that are live. Rules of a direction that the live policy does not isolate
// mean nothing until it does.
func fewer[R any](rules, live []R, isolated bool) bool {
	if !isolated {
		return len(rules)+len(live) == 0
	}
	return !slices.ContainsFunc(rules, func(r R) bool {
		return !slices.ContainsFunc(live, func(l R) bool { return equality.Semantic.DeepEqual(r, l) })
	})
}

// policySpec reads a policy as the API server does, and answers false if there is anything in it that is not known.
func policySpec(u *unstructured.Unstructured) (*networking.NetworkPolicySpec, bool) {
	raw, err := json.Marshal(u.Object["spec"])
	if err != nil {
		return nil, false
	}
	spec := &networking.NetworkPolicySpec{}
	if strict, err := sigsjson.UnmarshalStrict(raw, spec); err != nil || len(strict) > 0 {
		return nil, false
	}
	defaultNetworkPolicy(spec)
	return spec, true
}
