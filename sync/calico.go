package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
)

// flavour is how the cluster serves Calico's kinds. Where it is not known, they are
// written as Calico's own API server wants it, which is well understood everywhere.
func (w *writer) flavour() drift.Flavour {
	return cmp.Or(w.cluster.Flavour(), drift.FlavourAggregated)
}

// sent returns an object as it is sent: where the API server is restless, with all
// that it would add by itself.
func (w *writer) sent(want *drift.Wanted) *unstructured.Unstructured {
	u := placed(want)
	if d := w.flavour().Dialect(); d.Restless || d.StickyTypes {
		return drift.Complete(want.ID.Kind, u)
	}
	return u
}

// placed returns a copy of an object where its kind puts it: kustomize gives a namespace to kinds that have none.
func placed(want *drift.Wanted) *unstructured.Unstructured {
	u := want.DeepCopy()
	if !want.ID.Kind.Namespaced {
		u.SetNamespace("")
	}
	return u
}

// isThere says whether an object could not be created since it exists.
func isThere(err error) bool {
	return apierrors.IsAlreadyExists(err) || drift.RefusalOf(err) == drift.RefusalExists
}

// isGoneAlready says whether there is no object of the name. What exists under the
// other spelling is another object to everybody but Calico.
func isGoneAlready(err error) bool {
	return apierrors.IsNotFound(err) || drift.RefusalOf(err) == drift.RefusalSpelling
}

// respell writes a policy that stands under the other spelling of its name. To
// Calico's own API server both are one object, which is kept as it was first named; so
// that one goes, and a copy stands in meanwhile: see [writer.recreate].
func (w *writer) respell(ctx context.Context, want *drift.Wanted, refused error) (action, error) {
	other := drift.OtherSpelling(want.ID)
	if w.wants != nil && w.wants(other) {
		return failed, fmt.Errorf("there is %s in Git as well, and to Calico's API server both are one: %w", other, refused)
	}
	there, err := w.current(ctx, other)
	if err != nil || there == nil {
		return failed, errors.Join(refused, err)
	}
	return w.recreate(ctx, want, there)
}

// gitHas says whether the newest world has an object.
func (e *Engine) gitHas(id drift.ID) bool {
	w := e.world.Load()
	return w != nil && w.targets[id.Namespace] != nil && w.targets[id.Namespace].holds(id)
}

// lostWrite counts and tells a write that was lost.
func (e *Engine) lostWrite(id drift.ID) {
	e.config.Metrics.lost.Inc()
	e.config.Log.Warn("the API server lost a write and called it done; it is made again", "object", id.String())
}
