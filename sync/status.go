package sync

import (
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
)

// State is the state of a tenant. Of several that hold, the first in the order
// of States counts.
type State string

// The states of a tenant.
const (
	Quarantined State = "quarantined" // its overlay left Git; held at deny-all
	Unknown     State = "unknown"     // the live state cannot be seen
	Failed      State = "failed"      // its overlay is refused, or cannot be written
	Drifted     State = "drifted"     // Git and the cluster differ
	Suspended   State = "suspended"   // new revisions are held back by its settings or a freeze
	Pending     State = "pending"     // not applied yet; its namespace may not exist
	Synced      State = "synced"      // equal to Git
)

// States returns every State in the order of precedence.
func States() []State {
	return []State{Quarantined, Unknown, Failed, Drifted, Suspended, Pending, Synced}
}

// Tenant is what is known of one tenant, as values.
type Tenant struct {
	// Name is the namespace's name; "" for the cluster overlay.
	Name string
	// Overlay is the folder in the repository.
	Overlay string
	// State is the first that holds.
	State State
	// Applied is the commit that was last applied in full, Wanted the newest;
	// each "" if there is none.
	Applied, Wanted string
	// Objects is the number of objects that Git wants.
	Objects int
	// Drift is the number of differences that stand.
	Drift int
	// Problems say why the tenant failed.
	Problems []kustomize.Problem
	// Until is when the state ends by itself; zero if it does not.
	Until time.Time
	// Reason says in one line why it is in its state, where Problems do not; "" if there is nothing to say.
	Reason string
	// Rounds are the last that changed something or failed since this process began, newest first; at most 10.
	Rounds []Round
}

// Status is what is known as a whole.
type Status struct {
	// Ready: a revision was rendered and the watches are synced.
	Ready bool
	// Leader: this process is the one that writes.
	Leader bool
	// Revision is the newest commit that was rendered; "" before the first.
	Revision string
	// Waiting says what is waited for; "" if nothing.
	Waiting string
	// PruneHeld says why nothing is removed; "" if removals are allowed.
	PruneHeld string
	// Held are the revisions, and parts of one, that are held back.
	Held []Held
	// Tenants counts tenants by state, without the cluster overlay.
	Tenants map[State]int
	// Refused are problems of overlays that belong to no tenant.
	Refused []kustomize.Problem
	// Blind names the kinds that cannot be seen, with the reason.
	Blind []string
}

// What holds a revision back, or a part of it.
const (
	HeldByFreeze = "freeze" // a window of sync.freeze
	HeldByPrune  = "prune"  // it removes more than sync.maxPrune allows
)

// Held is a revision, or what is left to be done of one, that is held back.
type Held struct {
	// Reason is HeldByFreeze or HeldByPrune.
	Reason string
	// Revision is the commit.
	Revision string
	// Until is when it goes on by itself; zero if that is not known.
	Until time.Time
	// Tenants are those that wait for the revision, or that would be quarantined, sorted; "" is the cluster overlay.
	Tenants []string
	// Objects are those that would be removed from tenants that stay, sorted.
	Objects []string
	// Message says in one line what is held, why, and what to do.
	Message string
}

// report is what a round leaves for readers.
type report struct {
	target                  *target
	applied                 string
	reached, pending, blind bool
	waiting                 string
	err                     error
}

func (e *Engine) report(name string, r report) {
	e.mu.Lock()
	before, known := e.reports[name]
	e.reports[name] = r
	e.mu.Unlock()
	if r.err == nil || r.blind {
		return
	}
	if known && before.err != nil && before.err.Error() == r.err.Error() {
		return
	}
	for _, p := range problems(r.err) {
		e.config.Log.Error("tenant cannot be synced; it is tried again", "tenant", name, "err", p)
	}
	e.events.failed(name, r.err.Error())
}

// outdate notes that what was told of these tenants holds no longer: even one
// that stood at its new target before may be on its way elsewhere.
func (e *Engine) outdate(tenants map[string]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name := range tenants {
		if r, told := e.reports[name]; told {
			r.reached = false
			e.reports[name] = r
		}
	}
}

// wait notes what is waited for; "" for nothing.
func (e *Engine) wait(what string) { e.waiting.Store(&what) }

// Status returns what is known as a whole.
func (e *Engine) Status() Status {
	s := Status{Leader: !e.standby, Tenants: map[State]int{}, Blind: e.cluster.Blind()}
	for _, state := range States() {
		s.Tenants[state] = 0
	}
	if what := e.waiting.Load(); what != nil {
		s.Waiting = *what
	}
	s.Held = e.frozen.Load().held()
	w := e.world.Load()
	if w == nil {
		return s
	}
	s.Revision, s.PruneHeld, s.Refused = w.revision, w.pruneHeld, w.refused
	s.Held = append(s.Held, w.held()...)
	s.Ready = e.cluster.Synced()
	frozen := e.frozen.Load()
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, t := range w.targets {
		if name != clusterTenant {
			s.Tenants[stateOf(t, e.reports[name], e.ledger.Standing(name), !s.Ready).frozenBy(name, frozen)]++
		}
	}
	return s
}

