package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// recreate replaces an object that cannot be changed: one that is being deleted
// and hangs on a finalizer, or of which the API server refuses a field to change.
//
//  1. A copy of the render is applied under another name, which no overlay may use
//     ([kustomize.ReservedSuffix]): two equal policies, or sets, do what one does,
//     so at no moment is there neither the old nor the new one. Calico orders
//     policies of one order by name, and the copy's comes right behind.
//  2. The object is deleted, its finalizers first if it hangs on them.
//  3. The render is applied.
//  4. The copy is deleted.
//
// If we crash after 1, the copy is an extra object with a name that only we give
// and the content of one that is wanted, or was: see [leftHold]. A tier has no copy: its name is
// what policies refer to.
func (w *writer) recreate(ctx context.Context, want *drift.Wanted, live *drift.Observed) (action, error) {
	hold := holdOf(want)
	var standIn *unstructured.Unstructured
	if hold != nil {
		if err := w.nobodysElse(want, hold); err != nil {
			return failed, err
		}
		answer, err := w.once(ctx, hold, w.cluster.Get(hold.ID))
		if err != nil {
			return failed, fmt.Errorf("applying a copy to stand in while it is recreated: %w", err)
		}
		w.cluster.Wrote(hold.ID.Kind, answer)
		standIn = answer
	}
	if err := w.erase(ctx, live); err != nil {
		return failed, fmt.Errorf("deleting it to recreate it: %w", err)
	}
	answer, err := w.once(ctx, want, nil)
	if err != nil {
		return failed, err
	}
	w.cluster.Wrote(want.ID.Kind, answer)
	if standIn != nil {
		if err := w.remove(ctx, &drift.Observed{Unstructured: standIn, ID: hold.ID}); err != nil {
			return failed, fmt.Errorf("deleting the copy that stood in for it: %w", err)
		}
	}
	return updated, nil
}

// nobodysElse says whose object has the name that a copy needs; nil if there is
// none, or it is the copy of an earlier try, be it of what Git said then.
func (w *writer) nobodysElse(want, hold *drift.Wanted) error {
	there := w.cluster.Get(hold.ID)
	if there == nil {
		return nil
	}
	if w.versions != nil && slices.ContainsFunc(w.versions(want.ID), func(v *drift.Wanted) bool { return isHoldOf(v, there) }) {
		return nil
	}
	fields, err := hold.Fields(there)
	if err == nil && len(fields) > 0 {
		err = fmt.Errorf("%s, whose name is kept for a copy that stands in, is somebody else's (hint: remove it)", hold.ID)
	}
	return err
}

// erase deletes an object whatever finalizers it has.
func (w *writer) erase(ctx context.Context, live *drift.Observed) error {
	var err error
	for range writeTries {
		uid, version := live.GetUID(), live.GetResourceVersion()
		err = w.resource(live.ID).Delete(ctx, live.ID.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}})
		if err == nil || isGoneAlready(err) {
			return w.release(ctx, live)
		}
		if !apierrors.IsConflict(err) || ctx.Err() != nil {
			break
		}
		now, unknown := w.current(ctx, live.ID)
		if unknown != nil {
			return errors.Join(err, unknown)
		}
		if now == nil || now.GetUID() != uid {
			break // gone, or another one: the next round looks at it anew
		}
		live = now
	}
	return err
}

// release takes the finalizers off an object that was deleted, and notes that it
// is gone.
func (w *writer) release(ctx context.Context, live *drift.Observed) error {
	if len(live.GetFinalizers()) > 0 {
		if err := w.unhook(ctx, live); err != nil {
			return fmt.Errorf("removing its finalizers: %w", err)
		}
	}
	w.cluster.Erased(live.ID.Kind, live.Unstructured)
	return nil
}

// unhook takes the finalizers off an object, whatever else has changed of it.
func (w *writer) unhook(ctx context.Context, live *drift.Observed) error {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": string(live.GetUID()), "finalizers": nil}})
	if err != nil {
		return err
	}
	for range writeTries {
		var answer *unstructured.Unstructured
		answer, err = w.resource(live.ID).Patch(ctx, live.ID.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: w.manager})
		switch {
		case err != nil && (isGoneAlready(err) || isOtherObject(err)):
			return nil
		case err != nil:
			return err
		}
		if err = w.noteLost(live.ID, live.Unstructured, answer); err == nil {
			return nil
		}
	}
	return err
}

// cannotChange says whether a write was refused because a field may not change.
func cannotChange(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "immutable")
}

// holdOf returns the copy of a policy, or of a network set, under the name that
// stands in for it; nil for other kinds.
func holdOf(want *drift.Wanted) *drift.Wanted {
	if want.ID.Kind == kinds.Namespace || want.ID.Kind == kinds.Tier {
		return nil
	}
	o := want.Object
	o.Unstructured = want.DeepCopy()
	o.SetName(want.ID.Name + kustomize.ReservedSuffix)
	return drift.NewWanted(o)
}

// leftHold returns what an extra object is a copy of that a recreation left behind,
// and nil if it is none: it has the name of one, and says what is wanted of the
// object that it stood in for, or was since the tenant was last reached.
func leftHold(t *target, p *progress, extra drift.Difference) *drift.Wanted {
	name, isHold := strings.CutSuffix(extra.ID.Name, kustomize.ReservedSuffix)
	if !isHold {
		return nil
	}
	original := extra.ID
	original.Name = name
	candidates := slices.Concat(t.wanted, p.versions[original])
	if owned := p.owned[original]; owned != nil {
		candidates = append(candidates, owned)
	}
	for _, w := range candidates {
		if w.ID == original && isHoldOf(w, &drift.Observed{Unstructured: extra.Got, ID: extra.ID}) {
			return w
		}
	}
	return nil
}

// isHoldOf says whether a live object is a copy that stands in for the wanted one.
func isHoldOf(want *drift.Wanted, live *drift.Observed) bool {
	hold := holdOf(want)
	if hold == nil || hold.ID != live.ID {
		return false
	}
	fields, err := hold.Fields(live)
	return err == nil && len(fields) == 0
}
