package world

import (
	"cmp"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/permissions"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

var reviews = schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews"}

// checkTiers finds out whether lists of Calico's policies may be cut short: Calico's own API server, which serves
// projectcalico.org/v3 up to 3.31, leaves policies of tiers that the caller may not see out of a list without a word
// (apiserver/pkg/rbac). Where the API is served from definitions, lists are whole.
func (r *reading) checkTiers(ctx context.Context, served []liveKind) error {
	var policies []liveKind
	for _, k := range served {
		if k.Group == calicoServed.Group && isTiered(k) {
			policies = append(policies, k)
		}
	}
	if len(policies) == 0 {
		return nil
	}
	switch flavour, err := drift.FindFlavour(ctx, r.Dynamic); {
	case err != nil && !isAnswer(err):
		return fmt.Errorf("reading the cluster: %w", err)
	case err == nil && flavour == drift.FlavourNative:
		return nil
	}
	for _, k := range policies { // whoever may not ask for the flavour may still see all
		lacking, err := r.lacking(ctx, k)
		if err != nil {
			return err
		}
		if len(lacking) == 0 {
			continue
		}
		why := cmp.Or(r.hidden[k.GroupVersionResource], "may be read in part only")
		delete(r.hidden, k.GroupVersionResource)
		r.missing(k, fmt.Sprintf("%s: in every tier, %s is missing (hint: %s)", why, lacking[0], permissions.Grant(permissions.Reader, lacking...)))
	}
	return nil
}

func isTiered(k liveKind) bool {
	for _, known := range kinds.Guarded() {
		if known.GVR() == k.GroupVersionResource {
			return known.Tiered
		}
	}
	return false
}

// lacking returns which of the rights that a list of every tier needs the caller has not.
func (r *reading) lacking(ctx context.Context, k liveKind) (out []permissions.Access, err error) {
	for _, a := range []permissions.Access{
		{Verb: "get", Group: kinds.GroupCalico, Resource: kinds.Tier.Resource}, {Verb: "list", Group: kinds.GroupCalico, Resource: "tier." + k.Resource},
	} {
		review := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
			"spec": map[string]any{"resourceAttributes": map[string]any{"verb": a.Verb, "group": a.Group, "resource": a.Resource}},
		}}
		answer, err := r.Dynamic.Resource(reviews).Create(ctx, review, metav1.CreateOptions{})
		if err != nil && !apierrors.IsForbidden(err) {
			return nil, fmt.Errorf("asking the cluster what may be read: %w", err)
		}
		allowed := false
		if err == nil {
			allowed, _, _ = unstructured.NestedBool(answer.Object, "status", "allowed")
		}
		if !allowed {
			out = append(out, a)
		}
	}
	return out, nil
}
