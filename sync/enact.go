package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sync/order"
)

// closeAll makes the closings.
func (r *round) closeAll(ctx context.Context) (done bool, err error) {
	name := r.target.name
	if drifted := slices.ContainsFunc(r.steps, func(s step) bool { return s.drifted }); !drifted && !r.out.turn.mayClose(name) && !r.world.barrier.alone(name) {
		r.out.waits = len(r.steps) > 0
		return r.out.waits, nil
	}
	return false, r.follow(ctx, order.Closing)
}

// openAll makes the openings that may be made now. What no order was found for may have one from where the others led to.
func (r *round) openAll(ctx context.Context) (done bool, err error) {
	for !r.stopped() {
		before := r.undone()
		if err := r.follow(ctx, order.Opening); err != nil || len(r.order.Waiting) == 0 || r.undone() == before {
			return false, err
		}
		r.order = nil
	}
	return false, nil
}

// undone counts the steps that are not made.
func (r *round) undone() (n int) {
	for _, s := range r.steps {
		if !s.done {
			n++
		}
	}
	return n
}

// follow takes the steps up to one phase in their order: in the second one, what was an opening once may only close now.
// What cannot be written is passed over: the rest is put in order anew without it, since it may be what others rely on.
// Where what must not be missing cannot be written, nothing else is.
func (r *round) follow(ctx context.Context, phase order.Phase) error {
	for failed := false; ; failed = false {
		if r.order == nil {
			if err := r.find(); err != nil {
				return err
			}
		}
		for i, s := range r.order.Steps {
			if failed || r.taken[i] || s.Phase > phase || !r.mayTake(s) {
				continue
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.refresh() // an earlier step may have written the same object
			own := &r.steps[s.Change]
			if own.done {
				continue
			}
			if own.held {
				failed = true // by what was found out about it just now
				continue
			}
			if err := r.write(ctx, own, s.Content); err != nil {
				own.held, own.fault, failed = true, err, true
				if r.stopped() {
					return r.find()
				}
				continue
			}
			r.engine.rehearsal.took(r, s, own)
			r.progress.written++
			r.taken[i] = true
			own.done = s.Content == nil
			r.tellCourse()
		}
		if !failed {
			return nil
		}
		r.order = nil
	}
}

// stopped says whether a step failed without which nothing else may be done.
func (r *round) stopped() bool {
	return slices.ContainsFunc(r.steps, func(s step) bool {
		return s.fault != nil && s.needed() && r.engine.cluster.Served(s.difference.ID.Kind)
	})
}

// find puts what is left of the steps in order.
func (r *round) find() error {
	r.refresh()
	r.order, r.out.beyond, r.taken = &order.Order{}, nil, map[int]bool{}
	if !slices.ContainsFunc(r.steps, func(s step) bool { return !s.done }) {
		return r.heldBeyond()
	}
	if one, ok := r.single(); ok {
		r.order.Steps = []order.Step{{Change: one, Phase: order.Closing}}
		return r.heldBeyond()
	}
	q, index := r.question()
	found, err := r.engine.planner.Find(r.engine.judge, q)
	if err != nil {
		return err
	}
	r.order = &order.Order{Beyond: found.Beyond, Waiting: found.Waiting}
	gains := r.progress.gains(r.target, found)
	for _, s := range found.Steps {
		s.Change = index[s.Change]
		if r.target.name != clusterTenant {
			s.Opens = order.Meeting(s.Opens, gains)
		}
		r.order.Steps = append(r.order.Steps, s)
	}
	r.out.beyond = found.Beyond
	return r.heldBeyond()
}

// single returns the one step that there is, if it undoes drift and nothing is held beside it: one object is replaced at
// once.
func (r *round) single() (int, bool) {
	one := -1
	for i, s := range r.steps {
		switch {
		case s.done:
		case one >= 0 || s.held || !s.drifted:
			return 0, false
		default:
			one = i
		}
	}
	return one, one >= 0
}

// refresh looks again at what is live of the objects that are left.
func (r *round) refresh() {
	for i := range r.steps {
		s := &r.steps[i]
		live := r.engine.cluster.Get(s.difference.ID)
		if s.done || live == s.live {
			continue
		}
		s.live = live
		d := &s.difference
		switch {
		case live == nil && s.remove:
			s.done = true
		case live == nil:
			d.Type, d.Got, d.Fields = drift.Missing, nil, nil
		default:
			d.Got = live.Unstructured
			if d.Type == drift.Missing {
				d.Type = drift.Modified
			}
		}
	}
}

// mayTake says whether a step may be made now. What undoes drift may at once: both revisions say the same of it. Anything
// else waits for its turn, but for openings of what opens nothing that was not open when the revision came; and openings
// wait for those whose closings they would meet.
func (r *round) mayTake(s order.Step) bool {
	b, name := r.world.barrier, r.target.name
	own := &r.steps[s.Change]
	switch {
	case r.mustEmpty(own):
		own.held, r.out.waits = true, true
		return true
	case own.drifted || b.alone(name):
		return true
	case !r.out.turn.mayClose(name), s.Phase == order.Opening && !r.out.turn.mayOpen(name) && (name == clusterTenant || r.opensAnything()):
		r.out.waits = true
		return false
	case s.Phase == order.Closing:
		return true
	}
	for unit, beyond := range b.lets() {
		if unit != name && order.Meet(s.Opens, beyond) {
			own.held = true
			if !slices.Contains(r.out.heldBy, unit) {
				r.out.heldBy = append(r.out.heldBy, unit)
			}
		}
	}
	return true // if it is held now, the rest is put in order without it
}

func (r *round) opensAnything() bool {
	return slices.ContainsFunc(r.order.Steps, func(s order.Step) bool {
		return s.Phase == order.Opening && len(s.Opens) > 0 && !r.steps[s.Change].drifted
	})
}

// faults returns why the target is not reached.
func (r *round) faults() error {
	var errs []error
	for _, s := range r.steps {
		if s.fault != nil {
			errs = append(errs, s.fault)
		}
	}
	if r.out.waits || len(r.out.heldBy) > 0 || r.order == nil || len(errs) > 0 {
		return errors.Join(errs...)
	}
	if !r.world.barrier.alone(r.target.name) && r.out.turn < lastWord { // others are yet to open, which may be what it needs
		r.out.waits = slices.ContainsFunc(r.steps, func(s step) bool { return !s.done && !s.held })
		return nil
	}
	for _, s := range r.steps {
		if s.done || s.held {
			continue
		}
		err := fmt.Errorf("%s cannot be changed together with the rest without opening what neither revision allows (hint: change it in a commit of its own)", s.difference.ID)
		if s.difference.Want != nil {
			err = describe(s.difference.Want, err)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// write makes one step: what Git says, or what lies between.
func (r *round) write(ctx context.Context, s *step, between *unstructured.Unstructured) error {
	d, metrics := s.difference, r.engine.config.Metrics
	if s.remove && between == nil {
		return r.remove(ctx, *s)
	}
	want := d.Want
	if between != nil {
		want = inBetween(d, between)
	}
	did, err := r.engine.hand.apply(ctx, want, s.live)
	metrics.objects.WithLabelValues(string(did)).Inc()
	r.deeds.did(did, d.ID, s.drifted)
	if err == nil {
		if err = r.engine.hand.drop(ctx, d, want); err != nil {
			metrics.objects.WithLabelValues(string(failed)).Inc()
		}
	}
	switch {
	case err != nil && d.Want == nil:
		return fmt.Errorf("closing %s, which is not in Git: %w", d.ID, drift.WithGrant(err))
	case err != nil:
		return describe(d.Want, err)
	}
	if r.tookOver(*s); between != nil {
		return nil // what comes next is decided from what is live then
	}
	r.progress.confirm(d.Want)
	r.progress.owned[d.ID] = d.Want
	if s.drifted {
		r.corrected(d)
	}
	return nil
}

// inBetween is the object of a difference as it is written on the way.
func inBetween(d drift.Difference, content *unstructured.Unstructured) *drift.Wanted {
	o := kustomize.Object{Kind: d.ID.Kind}
	if d.Want != nil {
		o = d.Want.Object
	}
	o.Unstructured, o.Pattern = content, nil
	return drift.NewWanted(o)
}

// remove deletes what has left Git, or an extra object that is not welcome. The
// finalizers of the former are drift and go with it. The latter is somebody
// else's: until it is really gone, it stands.
func (r *round) remove(ctx context.Context, s step) error {
	d, metrics := s.difference, r.engine.config.Metrics
	err := r.engine.hand.remove(ctx, s.live)
	if err == nil && !s.drifted {
		err = r.engine.hand.release(ctx, s.live)
	}
	if err != nil {
		metrics.objects.WithLabelValues(string(failed)).Inc()
		r.deeds.did(failed, d.ID, s.drifted)
		return fmt.Errorf("removing %s, which is not in Git: %w", d.ID, drift.WithGrant(err))
	}
	metrics.objects.WithLabelValues(string(pruned)).Inc()
	r.deeds.did(pruned, d.ID, s.drifted)
	switch {
	case !s.drifted:
		r.log.Info("object removed", "tenant", r.target.name, "object", d.ID.String(), "revision", short(r.world.revision))
	case len(s.live.GetFinalizers()) == 0:
		r.corrected(d)
	}
	return nil
}