// Tenants returns every tenant, sorted by name; the cluster overlay, if there
// is one, comes first with the name "".
func (e *Engine) Tenants() []Tenant {
	w := e.world.Load()
	if w == nil {
		return nil
	}
	blind, unseen, now := !e.cluster.Synced(), blindness(e.cluster.Blind()), time.Now()
	out := make([]Tenant, 0, len(w.targets))
	e.mu.Lock()
	for name, t := range w.targets {
		one := tenant(w, t, e.reports[name], e.ledger.Standing(name), blind).frozenBy(e.frozen.Load())
		if one.State == Suspended && now.After(one.Until) {
			one.Until = frozenUntil(e.config.Freeze, now) // its suspension has ended in a freeze
		}
		one.Reason = reason(&one, t, e.cluster.Namespace(name), e.frozen.Load())
		if one.Reason == "" && one.State == Unknown {
			one.Reason = unseen
		}
		if one.Reason == "" && one.State == Pending {
			one.Reason = e.underway(name)
		}
		if r := e.reports[name]; one.Reason == "" && one.State == Pending && r.target == t {
			one.Reason = r.waiting
		}
		one.Rounds = slices.Clone(e.rounds[name])
		slices.Reverse(one.Rounds)
		out = append(out, one)
	}
	e.mu.Unlock()
	slices.SortFunc(out, func(a, b Tenant) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func tenant(w *world, t *target, r report, standing int, blind bool) Tenant {
	out := Tenant{
		Name: t.name, Overlay: t.overlay, Wanted: w.revision, Applied: r.applied, State: stateOf(t, r, standing, blind),
		Objects: len(t.wanted), Drift: standing, Problems: append(slices.Clip(t.problems), problems(r.err)...),
	}
	if r.stands(t) {
		out.Applied = t.revision
	}
	if out.State == Suspended {
		out.Until = t.suspended
	}
	return out
}

// stands says whether a target stands in full.
func (r report) stands(t *target) bool { return r.reached && t.sameObjects(r.target) }

// stateOf returns the state of a tenant, were nothing frozen.
func stateOf(t *target, r report, standing int, blind bool) State {
	switch {
	case !t.quarantined.IsZero():
		return Quarantined
	case blind || r.blind:
		return Unknown
	case len(t.problems) > 0 || r.err != nil:
		return Failed
	case standing > 0:
		return Drifted
	case !t.suspended.IsZero():
		return Suspended
	case !r.stands(t):
		return Pending
	}
	return Synced
}

// frozenBy returns the state while a freeze holds a revision back that touches the tenant.
func (s State) frozenBy(name string, f *frozen) State {
	if f.touches(name) && (s == Pending || s == Synced) {
		return Suspended
	}
	return s
}

// frozenBy returns the tenant as it is while a freeze holds a revision back that touches it.
func (t Tenant) frozenBy(f *frozen) Tenant {
	if !f.touches(t.Name) {
		return t
	}
	t.Wanted = f.revision
	if t.State = t.State.frozenBy(t.Name, f); t.State == Suspended && f.until.After(t.Until) {
		t.Until = f.until
	}
	return t
}

// Drift returns every difference that stands, and those corrected within the
// last 15 minutes.
func (e *Engine) Drift() []drift.Entry { return e.ledger.Entries() }

// Unfenced returns the live namespaces that the repository expects to be fenced
// and that no overlay fences, sorted.
func (e *Engine) Unfenced() []string {
	w := e.world.Load()
	out := []string{}
	if w == nil {
		return out
	}
	for _, name := range e.cluster.Namespaces() {
		if w.targets[name] != nil {
			continue
		}
		if slices.ContainsFunc(w.rendered.Expect, func(glob string) bool { ok, _ := path.Match(glob, name); return ok }) {
			out = append(out, name)
		}
	}
	return out
}

// Owner returns the overlay that owns a namespace in the newest world, or did
// in the last applied revision if there is no world yet.
func (e *Engine) Owner(namespace string) (overlay string, ok bool) {
	w := e.world.Load()
	if w == nil {
		if owners := e.owners.Load(); owners != nil {
			overlay, ok = (*owners)[namespace]
		}
		return overlay, ok
	}
	if w.targets[namespace] == nil || !w.targets[namespace].quarantined.IsZero() {
		return "", false
	}
	return w.targets[namespace].overlay, true
}

// isGone says whether a commit can no longer be had.
func isGone(err error) bool { return errors.Is(err, sources.ErrNoCommit) }
