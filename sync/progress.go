package sync

import (
	"time"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/sync/order"
)

// progress is how far a tenant has come. The worker that holds the tenant's
// name owns it; what readers need is copied into a report.
type progress struct {
	// owned are the objects that may be in the cluster because of us: what is
	// owned and no longer wanted is removed.
	owned map[drift.ID]*drift.Wanted
	// versions are what was wanted of objects before, since the tenant was last reached:
	// a copy that stands in for one may still be of that. See [writer.recreate].
	versions map[drift.ID][]*drift.Wanted
	// applied are the objects as they were last known to be equal to Git. A
	// difference from one of them is drift; any other is yet to be done.
	applied map[drift.ID]*drift.Wanted
	// sound are objects that were found acceptable, screened is the target that last was as a whole.
	sound    map[drift.ID]*drift.Wanted
	screened *target
	// settled is the target that was last reached in full.
	settled *target
	// revision is that of settled, or of the state at start.
	revision string
	// openings are the times for which the tenant's glass was broken lately; glass
	// is what holds now, and reminded when that was last told.
	openings []opening
	glass    glass
	reminded time.Time
	// stood: the namespace was there before the tenant's first sync.
	stood     bool
	contacted bool
	// began is what there was to be gained when the tenant set out for a target: once
	// closings are made, what was open before is not known any more.
	began beginning
	// written counts writes since a target was last reached.
	written int
	// fights counts corrections of objects that someone keeps changing back.
	fights map[drift.ID]*fight
}

func newProgress() *progress {
	return &progress{
		owned: map[drift.ID]*drift.Wanted{}, applied: map[drift.ID]*drift.Wanted{}, fights: map[drift.ID]*fight{},
		versions: map[drift.ID][]*drift.Wanted{}, sound: map[drift.ID]*drift.Wanted{},
	}
}

// beginning is what one target opens against what was live when the tenant set out for it.
type beginning struct {
	target *target
	gains  []reach.Connection
}

// gains returns what a target opens against what was live when the tenant set out for it. Whatever else a step opens is
// what was closed on the way: nobody waits for that.
func (p *progress) gains(t *target, found *order.Order) []reach.Connection {
	if p.began.target != t {
		p.began = beginning{t, found.Gains}
	}
	return p.began.gains
}

// contact notes at the first round of a tenant whether its namespace stood before
// anything of ours did.
func (p *progress) contact(there bool) {
	if !p.contacted {
		p.contacted = true
		p.stood = p.stood || there && p.revision == ""
	}
}

// own notes that the target's objects may be in the cluster from now on.
func (p *progress) own(t *target) {
	for _, w := range t.wanted {
		p.outlive(p.owned[w.ID], w)
		p.owned[w.ID] = w
	}
}

// outlive notes that another version of an object may be in the cluster beside the one
// that is owned.
func (p *progress) outlive(former, owned *drift.Wanted) {
	if former == nil || former.SameAs(owned) {
		return
	}
	for _, known := range p.versions[former.ID] {
		if known.SameAs(former) {
			return
		}
	}
	p.versions[former.ID] = append(p.versions[former.ID], former)
}

// confirm notes that the object was found or made equal to Git.
func (p *progress) confirm(w *drift.Wanted) { p.applied[w.ID] = w }

// isDrift says whether a difference came about in the cluster; if not, Git has
// changed and the difference is what is yet to be done.
func (p *progress) isDrift(d drift.Difference) bool {
	if d.Want == nil {
		return true
	}
	return d.Want.SameAs(p.applied[d.ID])
}

// reach notes that the target was reached in full. What was ours and had to stay
// beside it remains ours.
func (p *progress) reach(t *target, stay []drift.Difference) {
	owned := map[drift.ID]*drift.Wanted{}
	for _, d := range stay {
		if w := p.owned[d.ID]; w != nil {
			owned[d.ID] = w
		}
	}
	p.owned, p.applied, p.versions = owned, map[drift.ID]*drift.Wanted{}, map[drift.ID][]*drift.Wanted{}
	p.sound = map[drift.ID]*drift.Wanted{}
	p.own(t)
	for _, w := range t.wanted {
		p.confirm(w)
	}
	p.settled, p.revision = t, t.revision
}

// Someone who keeps changing an object back gets growing pauses, so that the
// API server is not worn out and nobody else waits.
const (
	fightAfter   = 5                // corrections in a row before the first pause
	fightCalm    = 5 * time.Minute  // without a correction, it is forgotten
	fightFirst   = 2 * time.Second  // first pause; each further one is twice as long
	fightLongest = 10 * time.Minute // longest pause
)

type fight struct {
	corrections int
	last        time.Time
}

// corrected notes a correction of the object.
func (p *progress) corrected(id drift.ID, now time.Time) {
	f := p.fights[id]
	if f == nil || now.Sub(f.last) > fightCalm+f.pause() {
		f = &fight{}
		p.fights[id] = f
	}
	f.corrections++
	f.last = now
}

// patience returns how long the next correction of the object must wait; 0 if
// it need not.
func (p *progress) patience(id drift.ID, now time.Time) time.Duration {
	f := p.fights[id]
	if f == nil {
		return 0
	}
	return max(0, f.last.Add(f.pause()).Sub(now))
}

// fighting returns how many objects are being fought over.
func (p *progress) fighting(now time.Time) int {
	n := 0
	for _, f := range p.fights {
		if f.pause() > 0 && now.Sub(f.last) <= fightCalm+f.pause() {
			n++
		}
	}
	return n
}

func (f *fight) pause() time.Duration {
	if f.corrections < fightAfter {
		return 0
	}
	pause := fightFirst
	for range f.corrections - fightAfter {
		if pause *= 2; pause >= fightLongest {
			return fightLongest
		}
	}
	return pause
}
