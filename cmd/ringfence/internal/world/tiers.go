package world

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

var (
	reviews     = schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews"}
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
)

// checkTiers finds out whether lists of Calico's policies may be cut short: Calico's own API server, which serves
// projectcalico.org/v3 up to 3.31, leaves policies of tiers that the caller may not see out of a list without a word
// (apiserver/pkg/rbac). Where the API is served from definitions, lists are whole.
func (r *reading) checkTiers(ctx context.Context, served []liveKind) error {
	native, asked := false, false
	for _, k := range served {
		if k.Group != calicoServed.Group || !isTiered(k) {
			continue
		}
		if !asked {
			_, err := r.Dynamic.Resource(definitions).Get(ctx, "networkpolicies."+kinds.GroupCalico, metav1.GetOptions{})
			if err != nil && !isAnswer(err) {
				return fmt.Errorf("reading the cluster: %w", err)
			}
			native, asked = err == nil, true
		}
		if native {
			return nil
		}
		whole, err := r.seesAllTiers(ctx, k)
		if err != nil {
			return err
		}
		if !whole {
			r.missing(k, "may be read in part only: the right to list tier."+k.Resource+" in every tier, or to get tiers, is missing")
		}
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

// seesAllTiers asks whether the caller has both rights that a list of every tier needs.
func (r *reading) seesAllTiers(ctx context.Context, k liveKind) (bool, error) {
	for _, right := range [][2]string{{"get", "tiers"}, {"list", "tier." + k.Resource}} {
		review := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
			"spec": map[string]any{"resourceAttributes": map[string]any{"verb": right[0], "group": kinds.GroupCalico, "resource": right[1]}},
		}}
		answer, err := r.Dynamic.Resource(reviews).Create(ctx, review, metav1.CreateOptions{})
		switch {
		case apierrors.IsForbidden(err):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("asking the cluster what may be read: %w", err)
		}
		if allowed, _, _ := unstructured.NestedBool(answer.Object, "status", "allowed"); !allowed {
			return false, nil
		}
	}
	return true, nil
}
