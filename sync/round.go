package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/order"
)

// outcome is what a round tells the owner of the state.
type outcome struct {
	name    string
	target  *target
	reached bool // the target stands in full
	left    bool // beside it stands what has left Git and may not be removed now
	gone    bool // a quarantined namespace no longer exists
	fights  int
	turn    turn               // of the revision, when the round began
	waits   bool               // something waits for a later turn
	heldBy  []string           // units for whose closings some of its openings wait
	beyond  []reach.Connection // what it still lets through and its target does not
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
	r.narrow(ctx)
	if !r.screened() {
		return
	}
	r.progress.own(r.target)
	out, err := r.run(ctx)
	e.endCourse(name)
	if ctx.Err() != nil {
		return
	}
	e.enter(r, err)
	out.openings, out.stood = r.progress.openings, r.progress.stood
	e.report(name, report{
		target: r.target, applied: r.progress.revision, reached: out.reached,
		pending: r.pending, blind: errors.Is(err, errBlind), err: err, waiting: out.waiting(),
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
	out      outcome
	pending  bool // the namespace is not there yet
	glass    glass
	// mend and extra are the differences; foreign are those of extra that were never ours.
	mend, extra, foreign []drift.Difference
	// steps are what is to be done, in no more order than that of their ranks.
	steps []step
	order *order.Order // of the steps
	taken map[int]bool // steps of it
	first bool         // the target was never reached
	going int          // objects that have left Git and may be removed
	equal bool         // nothing stood but what is ignored
	// unwelcome are extra objects that are to be deleted.
	unwelcome []drift.Difference
	// standing counts what Git says and what is held all the same, ignored whatever
	// a rule ignores, extras included.
	standing, ignored int
}

// stage is one state of a round.
type stage struct {
	name string
	// do enters the state; done ends the round.
	do func(*round, context.Context) (done bool, err error)
}

// stages are the states of a round, in order. Start-up, steady state and recovery are the same ones. If we crash in
//
//   - look, compare, tell: nothing was written, but for what was told;
//   - close: some closings were made. The next round compares again and makes those that are missing. Nothing is open
//     that was not open before;
//   - open: some openings were made. The next round begins with closings, of which there are none left unless Git has
//     changed, and goes on; every state was one that the old or the new revision allows;
//   - settle: all is written. The next round finds nothing to do, and says so.
//
// An object that is written as something in between says in no other place that it is: the next comparison finds that it
// is not what Git says.
var stages = []stage{
	{"look", (*round).look},
	{"compare", (*round).compareAll},
	{"tell", (*round).tell},
	{"close", (*round).closeAll},
	{"open", (*round).openAll},
	{"settle", (*round).settle},
}

func (r *round) run(ctx context.Context) (outcome, error) {
	r.out = outcome{name: r.target.name, target: r.target, turn: r.world.barrier.turn()}
	if !r.engine.cluster.Synced() {
		return r.out, errBlind
	}
	for _, s := range stages {
		if r.engine.at != nil {
			r.engine.at(r.target.name, s.name)
		}
		if done, err := s.do(r, ctx); done || err != nil {
			return r.out, err
		}
	}
	return r.out, nil
}

// look finds out whether there is a namespace to work in.
func (r *round) look(context.Context) (done bool, err error) {
	there, gone := r.namespaceThere()
	r.out.gone = gone
	if !there {
		r.pending = !gone
		r.noGlass()
		r.engine.ledger.Record(r.target.name, nil, nil)
		return true, nil
	}
	r.progress.contact(r.engine.cluster.Namespace(r.target.name) != nil)
	r.breakGlass(r.engine.cluster.Namespace(r.target.name))
	if err := r.firstContact(); err != nil {
		return false, err
	}
	return false, nil
}

// compareAll finds the differences.
func (r *round) compareAll(context.Context) (done bool, err error) {
	r.mend, r.extra, err = r.compare()
	if err == nil && r.engine.standby {
		r.standBy()
		return true, nil
	}
	if err != nil || r.mode() != Observe {
		return false, err
	}
	r.record(r.mend, r.extra)
	r.out.reached = len(r.mend)+len(r.extra) == r.ignored
	return true, nil
}

// tell judges and tells drift, and gathers what is to be done about it and about what is new in Git.
func (r *round) tell(context.Context) (done bool, err error) {
	r.progress.reclaim(r.engine.former, r.target, r.extra, r.engine.config.manager())
	var leave []drift.Difference
	leave, r.foreign = leaving(r.target, r.progress, r.extra)
	leave, kept := r.world.prunable(r.target, leave)
	r.out.left, r.going = len(kept) > 0, len(leave)
	due := r.record(r.mend, r.foreign)
	r.equal = r.standing == 0
	r.out.fights = r.progress.fighting(r.now)
	if !r.engine.cluster.Synced() { // it may have gone blind while we compared
		return false, errBlind
	}
	r.steps = r.deleteExtras(plan(r.target, due, slices.Concat(leave, kept), r.progress, r.engine.cluster.Get))
	for i := range r.steps {
		s := &r.steps[i]
		switch {
		case slices.ContainsFunc(kept, func(d drift.Difference) bool { return d.ID == s.difference.ID }):
			s.held = true
		case !s.remove && !r.engine.cluster.Served(s.difference.ID.Kind):
			s.held, s.fault = true, describe(s.difference.Want, errNotServed(s.difference.ID.Kind))
			r.engine.config.Metrics.objects.WithLabelValues(string(failed)).Inc()
			r.deeds.did(failed, s.difference.ID, s.drifted)
		}
	}
	r.first = !r.target.sameObjects(r.progress.settled)
	return false, r.engine.rehearsal.saw(r)
}

// settle notes how far the tenant has come.
func (r *round) settle(context.Context) (done bool, err error) {
	if err := r.faults(); err != nil {
		return true, err
	}
	if r.out.waits || len(r.out.heldBy) > 0 {
		return true, nil
	}
	if r.out.reached = true; r.target.heldBack() == nil { // what is live beyond it now is not the tenant's
		r.out.beyond = nil
	}
	if r.equal {
		r.engine.config.Metrics.lastSuccess.WithLabelValues(r.target.name).Set(float64(time.Now().Unix()))
	}
	switch {
	case r.out.left:
		r.progress.settled, r.progress.revision = r.target, r.target.revision
	case r.first || r.going > 0:
		r.engine.former.keep(r.target, r.progress)
		r.progress.reach(r.target, r.foreign)
	}
	if done := r.progress.written; r.first && done > 0 {
		r.log.Info("tenant synced", "tenant", r.target.name, "revision", short(r.target.revision), "objects", done, "took", time.Since(r.now))
		r.engine.events.synced(r.target, done)
	}
	r.progress.written = 0
	return true, nil
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
	flavour := cluster.Flavour()
	builtin := map[string]int{}
	all, err := drift.Compare(r.target.wanted, live, func(o *drift.Observed) bool {
		reason := drift.BuiltIn(o, flavour)
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
		d.Writers = cluster.Behind(d)
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
