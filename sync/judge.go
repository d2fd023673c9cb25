package sync

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
)

// judge fills in what the differences do to traffic, and puts those that open something first: they are told first.
func (r *round) judge(differences []drift.Difference) {
	if len(differences) == 0 {
		return
	}
	if _, err := r.engine.judge.Judge(r.scene(), differences); err != nil {
		r.log.Error("the effect of drift cannot be judged", "tenant", r.target.name, "err", err)
	}
	slices.SortStableFunc(differences, func(a, b drift.Difference) int { return urgency(a.Effect) - urgency(b.Effect) })
}

// urgency orders effects: what may have opened comes first.
func urgency(e drift.Effect) int {
	return slices.Index([]drift.Effect{drift.Opens, drift.Both, drift.EffectUnknown, drift.Closes, drift.None}, e)
}

// scene is what surrounds the differences of a round.
func (r *round) scene() *exposure.Scene {
	s := &exposure.Scene{
		Network: r.world.rendered.Network, Namespace: r.target.name, Wanted: r.target.wanted,
		Namespaces: r.engine.cluster.NamespaceLabels(), Tenants: r.world.tenants(),
	}
	overlay := r.world.targets[clusterTenant]
	if overlay != nil {
		s.Cluster = overlay.wanted
	}
	flavour := r.engine.cluster.Flavour()
	for _, o := range r.engine.cluster.In("") {
		if overlay == nil || drift.BuiltIn(o, flavour) != "" {
			s.Fixed = append(s.Fixed, o)
		}
	}
	s.Fixed = sortedByID(s.Fixed)
	return s
}

func sortedByID(objects []*drift.Observed) []*drift.Observed {
	slices.SortFunc(objects, func(a, b *drift.Observed) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return objects
}

// tenants yields what is wanted of every tenant, sorted by name.
func (w *world) tenants() iter.Seq2[string, []*drift.Wanted] {
	return func(yield func(string, []*drift.Wanted) bool) {
		for _, name := range slices.Sorted(maps.Keys(w.targets)) {
			if name != clusterTenant && !yield(name, w.targets[name].wanted) {
				return
			}
		}
	}
}
