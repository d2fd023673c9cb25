package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// writeTries is how often a write is begun anew after a conflict.
const writeTries = 5

// action is what a write did, as in ringfence_sync_objects_total.
type action string

const (
	created action = "created"
	updated action = "updated"
	pruned  action = "pruned"
	failed  action = "failed"
)

// writer is the one way in which Ringfence writes guarded objects and
// Namespaces:
//
//  1. Server-side apply with force under our field manager, with the uid and the
//     resourceVersion of the live object that it was compared with as
//     precondition, or on condition that there is none (see [createOnly]). Every
//     field of the render is then ours.
//  2. The answer is compared with the render. What differs was added by others,
//     since no apply removes what it never owned.
//  3. If anything differs: one PUT of exactly the render, with the answer's
//     resourceVersion as precondition and managedFields cut down to our Apply
//     entry. It only removes fields, so the API server makes no Update entry
//     for it, and a later apply that drops a field really drops it.
//
// Where 1 would change the object and still leave something (see [writer.mixed]), the PUT comes first, so that no object
// in between is ever there: then 1, and a second PUT that takes the Update entry away which the first one made.
//
// If we crash between two of them, the next comparison finds what differs; an Update entry of ours that is left takes
// nothing from what is wanted, and goes with the next such PUT.
type writer struct {
	dynamic dynamic.Interface
	manager string
	cluster *drift.Cluster
	// versions are what was wanted of an object before; see [progress]. Nil: nothing.
	versions func(drift.ID) []*drift.Wanted
	// wants says whether Git has an object. Nil: nothing.
	wants func(drift.ID) bool
	// lost is told of a write that the API server lost and called done. Nil: nobody.
	lost func(drift.ID)
	// queue is where writes to Calico's own API server wait for their turn. Nil: nowhere.
	queue *queue
}

// errUnequal says that the API server does not keep what it is given.
var errUnequal = errors.New("the API server's object differs from the render after it was written")

// errGoing says that the object is being deleted; the answer with it is what is
// left of it.
var errGoing = errors.New("it is being deleted, and hangs on finalizers")

// apply writes one object; live is what is known to be there, or nil.
func (w *writer) apply(ctx context.Context, want *drift.Wanted, live *drift.Observed) (action, error) {
	done := created
	if live != nil {
		done = updated
	}
	var err error
	for range writeTries {
		if live != nil && live.GetDeletionTimestamp() != nil && want.ID.Kind != kinds.Namespace {
			return w.recreate(ctx, want, live)
		}
		var answer *unstructured.Unstructured
		answer, err = w.once(ctx, want, live)
		if err == nil {
			w.cluster.Wrote(want.ID.Kind, answer)
			return done, nil
		}
		if errors.Is(err, errGoing) {
			return w.recreate(ctx, want, &drift.Observed{Unstructured: answer, ID: want.ID})
		}
		if cannotChange(err) && live != nil {
			return w.recreate(ctx, want, live)
		}
		if drift.RefusalOf(err) == drift.RefusalSpelling {
			return w.respell(ctx, want, err)
		}
		if !apierrors.IsConflict(err) || ctx.Err() != nil {
			break
		}
		var unknown error
		if live, unknown = w.current(ctx, want.ID); unknown != nil {
			err = errors.Join(err, drift.WithGrant(unknown))
			break
		}
		if equal(want, live) && !w.replacedBefore(live.Unstructured) {
			return done, nil // whoever wrote it wants the same
		}
	}
	return failed, err
}

// equal says whether an object stands as it is wanted.
func equal(want *drift.Wanted, live *drift.Observed) bool {
	if live == nil || live.GetDeletionTimestamp() != nil {
		return false
	}
	fields, err := want.Fields(live)
	return err == nil && len(fields) == 0
}

// createOnly makes an apply one that only creates. A deletion grace period cannot be
// given to an object that exists, nor another one than it has (apimachinery's
// ValidateObjectMetaUpdate). An apply has no other way to say so: with a
// resourceVersion or a uid it never creates.
//
// The API server drops it from an object that it creates (apiserver's
// rest.BeforeCreate). Calico's own (before 3.32) keeps it, where it means nothing; so
// each creation has one of its own, which no object has but the one that it made, and
// which is sent again with each change (see [keepPeriod]).
func createOnly(u *unstructured.Unstructured) {
	period := 1 + rand.Int64N(math.MaxInt32)
	u.SetDeletionGracePeriodSeconds(&period)
}

