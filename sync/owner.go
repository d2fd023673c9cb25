package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/sources"
)

// owner is the one goroutine that adopts revisions and owns the state. Workers
// only send it outcomes.
type owner struct {
	engine *Engine
	store  *stateStore
	state  state

	// bootstrapped: what was applied before this process began is known.
	bootstrapped bool
	// previous is the world that the next one is made from; it is what the
	// engine publishes, but for targets that are gone.
	previous *world
	// base are the targets that were last reached, by tenant: what may have to
	// be removed is counted from them.
	base map[string]*target
	// sound are the targets that were last found acceptable, by tenant.
	sound map[string]*target
	// remaining are the tenants that the newest revision touches and that no
	// round has tried yet.
	remaining map[string]bool
	phases
	adopted time.Time

	// retry is the snapshot that could not be adopted for a passing reason.
	retry *sources.Snapshot
	delay time.Duration
	timer *time.Timer
	// resume fires when the first suspension of a tenant ends.
	resume *time.Timer
	memory
	frost
	reminder
	saved bool // the state as it is now is saved

	// refused says why the newest snapshot is not adopted; "" if it is.
	refused string
}

func newOwner(e *Engine) *owner {
	c := e.config
	return &owner{
		engine:    e,
		store:     &stateStore{kube: c.Kube, namespace: c.Namespace, instance: c.Instance, manager: c.manager(), grant: e.grant},
		previous:  &world{targets: map[string]*target{}},
		base:      map[string]*target{},
		sound:     map[string]*target{},
		remaining: map[string]bool{},
		saved:     true,
		phases:    newPhases(),
		memory:    memory{openings: map[string][]opening{}, stood: map[string]bool{}, unfenced: map[string]types.UID{}},
	}
}

// load reads the state, waiting for the API server if need be. It answers false
// if ctx was done first.
func (o *owner) load(ctx context.Context) bool {
	said := ""
	for delay := 250 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
		st, err := o.store.load(ctx)
		if err == nil {
			if said != "" {
				o.engine.config.Log.Info("the API server answers")
			}
			o.engine.wait("")
			if st.Applied != "" {
				o.engine.config.Source.SetFloor(st.Applied)
			}
			o.know(st)
			close(o.engine.loaded)
			return true
		}
		if text := err.Error(); text != said && ctx.Err() == nil {
			said = text
			o.engine.config.Log.Warn("waiting for the API server", "err", err)
			o.engine.wait("waiting for the API server: " + text)
		}
		if !pause(ctx, delay) {
			return false
		}
	}
}

// know takes in the state as it was when this process began.
func (o *owner) know(st state) {
	o.state = st
	o.engine.owners.Store(&st.Owners)
	o.remember(&st)
}

// run adopts snapshots and saves the state until ctx is done.
func (o *owner) run(ctx context.Context) {
	o.timer, o.resume, o.due, o.thaw = stoppedTimer(), stoppedTimer(), stoppedTimer(), stoppedTimer()
	defer o.thaw.Stop()
	o.remind = time.NewTicker(remindEvery)
	defer o.remind.Stop()
	defer o.timer.Stop()
	defer o.resume.Stop()
	defer o.due.Stop()
	for {
		select {
		case <-ctx.Done():
			o.leave(ctx)
			return
		case s := <-o.engine.offered:
			o.delay, o.refused = 0, ""
			o.wait(nil)
			o.adopt(ctx, s)
		case <-o.remind.C:
			o.remindQuarantined()
		case <-o.thaw.C:
			o.thawed(ctx)
		case <-o.engine.healthy:
			o.everyoneIsDue()
		case <-o.engine.reported:
			o.settle(ctx)
		case <-o.timer.C:
			o.again(ctx)
		case <-o.engine.noted:
			o.note()
		case <-o.due.C:
			o.noted(ctx)
		case <-o.engine.namespaces:
			o.tellUnfenced()
		case <-o.resume.C:
			o.resumed(ctx)
		}
	}
}

// stoppedTimer returns a timer that fires once it is reset.
func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// leave saves what is known when the process is told to end, so that the next
// start can tell what was done from what is yet to be.
func (o *owner) leave(ctx context.Context) {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if o.engine.silent() || o.engine.grant.over() {
		return
	}
	o.settle(grace)
	o.noted(grace)
}

