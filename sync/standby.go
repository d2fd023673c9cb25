package sync

import (
	"maps"
	"time"
)

// silent says whether nothing is written at all: neither objects, nor Events,
// nor the state.
func (e *Engine) silent() bool { return e.standby || e.config.Mode == Observe || e.rehearsal != nil }

// standBy takes note of what another process does: a difference from what was
// reached before is drift, any other, and what has left Git and still stands, is
// what that process is yet to do.
func (r *round) standBy() {
	r.progress.reclaim(r.engine.former, r.target, r.extra, r.engine.config.manager())
	leave, foreign := leaving(r.target, r.progress, r.extra)
	leave, kept := r.world.prunable(r.target, leave)
	toDo := len(leave)
	for _, d := range r.mend {
		if !r.progress.isDrift(d) {
			toDo++
		}
	}
	r.record(r.mend, foreign)
	r.out.left, r.out.reached = len(kept) > 0, toDo == 0
	if r.out.reached && !r.out.left && !r.target.sameObjects(r.progress.settled) {
		r.engine.former.keep(r.target, r.progress)
		r.progress.reach(r.target, foreign)
	}
}

// earliest joins what is known of since when differences stand.
func earliest(a, b map[string]time.Time) map[string]time.Time {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]time.Time{}
	}
	for key, at := range b {
		if other, known := out[key]; !known || at.Before(other) {
			out[key] = at
		}
	}
	return out
}
