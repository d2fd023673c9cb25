package sync

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// outcome is what a round tells the owner of the state.
type outcome struct {
	name    string
	target  *target
	reached bool // the target stands in full
	left    bool // beside it stands what has left Git and may not be removed now
	gone    bool // a quarantined namespace no longer exists
	fights  int
	// openings and stood must survive a restart; see progress.
	openings []opening
	stood    bool
}

// round brings one tenant to its target, or reports why not. The queue gives a
// name to one worker at a time.
func (e *Engine) round(ctx context.Context, name string) {
	w := e.world.Load()
	if w == nil || w.targets[name] == nil {
		return
	}
	r := &round{engine: e, world: w, target: w.targets[name], progress: e.progressOf(name), now: time.Now()}
	r.log = e.config.Log
	r.progress.own(r.target)
	out, err := r.run(ctx)
	if ctx.Err() != nil {
		return
	}
	e.enter(r, err)
	out.openings, out.stood = r.progress.openings, r.progress.stood
	e.report(name, report{
		target: r.target, applied: r.progress.revision, reached: out.reached,
		pending: r.pending, blind: errors.Is(err, errBlind), err: err,
	})
	switch {
	case errors.Is(err, errBlind):
		return // due again when the watches see
	case err != nil:
		e.queue.AddRateLimited(name)
	default:
		e.queue.Forget(name)
	}
	if out.fights > 0 { // to see when it is over
		e.queue.AddAfter(name, fightCalm+fightLongest)
	}
	e.tell(out)
}

// round is one pass over one tenant.
type round struct {
	engine   *Engine
	world    *world
	target   *target
	progress *progress
	now      time.Time
	log      logger
	deeds    deeds
	pending  bool // the namespace is not there yet
	glass    glass
	// unwelcome are extra objects that are to be deleted.
	unwelcome []drift.Difference
	// standing counts what Git says and what is held all the same, ignored whatever
	// a rule ignores, extras included.
	standing, ignored int
}

func (r *round) run(ctx context.Context) (outcome, error) {
	out := outcome{name: r.target.name, target: r.target}
	if !r.engine.cluster.Synced() {
		return out, errBlind
	}
	there, gone := r.namespaceThere()
	out.gone = gone
	if !there {
		r.pending = !gone
		r.noGlass()
		r.engine.ledger.Record(r.target.name, nil, nil)
		return out, nil
	}
	r.progress.contact(r.engine.cluster.Namespace(r.target.name) != nil)
	r.breakGlass(r.engine.cluster.Namespace(r.target.name))
	if err := r.firstContact(); err != nil {
		return out, err
	}
	mend, extra, err := r.compare()
	if err != nil {
		return out, err
	}
	if r.mode() == Observe {
		r.record(mend, extra)
		out.reached = len(mend)+len(extra) == r.ignored
		return out, nil
	}
	leave, foreign := leaving(r.target, r.progress, extra)
	leave, kept := r.world.prunable(r.target, leave)
	out.left = len(kept) > 0
	due := r.record(mend, foreign)
	equal := r.standing == 0
	out.fights = r.progress.fighting(r.now)
	if !r.engine.cluster.Synced() { // it may have gone blind while we compared
		return out, errBlind
	}
	steps := r.deleteExtras(plan(r.target, due, leave, r.progress, r.engine.cluster.Get))
	first := !r.target.sameObjects(r.progress.settled)
	if err := r.execute(ctx, steps); err != nil {
		return out, err
	}
	out.reached = true
	if equal {
		r.engine.config.Metrics.lastSuccess.WithLabelValues(r.target.name).Set(float64(time.Now().Unix()))
	}
	switch {
	case out.left:
		r.progress.settled, r.progress.revision = r.target, r.target.revision
	case first || len(leave) > 0:
		r.progress.reach(r.target, foreign)
	}
	if first && len(steps) > 0 {
		r.log.Info("tenant synced", "tenant", r.target.name, "revision", short(r.target.revision), "objects", len(steps), "took", time.Since(r.now))
		r.engine.events.synced(r.target, len(steps))
	}
	return out, nil
}

// mode is what is done about differences of the tenant: its own setting wins,
// but nothing is written where the daemon only observes.
func (r *round) mode() Mode {
	if own := Mode(r.target.own.Mode); own != "" && r.engine.config.Mode != Observe {
		return own
	}
	return r.engine.config.Mode
}