// again does what could not be done before for a passing reason.
func (o *owner) again(ctx context.Context) {
	if s := o.retry; s != nil {
		o.adopt(ctx, s)
		return
	}
	if w := o.previous; w.pruneHeld != "" && (o.frozen() || o.publish(ctx, w.revision, w.rendered) != nil) {
		o.timer.Reset(time.Minute)
	}
	o.finish(ctx)
}

// resumed adopts the newest revision for the tenants whose suspension has
// ended, as if it were new.
func (o *owner) resumed(ctx context.Context) {
	if until := frozenUntil(o.engine.config.Freeze, time.Now()); !until.IsZero() {
		o.resume.Reset(time.Until(until))
		return
	}
	if w := o.previous; w.rendered != nil && o.publish(ctx, w.revision, w.rendered) != nil {
		o.resume.Reset(time.Minute)
	}
}

// awaitResume sets the timer for the first suspension that ends.
func (o *owner) awaitResume(w *world) {
	var first time.Time
	for _, t := range w.targets {
		if !t.suspended.IsZero() && (first.IsZero() || t.suspended.Before(first)) {
			first = t.suspended
		}
	}
	o.resume.Stop()
	if !first.IsZero() {
		o.resume.Reset(time.Until(first))
	}
}

// later makes again run after a growing pause.
func (o *owner) later() {
	o.delay = min(max(2*o.delay, time.Second), time.Minute)
	o.timer.Reset(o.delay)
}

// adopt renders a snapshot and makes what it says the target of every tenant.
func (o *owner) adopt(ctx context.Context, s *sources.Snapshot) {
	commit := s.Revision().Commit
	o.retry = nil
	if o.freezes(ctx, s) {
		return
	}
	rendered, err := o.engine.config.Renderer.Render(ctx, s)
	if err == nil {
		err = o.checkNotEmptied(ctx, rendered)
	}
	if ctx.Err() != nil {
		return
	}
	if passing := new(passingError); errors.As(err, &passing) {
		o.tryAgain(ctx, s, "what was applied before cannot be read yet", err)
		return
	}
	if err != nil {
		o.refused = fmt.Sprintf("revision %s is refused: %v", short(commit), err)
		o.engine.wait(o.refused)
		o.engine.config.Metrics.countHeld(o.previous, true)
		o.engine.config.Log.Error("revision refused; the last good one stands", "revision", short(commit), "err", err)
		o.restore(ctx, s)
		return
	}
	if !o.bootstrapped {
		if rendered, err = o.bootstrap(ctx, s, rendered); err != nil {
			o.tryAgain(ctx, s, "what was applied before cannot be read yet", err)
			return
		}
		o.bootstrapped = true
	}
	o.adopted = time.Now()
	if err := o.publish(ctx, commit, rendered); err != nil {
		o.tryAgain(ctx, s, "the state cannot be saved yet", err)
		return
	}
	o.engine.wait(o.refused)
}

// tryAgain adopts a snapshot later, since it cannot be now for a passing reason.
func (o *owner) tryAgain(ctx context.Context, s *sources.Snapshot, why string, err error) {
	if ctx.Err() != nil {
		return
	}
	o.engine.wait(err.Error())
	o.engine.config.Log.Warn("revision waits", "reason", why, "revision", short(s.Revision().Commit), "err", err)
	o.retry = s
	o.later()
}

// restore adopts the revision that was applied last, where the newest one is
// refused before this process has adopted any: it stands after a restart as it
// stood before.
func (o *owner) restore(ctx context.Context, refused *sources.Snapshot) {
	applied := o.state.Applied
	if o.bootstrapped || applied == "" || applied == refused.Revision().Commit {
		return
	}
	s, err := o.engine.config.Source.At(ctx, applied)
	switch {
	case err == nil:
		o.state.Adopted = "" // what was begun is refused now, so that a freeze keeps up what was before
		o.adopt(ctx, s)
	case isGone(err):
		o.engine.config.Log.Error("the applied revision cannot be had any more; nothing is enforced until there is a good one", "revision", short(applied), "err", err)
	default:
		o.tryAgain(ctx, refused, "what was applied before cannot be read yet", fmt.Errorf("reading the applied revision %s: %w", short(applied), err))
	}
}

