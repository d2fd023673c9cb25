package validate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// standsMost is in how many namespaces an object is tried whose own does not exist, before it is believed that it is
// refused everywhere, and not only there.
const standsMost = 3

// tells says whether a dry-run of the object says anything that its schema does not. It is the one place for kinds whose
// dry-run means nothing:
//
//   - Calico's own API server checks and defaults nothing in a dry-run (calico-api.md §2.2, 3).
//   - What admission says of a policy whose tier does not exist yet is said of the tier.
func (v *Validator) tells(w *drift.Wanted) bool {
	k := w.ID.Kind
	if k.Group != kinds.GroupCalico {
		return true
	}
	if !v.config.Cluster.Flavour().Dialect().DryRuns {
		return false
	}
	tier, _, _ := unstructured.NestedString(w.Object.Object, "spec", "tier")
	return !k.Tiered || tier == "" || v.config.Cluster.Get(drift.ID{Kind: kinds.Tier, Name: tier}) != nil
}

// tried asks the API server whether it would accept an object, unless it has accepted one like it.
func (v *Validator) tried(ctx context.Context, w *drift.Wanted, version string, stands func() []string) (faults []Fault, unknown error) {
	if !v.tells(w) {
		return nil, nil
	}
	err := v.accepted.once(ctx, keyOf(w, version), func() bool {
		faults, unknown = v.ask(ctx, w, stands)
		return len(faults) == 0 && unknown == nil
	})
	return faults, errors.Join(unknown, err)
}

// ask makes the dry-run, in the object's own namespace if it exists. If not, in others, until one accepts it: what is
// refused in all of them is not refused for a reason of their own. If there is none at all, the first write will tell.
func (v *Validator) ask(ctx context.Context, w *drift.Wanted, stands func() []string) ([]Fault, error) {
	if !w.ID.Kind.Namespaced || v.stands(w.ID.Namespace) {
		err := v.apply(ctx, w, w.ID.Namespace)
		if err == nil {
			return nil, nil
		}
		if !gone(err) {
			return verdict(w, err)
		}
	}
	var first error
	tries := 0
	for _, namespace := range append(stands(), v.config.Namespace, corev1.NamespaceDefault) {
		if tries == standsMost {
			break
		}
		if namespace == w.ID.Namespace || !v.stands(namespace) {
			continue
		}
		err := v.apply(ctx, w, namespace)
		if err == nil {
			return nil, nil
		}
		if gone(err) || full(err) {
			continue
		}
		tries++
		if first == nil {
			first = err
		}
		if passing(err) {
			break
		}
	}
	if first == nil {
		v.config.Log.Debug("no namespace to try an object in; its first write will tell", "object", w.ID.String())
		return nil, nil
	}
	return verdict(w, first)
}

// stands says whether a namespace exists and is not being deleted.
func (v *Validator) stands(namespace string) bool {
	ns := v.config.Cluster.Namespace(namespace)
	if ns == nil || ns.GetDeletionTimestamp() != nil {
		return false
	}
	phase, _, _ := unstructured.NestedString(ns.Object, "status", "phase")
	return phase != string(corev1.NamespaceTerminating)
}

// apply is a server-side apply of the object that changes nothing.
func (v *Validator) apply(ctx context.Context, w *drift.Wanted, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, v.config.Timeout)
	defer cancel()
	u := w.DeepCopy()
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	var resource dynamic.ResourceInterface = v.config.Dynamic.Resource(w.ID.Kind.GVR())
	u.SetNamespace("")
	if w.ID.Kind.Namespaced {
		u.SetNamespace(namespace)
		resource = v.config.Dynamic.Resource(w.ID.Kind.GVR()).Namespace(namespace)
	}
	body, err := json.Marshal(u)
	if err != nil {
		return err
	}
	force := true
	_, err = resource.Patch(ctx, w.ID.Name, types.ApplyPatchType, body, metav1.PatchOptions{
		DryRun: []string{metav1.DryRunAll}, Force: &force, FieldManager: v.config.Manager, FieldValidation: metav1.FieldValidationStrict,
	})
	if settles(err) {
		return nil
	}
	return err
}

// settles says whether an error of a dry-run is none of the write's: what cannot be changed is recreated by the writer, and
// a webhook that cannot be asked without effect is asked by the first write.
func settles(err error) bool {
	if apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "does not support dry run") {
		return true
	}
	status, _ := statusOf(err)
	return apierrors.IsInvalid(err) && status.Details != nil && len(status.Details.Causes) > 0 &&
		!slices.ContainsFunc(status.Details.Causes, func(c metav1.StatusCause) bool { return !immutable(c) })
}

// immutable says whether a cause is that a field may not be changed.
func immutable(c metav1.StatusCause) bool { return strings.Contains(c.Message, "immutable") }

// gone says whether the namespace went while the object was tried in it.
func gone(err error) bool {
	status, ok := statusOf(err)
	if !ok || status.Details == nil {
		return false
	}
	return apierrors.IsNotFound(err) && status.Details.Kind == kinds.Namespace.Resource ||
		slices.ContainsFunc(status.Details.Causes, func(c metav1.StatusCause) bool { return c.Type == corev1.NamespaceTerminatingCause })
}

// full says whether the namespace's own quota is why it has no room.
func full(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}

// passing says whether an error says nothing about the object: the API server, or a webhook, did not answer, or not in time.
func passing(err error) bool {
	status, ok := statusOf(err)
	if !ok {
		return true
	}
	if untyped(status) {
		return false
	}
	switch status.Code {
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestTimeout,
		http.StatusConflict, http.StatusGone, http.StatusTooManyRequests:
		return true
	}
	return status.Code < 400 || status.Code >= 500
}

// untyped says whether server-side apply could not read the object, which the API server calls an error of its own
// (apimachinery/pkg/util/managedfields/internal).
func untyped(status metav1.Status) bool {
	return status.Code == http.StatusInternalServerError &&
		(strings.Contains(status.Message, "failed to create typed patch object") || strings.Contains(status.Message, "failed to convert new object"))
}

func statusOf(err error) (metav1.Status, bool) {
	var is apierrors.APIStatus
	if !errors.As(err, &is) {
		return metav1.Status{}, false
	}
	return is.Status(), true
}

// verdict tells faults from what passes.
func verdict(w *drift.Wanted, err error) ([]Fault, error) {
	if passing(err) {
		return nil, fmt.Errorf("asking the API server whether it accepts %s: %w", w.ID, err)
	}
	return faultsOf(w, err), nil
}