// namespaceThere says whether the namespace can be written to now, or will be
// made by this round. A namespace that is being deleted is left in peace.
func (r *round) namespaceThere() (there, gone bool) {
	if r.target.name == clusterTenant {
		return true, false
	}
	live := r.engine.cluster.Namespace(r.target.name)
	if live == nil {
		if !r.target.quarantined.IsZero() {
			return false, true
		}
		return r.target.namespace() != nil, false
	}
	phase, _, _ := unstructured.NestedString(live.Object, "status", "phase")
	return live.GetDeletionTimestamp() == nil && phase != string(corev1.NamespaceTerminating), false
}

// compare returns the differences that Git wants mended and the objects that
// Git does not have.
func (r *round) compare() (mend, extra []drift.Difference, err error) {
	cluster := r.engine.cluster
	live := cluster.In(r.target.name)
	if r.target.namespace() != nil {
		if ns := cluster.Namespace(r.target.name); ns != nil {
			live = append(live, ns)
		}
	}
	native := cluster.NativeCalico()
	builtin := map[string]int{}
	all, err := drift.Compare(r.target.wanted, live, func(o *drift.Observed) bool {
		reason := drift.BuiltIn(o, native)
		if reason != "" {
			builtin[reason]++
		}
		return reason != ""
	})
	r.engine.ledger.BuiltIn(r.target.name, builtin)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range all {
		if d.Type == drift.Extra {
			extra = append(extra, d)
		} else {
			mend = append(mend, d)
		}
	}
	differing := map[drift.ID]bool{}
	for _, d := range mend {
		differing[d.ID] = true
	}
	mend = r.namespaceBeyond(live, mend, differing)
	for _, w := range r.target.wanted {
		if !differing[w.ID] {
			r.progress.confirm(w)
		}
	}
	return mend, extra, nil
}

// execute writes the steps in order. All errors are gathered; where a step that
// later ones rely on fails, those are not tried.
func (r *round) execute(ctx context.Context, steps []step) error {
	var errs []error
	stop := rank(-1)
	for _, s := range steps {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if stop >= 0 && s.rank > stop {
			break
		}
		if err := r.write(ctx, s); err != nil {
			errs = append(errs, err)
			if s.needed() {
				stop = s.rank
			}
		}
	}
	return errors.Join(errs...)
}

func (r *round) write(ctx context.Context, s step) error {
	d, metrics := s.difference, r.engine.config.Metrics
	if s.remove {
		return r.remove(ctx, s)
	}
	if !r.engine.cluster.Served(d.ID.Kind) {
		metrics.objects.WithLabelValues(string(failed)).Inc()
		r.deeds.did(failed, d.ID, s.drifted)
		return describe(d.Want, errNotServed(d.ID.Kind))
	}
	did, err := r.engine.writer.apply(ctx, d.Want, s.live)
	metrics.objects.WithLabelValues(string(did)).Inc()
	r.deeds.did(did, d.ID, s.drifted)
	if err != nil {
		return describe(d.Want, err)
	}
	if err := r.engine.writer.drop(ctx, d); err != nil {
		metrics.objects.WithLabelValues(string(failed)).Inc()
		return describe(d.Want, err)
	}
	r.tookOver(s)
	r.progress.confirm(d.Want)
	r.progress.owned[d.ID] = d.Want
	if s.drifted {
		r.corrected(d)
	}
	return nil
}

// remove deletes what has left Git, or an extra object that is not welcome. The
// finalizers of the former are drift and go with it. The latter is somebody
// else's: until it is really gone, it stands.
func (r *round) remove(ctx context.Context, s step) error {
	d, metrics := s.difference, r.engine.config.Metrics
	err := r.engine.writer.remove(ctx, s.live)
	if err == nil && !s.drifted {
		err = r.engine.writer.release(ctx, s.live)
	}
	if err != nil {
		metrics.objects.WithLabelValues(string(failed)).Inc()
		r.deeds.did(failed, d.ID, s.drifted)
		return fmt.Errorf("removing %s, which is not in Git: %w", d.ID, err)
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

// corrected notes and tells that a difference was undone.
func (r *round) corrected(d drift.Difference) {
	r.progress.corrected(d.ID, time.Now())
	r.announceFight(d)
	r.engine.ledger.Correct(r.target.name, d)
	r.engine.correctedOne(r.target.name, d)
}

func errNotServed(k kinds.Kind) error {
	hint := "is its CustomResourceDefinition installed?"
	if k.Group == kinds.GroupCalico {
		hint = "is Calico installed, and its API server if it is older than 3.32?"
	}
	return fmt.Errorf("the cluster does not serve %s %s (hint: %s)", k.GroupVersion(), k.Kind, hint)
}
