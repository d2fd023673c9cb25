package sync

import (
	"context"
	"maps"
	"slices"
	stdsync "sync"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
)

// refusal is a target of which the API server would refuse something. The last good one stands in its place. It is immutable.
//
// Nothing of it is saved but that the tenant is refused. If we crash between a verdict and what follows from it, the next
// start validates again; nothing of the target was written.
type refusal struct {
	target   *target
	problems []kustomize.Problem
	// bad are the objects that are at fault.
	bad map[drift.ID]bool
	// partly: parts of the target may be in the cluster.
	partly bool
}

// screened takes in what validations came to.
func (o *owner) screened(ctx context.Context) {
	again := false
	for name, v := range o.engine.judged() {
		current := o.previous.targets[name]
		switch {
		case !current.awaits(v.target):
		case len(v.faults) > 0 || v.unknown != nil:
			o.refuse(name, &v)
		case current == v.target:
			o.sound[name] = v.target
		default: // it was refused, and is not any more
			mended := *current
			mended.refused = nil
			o.replace(&mended)
			again = true
		}
	}
	if again {
		o.resumed(ctx)
	}
}

// awaits says whether a verdict about another target is one about this, or about what is refused in its place.
func (t *target) awaits(judged *target) bool {
	return t != nil && (t == judged || t.refused != nil && t.refused.target == judged)
}

// refuse puts the last good target of a tenant in the place of one that is refused.
func (o *owner) refuse(name string, v *verdict) {
	rendered := o.previous.rendered
	r := &refusal{target: v.target, problems: v.problems(rendered), bad: map[drift.ID]bool{}, partly: v.partly}
	for _, f := range v.faults {
		r.bad[f.Want.ID] = true
	}
	before := o.previous.targets[name]
	if before.refused != nil && slices.Equal(before.problems, r.problems) {
		return
	}
	next := o.replace(o.instead(r, rendered.TenantMay))
	next.looks = stdsync.OnceValue(func() reach.NamespaceTerms { return looksAt(next) })
	o.engine.config.Metrics.countHeld(next, o.refused != "")
	delete(o.remaining, name) // what stands in its place comes as any other does, and tells what it lets through beyond
	o.saved = false
	o.engine.queue.Add(name)
}

// replace puts one target in the place of its tenant's, and tells what is new of it.
func (o *owner) replace(t *target) *world {
	w := *o.previous
	w.targets = maps.Clone(w.targets)
	w.targets[t.name] = t
	o.announce(&w)
	o.previous = &w
	o.engine.world.Store(&w)
	return &w
}

// instead returns what stands in the place of a refused target: the last good one, or if there is none, isolation.
func (o *owner) instead(r *refusal, may []string) *target {
	name := r.target.name
	for _, good := range []*target{o.sound[name], o.base[name]} {
		if good != nil && good.good && good.quarantined.IsZero() && !good.sameObjects(r.target) {
			stands := good.withProblems(r.problems, may)
			stands.refused = r
			return stands
		}
	}
	return r.isolation()
}

// isolation returns the target of a tenant of which nothing good is known: the guard's objects, whatever of its own only
// isolates, and our own policy for what is at fault among them.
func (r *refusal) isolation() *target {
	t := *r.target
	t.good, t.problems, t.refused, t.wanted = false, r.problems, r, nil
	lacks := false
	for _, w := range r.target.wanted {
		switch {
		case !w.Guard && !isolatesOnly(w):
		case r.bad[w.ID]:
			lacks = true
		default:
			t.wanted = append(t.wanted, w)
		}
	}
	if _, ingress, egress := isolation(t.wanted); lacks && t.name != clusterTenant && (!ingress || !egress) {
		t.wanted = append(t.wanted, drift.NewWanted(denyAll(t.name)))
	}
	return &t
}

// unrefused returns the target of a tenant in a new revision: next, unless it is what was refused already. That is validated
// again all the same, but in its own time.
func (o *owner) unrefused(next, before *target, may []string) *target {
	if before == nil || before.refused == nil || len(next.problems) > 0 || !next.sameObjects(before.refused.target) {
		return next
	}
	r := *before.refused
	r.target = next
	return o.instead(&r, may)
}

// screenRefused makes sure that what is refused in a world is validated again, and forgets what was acceptable of tenants
// that it does not have, or has in quarantine.
func (o *owner) screenRefused(w *world) {
	for name, t := range w.targets {
		if t.refused != nil {
			o.engine.queue.Add(name)
		}
	}
	maps.DeleteFunc(o.sound, func(name string, _ *target) bool {
		t := w.targets[name]
		return t == nil || !t.quarantined.IsZero()
	})
}

// mayHave returns the objects of a revision that may be in the cluster, of a tenant of which the state says that it was
// refused: the guard's.
func (e exception) mayHave(wanted []*drift.Wanted) []*drift.Wanted {
	if !e.Refused {
		return wanted
	}
	return slices.DeleteFunc(wanted, func(w *drift.Wanted) bool { return !w.Guard })
}