// keepPeriod sends the mark of [createOnly] again, if the API server has kept it: to
// leave it out would change what we own, and nothing else.
func keepPeriod(u, live *unstructured.Unstructured) {
	if live.GetDeletionTimestamp() == nil {
		u.SetDeletionGracePeriodSeconds(live.GetDeletionGracePeriodSeconds())
	}
}

// once is one try of the steps above.
func (w *writer) once(ctx context.Context, want *drift.Wanted, live *drift.Observed) (*unstructured.Unstructured, error) {
	if live != nil && w.mixed(want, live) {
		answer, err := w.replaced(ctx, want, live.Unstructured)
		if err != nil {
			return answer, err
		}
		live = &drift.Observed{Unstructured: answer, ID: want.ID}
	}
	answer, err := w.applied(ctx, want, live)
	if err != nil || !w.replacedBefore(answer) {
		return answer, err
	}
	return w.replaced(ctx, want, answer)
}

// mixed says whether an apply may change something of a live object and leave something else, which others own, or nobody.
// Between it and the replacement there would be an object that is neither what was live nor what is wanted, and that may
// let through more than both: a deny-all that selects every pod again, and still has somebody's rule.
func (w *writer) mixed(want *drift.Wanted, live *drift.Observed) bool {
	fields, err := want.Fields(live)
	if err != nil || len(fields) < 2 || want.ID.Kind == kinds.Namespace {
		return false
	}
	return slices.ContainsFunc(fields, func(f drift.Field) bool {
		if f.Want != nil {
			return false
		}
		holders := drift.WritersOf(live.Unstructured, []drift.Field{f})
		return len(holders) == 0 || slices.ContainsFunc(holders, func(h drift.Writer) bool {
			return !w.isOurs(h, metav1.ManagedFieldsOperationApply)
		})
	})
}

// replacedBefore says whether an object has an entry of a replacement of ours: what it owns no apply takes away.
func (w *writer) replacedBefore(u *unstructured.Unstructured) bool {
	return slices.ContainsFunc(drift.ManagersOf(u), func(m drift.Manager) bool {
		return m.Subresource == "" && w.isOurs(m.Writer, metav1.ManagedFieldsOperationUpdate)
	})
}

// isOurs says whether something was written by us, in one of the two ways.
func (w *writer) isOurs(by drift.Writer, operation metav1.ManagedFieldsOperationType) bool {
	return by.Name == w.manager && by.Operation == string(operation)
}

// applied is the first three steps.
func (w *writer) applied(ctx context.Context, want *drift.Wanted, live *drift.Observed) (*unstructured.Unstructured, error) {
	u := w.sent(want)
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	if live != nil {
		u.SetUID(live.GetUID())
		u.SetResourceVersion(live.GetResourceVersion())
		keepPeriod(u, live.Unstructured)
	} else {
		createOnly(u)
	}
	body, err := json.Marshal(u)
	if err != nil {
		return nil, err
	}
	force := true
	answer, err := w.resource(want.ID).Patch(ctx, want.ID.Name, types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: w.manager, Force: &force, FieldValidation: metav1.FieldValidationStrict})
	if isOtherObject(err) || isThere(err) { // made since, or deleted and made anew
		return nil, apierrors.NewConflict(want.ID.Kind.GVR().GroupResource(), want.ID.Name, err)
	}
	if err != nil {
		return nil, err
	}
	fields, err := w.checkAnswer(want, answer)
	if err != nil || len(fields) == 0 {
		return answer, err
	}
	if want.ID.Kind == kinds.Namespace {
		return nil, fmt.Errorf("%w: %s", errUnequal, paths(fields))
	}
	if answer.GetDeletionTimestamp() != nil { // without its finalizers it would be gone at once
		return answer, errGoing
	}
	return w.replaced(ctx, want, answer)
}

// replaced puts exactly the render in the place of a live object.
func (w *writer) replaced(ctx context.Context, want *drift.Wanted, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	answer, err := w.resource(want.ID).Update(ctx, w.exactly(want, live), metav1.UpdateOptions{FieldManager: w.manager})
	if apierrors.IsNotFound(err) { // deleted since
		return nil, apierrors.NewConflict(want.ID.Kind.GVR().GroupResource(), want.ID.Name, err)
	}
	if err != nil {
		return nil, err
	}
	fields, err := w.checkAnswer(want, answer)
	if err != nil {
		return nil, err
	}
	if len(fields) > 0 {
		return nil, fmt.Errorf("%w: %s", errUnequal, paths(fields))
	}
	return answer, nil
}

