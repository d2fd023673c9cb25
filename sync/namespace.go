package sync

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	corev1 "k8s.io/api/core/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// namespaceBeyond adds to the differences what a Namespace that Git renders has
// beside what Git says, and must not have:
//
//   - labels and annotations that Git said before: the apply that leaves them out
//     takes them away, unless another manager holds them too;
//   - labels that a policy of any tenant selects namespaces by.
//
// All else that others add to a Namespace is nobody's business here.
func (r *round) namespaceBeyond(live []*drift.Observed, mend []drift.Difference, differing map[drift.ID]bool) []drift.Difference {
	want := r.target.namespace()
	if want == nil {
		return mend
	}
	i := slices.IndexFunc(live, func(o *drift.Observed) bool { return o.ID == want.ID })
	if i < 0 {
		return mend
	}
	fields := append(r.left(want, live[i]), r.foreignLabels(want, live[i])...)
	if len(fields) == 0 {
		return mend
	}
	slices.SortFunc(fields, func(a, b drift.Field) int { return cmp.Compare(a.Path, b.Path) })
	fields = slices.CompactFunc(fields, func(a, b drift.Field) bool { return a.Path == b.Path })
	at := slices.IndexFunc(mend, func(d drift.Difference) bool { return d.ID == want.ID })
	if at < 0 {
		differing[want.ID] = true
		mend = append(mend, drift.Difference{ID: want.ID, Type: drift.Modified, Effect: drift.EffectUnknown, Want: want, Got: live[i].Unstructured, Seen: live[i].Seen})
		at = len(mend) - 1
	}
	mend[at].Fields = append(slices.Clone(mend[at].Fields), fields...)
	mend[at].Writers = drift.WritersOf(live[i].Unstructured, mend[at].Fields)
	return mend
}

// left returns the labels and annotations that Git said before and that still
// stand as it said.
func (r *round) left(want *drift.Wanted, live *drift.Observed) (fields []drift.Field) {
	before := r.progress.applied[want.ID]
	if before == nil || want.SameAs(before) {
		return nil
	}
	for _, at := range []struct {
		path              string
		before, now, live map[string]string
	}{
		{"metadata.labels", before.GetLabels(), want.GetLabels(), live.GetLabels()},
		{"metadata.annotations", before.GetAnnotations(), want.GetAnnotations(), live.GetAnnotations()},
	} {
		for key, value := range at.before {
			if _, kept := at.now[key]; !kept && at.live[key] == value {
				fields = append(fields, drift.Field{Path: drift.Below(at.path, key), Got: value})
			}
		}
	}
	return fields
}

// foreignLabels returns the labels that Git does not say and that a policy looks at.
func (r *round) foreignLabels(want *drift.Wanted, live *drift.Observed) (fields []drift.Field) {
	said := want.GetLabels()
	for key, value := range live.GetLabels() {
		if _, ok := said[key]; !ok && key != corev1.LabelMetadataName && r.world.sees(key) {
			fields = append(fields, drift.Field{Path: drift.Below("metadata.labels", key), Got: value})
		}
	}
	return fields
}

// sees reports whether a policy of the world selects namespaces by the label.
func (w *world) sees(key string) bool { return w.looks != nil && w.looks().Sees(key) }

// looksAt returns what the policies of all targets ask about namespaces. Equal
// policies of many tenants are read once.
func looksAt(w *world) reach.NamespaceTerms {
	seen := map[string]bool{}
	var cfg reach.Config
	for _, t := range w.targets {
		for _, want := range t.wanted {
			if template := want.Template(); want.ID.Kind != kinds.Namespace && !seen[template] {
				seen[template] = true
				u := want.DeepCopy()
				u.SetName(fmt.Sprint(want.ID.Name, "~", len(seen))) // all in one world: none may hide another
				cfg.Objects = append(cfg.Objects, reach.Object{Content: u.Object})
			}
		}
	}
	all, err := reach.New(cfg)
	if err != nil { // only a configuration of ours could be wrong
		return reach.NamespaceTerms{}
	}
	return all.NamespaceTerms()
}

// drop takes labels and annotations off a Namespace that Git does not say, nor
// what was just written: an apply leaves alone what others own. The resource version is a precondition, so
// that nothing is lost that came in between.
func (w *writer) drop(ctx context.Context, d drift.Difference, written *drift.Wanted) error {
	gone := beyond(d, written)
	if len(gone) == 0 {
		return nil
	}
	var err error
	for range writeTries {
		live := w.cluster.Get(d.ID)
		if live == nil {
			return nil
		}
		meta := map[string]any{"resourceVersion": live.GetResourceVersion(), "uid": string(live.GetUID())}
		for field, keys := range gone {
			meta[field] = keys
		}
		body, marshalErr := json.Marshal(map[string]any{"metadata": meta})
		if marshalErr != nil {
			return marshalErr
		}
		answer, patchErr := w.resource(d.ID).Patch(ctx, d.ID.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: w.manager})
		if err = patchErr; err == nil {
			w.cluster.Wrote(d.ID.Kind, answer)
			return nil
		}
		if !apierrors.IsConflict(err) || ctx.Err() != nil {
			break
		}
		if _, err := w.current(ctx, d.ID); err != nil {
			return err
		}
	}
	return fmt.Errorf("removing labels that Git does not say: %w", err)
}

// beyond returns the labels and annotations that a Namespace has beside what was written and that differ from Git, as a merge
// patch of its metadata that takes them off.
func beyond(d drift.Difference, written *drift.Wanted) map[string]map[string]any {
	gone := map[string]map[string]any{}
	for _, f := range d.Fields {
		at := f.Steps()
		if d.ID.Kind != kinds.Namespace || f.Want != nil || len(at) != 3 {
			continue
		}
		if _, stays, _ := unstructured.NestedString(written.Object.Object, at...); stays {
			continue
		}
		if gone[at[1]] == nil {
			gone[at[1]] = map[string]any{}
		}
		gone[at[1]][at[2]] = nil
	}
	return gone
}
