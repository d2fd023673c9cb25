package sync

import (
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// clusterTenant is the name under which the cluster overlay is worked on.
const clusterTenant = ""

// world is what the newest revision wants of the whole cluster. It is immutable
// once published.
type world struct {
	revision string
	rendered *Rendered
	targets  map[string]*target
	// refused are problems of overlays that belong to no target.
	refused []kustomize.Problem
	pruning
	// looks are what the policies of all targets ask about namespaces.
	looks func() reach.NamespaceTerms
	// barrier is between the closings and the openings of the revision; nil if nothing was ever to be done.
	barrier *barrier
}

// judgesAs says whether both worlds find the same of an equal live state: the
// same differences are ignored, extras are treated alike, the network is the
// same, and policies look at the same labels of namespaces.
func (w *world) judgesAs(other *world) bool {
	if w.rendered == nil || other.rendered == nil {
		return w.rendered == other.rendered
	}
	return slices.Equal(w.rendered.Ignore, other.rendered.Ignore) && w.rendered.DeleteExtra == other.rendered.DeleteExtra &&
		reflect.DeepEqual(w.rendered.Network, other.rendered.Network) && slices.Equal(w.keys(), other.keys())
}

// keys returns the label keys that the world's policies select namespaces by.
func (w *world) keys() []string {
	if w.looks == nil {
		return nil
	}
	return w.looks().Keys()
}

// target is what is wanted of one tenant, or of the cluster overlay. It is
// immutable once published.
type target struct {
	name    string
	overlay string
	// revision is the one that the objects come from: the newest, or the last
	// good one if the newest does not render for this tenant.
	revision string
	wanted   []*drift.Wanted
	// good: the objects are a whole render, not only the guard's.
	good bool
	// problems of the newest revision, if its overlay is refused.
	problems []kustomize.Problem
	// own are the tenant's own settings, of the newest revision that renders.
	own kustomize.Own
	// suspended is until when what is new waits, by the tenant's own settings; zero
	// if nothing does.
	suspended time.Time
	// held is what waits for the end of the suspension; nil if nothing does.
	held *target
	// refused is what the API server would refuse, and in whose place this stands; nil if nothing is.
	refused *refusal
	// quarantined is since when the overlay is gone from Git; zero if it is not.
	quarantined time.Time
	// released is what lets go of the namespace, which is then quarantined no longer than until all that was written into it
	// is gone; nil if nothing does.
	released *kustomize.Offboarding
}

// newTarget prepares rendered objects; those that are the same as before keep
// what was computed for them.
func newTarget(t *kustomize.Tenant, revision string, before *target) *target {
	return &target{
		name: t.Name, overlay: t.Overlay, revision: revision, good: len(t.Problems) == 0, problems: t.Problems,
		own: t.Own(), wanted: prepare(t.Objects, before),
	}
}

// heldBack returns the target of the newest revision, where this one stands in its place because it waits or is refused; nil
// if it does not.
func (t *target) heldBack() *target {
	if t.held == nil && t.refused != nil {
		return t.refused.target
	}
	return t.held
}

// waiting returns the target as it was, for a tenant whose own settings hold
// the newest revision back, which is next.
func (t *target) waiting(next *target) *target {
	kept := *t
	kept.own, kept.problems, kept.refused, kept.held = next.own, nil, nil, next
	return &kept
}

func prepare(objects []kustomize.Object, before *target) []*drift.Wanted {
	known := map[drift.ID]*drift.Wanted{}
	if before != nil {
		for _, w := range before.wanted {
			known[w.ID] = w
		}
	}
	out := make([]*drift.Wanted, 0, len(objects))
	for _, o := range objects {
		w := drift.NewWanted(o)
		if old := known[w.ID]; old != nil && w.SameAs(old) {
			w = old
		}
		out = append(out, w)
	}
	return out
}

// sameObjects says whether both want the same objects with the same content.
func (t *target) sameObjects(other *target) bool {
	return t == other || other != nil && slices.EqualFunc(t.wanted, other.wanted, (*drift.Wanted).SameAs)
}

// withProblems returns the target as it was, with the newest revision's
// problems: the last good state stands, and of its own settings what is still
// allowed.
func (t *target) withProblems(problems []kustomize.Problem, may []string) *target {
	kept := *t
	kept.refused = nil
	kept.problems, kept.suspended, kept.held, kept.own = problems, time.Time{}, nil, t.own.Within(may)
	return &kept
}

// holds says whether the object is among those wanted.
func (t *target) holds(id drift.ID) bool {
	return slices.ContainsFunc(t.wanted, func(w *drift.Wanted) bool { return w.ID == id })
}

// namespace returns the Namespace object of the target; nil if Git has none.
func (t *target) namespace() *drift.Wanted {
	for _, w := range t.wanted {
		if w.ID.Kind == kinds.Namespace {
			return w
		}
	}
	return nil
}

// isolation returns the wanted objects that do nothing but isolate, and whether
// all together isolate in both directions.
func isolation(wanted []*drift.Wanted) (objects []*drift.Wanted, ingress, egress bool) {
	for _, w := range wanted {
		in, out := w.Isolates()
		if isolatesOnly(w) {
			objects = append(objects, w)
		}
		ingress, egress = ingress || in, egress || out
	}
	return objects, ingress, egress
}

// isolatesOnly says whether a policy isolates and allows nothing: one that
// isolates in one direction may have rules in the other.
func isolatesOnly(w *drift.Wanted) bool {
	if in, out := w.Isolates(); !in && !out {
		return false
	}
	for _, direction := range []string{"ingress", "egress"} {
		if rules, _, _ := unstructured.NestedSlice(w.Object.Object, "spec", direction); len(rules) > 0 {
			return false
		}
	}
	return true
}