// isOtherObject says whether an apply was refused because the object that is there
// is not the one that was meant, or none was. It is no conflict to the API server:
// neither a uid nor a grace period can be changed, which makes the request invalid.
func isOtherObject(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool {
		return c.Field == "metadata.uid" || c.Field == "metadata.deletionGracePeriodSeconds"
	})
}

// exactly returns the render as a replacement of the live object: its identity,
// the annotations that others put there (they mean nothing to policy), its
// status, and of managedFields only our Apply entry.
func (w *writer) exactly(want *drift.Wanted, live *unstructured.Unstructured) *unstructured.Unstructured {
	u := w.sent(want)
	u.SetUID(live.GetUID())
	u.SetResourceVersion(live.GetResourceVersion())
	u.SetCreationTimestamp(live.GetCreationTimestamp())
	u.SetGeneration(live.GetGeneration())
	keepPeriod(u, live)
	annotations := live.GetAnnotations() // a copy
	for key, value := range want.GetAnnotations() {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[key] = value
	}
	if len(annotations) > 0 {
		u.SetAnnotations(annotations)
	}
	if status, ok := live.Object["status"]; ok {
		u.Object["status"] = status
	}
	var entries []metav1.ManagedFieldsEntry
	managers := drift.ManagersOf(live)
	for i, e := range live.GetManagedFields() {
		m := managers[i]
		if m.Subresource == "status" || m.Subresource == "" && w.isOurs(m.Writer, metav1.ManagedFieldsOperationApply) {
			entries = append(entries, e)
		}
	}
	u.SetManagedFields(entries)
	return u
}

// remove deletes an object of which exactly the given state is known. An object
// that is gone already is no fault. One that hangs on finalizers stays until
// whoever put them there takes them off, or we do: see [writer.release].
func (w *writer) remove(ctx context.Context, live *drift.Observed) error {
	uid, version := live.GetUID(), live.GetResourceVersion()
	err := w.resource(live.ID).Delete(ctx, live.ID.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
	})
	if err != nil && !isGoneAlready(err) {
		return w.occupied(live.ID, err)
	}
	if len(live.GetFinalizers()) == 0 {
		w.cluster.Erased(live.ID.Kind, live.Unstructured)
	}
	return nil
}

// current finds out what is there now, after a write was refused for a
// precondition: what the next try is to be compared with; nil if the object is gone.
func (w *writer) current(ctx context.Context, id drift.ID) (*drift.Observed, error) {
	live, err := w.resource(id).Get(ctx, id.Name, metav1.GetOptions{})
	switch {
	case isGoneAlready(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	w.cluster.Wrote(id.Kind, live)
	return &drift.Observed{Unstructured: live, ID: id}, nil
}

func (w *writer) resource(id drift.ID) dynamic.ResourceInterface {
	r := w.dynamic.Resource(id.Kind.GVR())
	if id.Kind.Namespaced {
		return w.paced(id.Kind, r.Namespace(id.Namespace))
	}
	return w.paced(id.Kind, r)
}

// checkAnswer compares the answer of a write with the render.
func (w *writer) checkAnswer(want *drift.Wanted, answer *unstructured.Unstructured) ([]drift.Field, error) {
	if err := w.noteLost(want.ID, want.Unstructured, answer); err != nil {
		return nil, err
	}
	return want.Fields(&drift.Observed{Unstructured: answer, ID: want.ID})
}

// noteLost makes a conflict of an answer that shows that the write was lost (see
// [drift.Lost]), and tells it.
func (w *writer) noteLost(id drift.ID, sent, answer *unstructured.Unstructured) error {
	if !drift.Lost(sent, answer) {
		return nil
	}
	if w.lost != nil {
		w.lost(id)
	}
	return apierrors.NewConflict(id.Kind.GVR().GroupResource(), id.Name,
		errors.New("the API server lost the write and answered with an empty object"))
}

func paths(fields []drift.Field) string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Path
	}
	return strings.Join(out, ", ")
}
