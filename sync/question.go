package sync

import (
	"slices"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/order"
)

// heldBeyond finds out what a tenant whose new revision is held back, or refused, still lets through, and that revision does
// not: openings of others that meet it wait.
func (r *round) heldBeyond() error {
	held, name := r.target.heldBack(), r.target.name
	if held == nil || r.world.barrier.alone(name) {
		return nil
	}
	found, err := drift.Compare(held.wanted, r.engine.cluster.In(name), func(o *drift.Observed) bool { return !r.target.holds(o.ID) })
	if err != nil {
		return err
	}
	s := r.scene()
	s.Wanted = held.wanted
	q := order.Question{Namespace: name, Scenes: []*exposure.Scene{s}}
	for _, d := range found {
		if d.ID.Kind != kinds.Namespace {
			q.Changes = append(q.Changes, order.Change{Difference: d, Held: true})
		}
	}
	r.addAround(&q)
	o, err := r.engine.planner.Find(r.engine.judge, q)
	if err == nil {
		r.out.beyond = reach.JoinConnections(r.out.beyond, o.Beyond)
	}
	return err
}

// question asks for the order of what is left. While the cluster overlay changes too, what it is yet to become belongs to
// the end that a tenant must be judged by, and what is live of it to the way there: its differences are part of the question,
// and held. The overlay itself is judged with the tenants as they are, and as they will be.
func (r *round) question() (order.Question, []int) {
	name, b := r.target.name, r.world.barrier
	s := r.scene()
	q := order.Question{
		Namespace: name, Scenes: []*exposure.Scene{s}, Alone: b.alone(name), Strict: b.strict(name), Fresh: r.progress.revision == "" && !r.progress.stood,
	}
	var index []int
	stopped := r.stopped()
	for i, own := range r.steps {
		if !own.done {
			q.Changes = append(q.Changes, order.Change{Difference: own.difference, Held: own.held || stopped})
			index = append(index, i)
		}
	}
	if b.alone(name) {
		return q, index
	}
	r.addAround(&q)
	if name == clusterTenant || r.relabels() {
		live := *s
		live.Tenants = r.liveTenants
		q.Scenes = append(q.Scenes, &live)
	}
	return q, index
}

// addAround adds what the cluster overlay is yet to become around a tenant.
func (r *round) addAround(q *order.Question) {
	if r.target.name == clusterTenant || !r.world.barrier.touches(clusterTenant) {
		return
	}
	s := q.Scenes[0]
	s.Wanted, s.Cluster = slices.Concat(s.Wanted, s.Cluster), nil
	for _, d := range r.clusterDifferences() {
		q.Changes = append(q.Changes, order.Change{Difference: d, Held: true, Around: true})
	}
}

// clusterDifferences are those between what is live of the cluster overlay and what it is to become. What others have put
// there stays, and is no part of either.
func (r *round) clusterDifferences() []drift.Difference {
	overlay := r.world.targets[clusterTenant]
	if overlay == nil {
		return nil
	}
	before := r.world.barrier.before
	found, err := drift.Compare(overlay.wanted, sortedByID(r.engine.cluster.In(clusterTenant)), func(o *drift.Observed) bool {
		return before == nil || !before.holds(o.ID)
	})
	if err != nil {
		return nil // its own round says so
	}
	return found
}

func (r *round) relabels() bool {
	return slices.ContainsFunc(r.steps, func(s step) bool { return s.difference.ID.Kind == kinds.Namespace && !s.done })
}

// liveTenants yields what is live of every tenant, sorted by name.
func (r *round) liveTenants(yield func(string, []*drift.Wanted) bool) {
	for name := range r.world.tenants() {
		var live []*drift.Wanted
		for _, o := range r.engine.cluster.In(name) {
			live = append(live, drift.NewWanted(kustomize.Object{Unstructured: o.Unstructured, Kind: o.ID.Kind}))
		}
		if !yield(name, live) {
			return
		}
	}
}