// publish makes the world of a rendered revision, saves that it is pending, and
// makes due whoever it touches. On an error nothing has changed.
func (o *owner) publish(ctx context.Context, commit string, rendered *Rendered) error {
	next, removal := o.next(ctx, commit, rendered)
	touched := o.touched(next)
	if err := o.begin(ctx, next, removal, touched); err != nil {
		return err
	}
	if next.pruneHeld != "" {
		o.timer.Reset(time.Minute)
	}
	o.announce(next)
	o.awaitResume(next)
	o.engine.config.Metrics.countHeld(next, o.refused != "")
	everyone := !next.judgesAs(o.previous)
	o.raise(next, touched)
	if o.previous.rendered == nil {
		o.forgetOthers(next.targets)
	}
	o.previous = next
	o.engine.outdate(touched)
	o.engine.world.Store(next)
	o.remaining = touched
	if touched[clusterTenant] {
		o.engine.queue.Add(clusterTenant) // first: tenants refer to its tiers
	}
	for name := range next.targets {
		if everyone || touched[name] { // at first, drift may stand from before
			o.engine.queue.Add(name)
		}
	}
	o.screenRefused(next)
	o.tellUnfenced()
	o.finish(ctx)
	return nil
}

// announce tells about what is new in a world: overlays that are refused,
// tenants that leave, removals that are held.
func (o *owner) announce(next *world) {
	log, revision := o.engine.config.Log, short(next.revision)
	for _, p := range next.refused {
		if !slices.Contains(o.previous.refused, p) {
			log.Error("overlay refused", "revision", revision, "err", p)
		}
	}
	for name, t := range next.targets {
		old := o.previous.targets[name]
		if len(t.problems) > 0 && (old == nil || !slices.Equal(old.problems, t.problems)) {
			stands := "the last good state stands"
			if !t.good {
				stands = "there is no last good state, so the namespace is only isolated"
			}
			for _, p := range t.problems {
				log.Error("overlay refused", "tenant", name, "revision", revision, "reason", stands, "err", p)
			}
			o.engine.events.refused(t)
		}
		if !t.quarantined.IsZero() && t.released == nil && old != nil && old.quarantined.IsZero() {
			log.Warn("tenant quarantined, its overlay left Git", "tenant", name, "revision", revision)
			o.engine.events.quarantined(t)
		}
	}
	if next.pruneHeld != "" && next.pruneHeld != o.previous.pruneHeld {
		log.Warn("nothing is removed", "revision", revision, "reason", next.pruneHeld)
		next.kept.log(log, revision)
	}
}

// touched returns the tenants that are not known to stand at their new target.
// Those that a round may be bringing to another one right now, or that no round
// has tried yet, are among them, even if they stood there before.
func (o *owner) touched(next *world) map[string]bool {
	out := map[string]bool{}
	for name, t := range next.targets {
		switch {
		case !t.sameObjects(o.base[name]), o.remaining[name],
			t.held != nil && !t.sameObjects(t.held), // its closings are held back, which others must know of
			o.previous.targets[name] != nil && (!t.sameObjects(o.previous.targets[name]) || t.own != o.previous.targets[name].own),
			!next.prunesAs(o.previous):
			out[name] = true
		}
	}
	return out
}

// everyoneIsDue makes every tenant due: what could not be seen can be now, or
// the other way round.
func (o *owner) everyoneIsDue() {
	for name := range o.previous.targets {
		o.engine.queue.Forget(name)
		o.engine.queue.Add(name)
	}
}

// own gives a tenant what earlier revisions may have put into the cluster.
func (o *owner) own(name string, wanted []*drift.Wanted, applied bool, revision string) {
	p := o.engine.progressOf(name)
	for _, w := range wanted {
		if p.owned[w.ID] == nil || applied {
			p.outlive(p.owned[w.ID], w)
			p.owned[w.ID] = w
		} else {
			p.outlive(w, p.owned[w.ID])
		}
		if applied {
			p.confirm(w)
		}
	}
	if applied {
		p.revision = revision
	}
}
