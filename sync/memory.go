package sync

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// noteDelay is how long after a change of what must survive the state is
	// written, and noteWhile how long a difference must have stood for it: what is
	// corrected at once is never written.
	noteDelay = 2 * time.Second
	noteWhile = time.Second
	// sinceMost bounds the differences that are written, and stateMost the whole,
	// in bytes: a ConfigMap holds 1 MiB. Of differences the newest are left out
	// first: after a restart these stand since then.
	sinceMost = 2000
	stateMost = 900 << 10
)

// memory is what the owner of the state keeps for the next process, beside what
// was applied.
type memory struct {
	openings map[string][]opening // by tenant
	stood    map[string]bool      // tenants whose namespace was there before
	standing map[string]time.Time // since when differences stand, by key
	unfenced map[string]types.UID // namespaces that were told about

	holds   []pruneHold  // removals that are held
	removed pruneHistory // those of the last hour

	// due fires when what has changed is to be written; armed: it is about to.
	due   *time.Timer
	armed bool
}

// remember takes in what an earlier process left.
func (o *owner) remember(st *state) {
	for name, openings := range st.Openings {
		o.openings[name] = openings
	}
	for _, name := range st.Stood {
		o.stood[name] = true
	}
	o.standing = st.Since
	o.holds = st.Held
	if st.Removed != nil {
		o.removed = *st.Removed
	}
	o.engine.known.Store(st)
	o.engine.ledger.Restore(earliest(st.Since, o.engine.since))
}

// forgetOthers drops what an earlier process left of tenants that are gone since.
func (o *owner) forgetOthers(targets map[string]*target) {
	there := func(name string) bool { return targets[name] != nil }
	for name := range o.openings {
		if !there(name) {
			o.lose(name)
		}
	}
	for name := range o.stood {
		if !there(name) {
			o.lose(name)
		}
	}
	o.engine.ledger.Keep(there)
}

// take notes what a round found out that must survive.
func (o *owner) take(out outcome) {
	if !slices.Equal(o.openings[out.name], out.openings) {
		o.openings[out.name] = out.openings
		if len(out.openings) == 0 {
			delete(o.openings, out.name)
		}
		o.note()
	}
	if out.stood && !o.stood[out.name] {
		o.stood[out.name] = true
		o.note()
	}
}

// note makes the state be written soon. What follows within the delay is written
// with it.
func (m *memory) note() {
	if !m.armed {
		m.armed = true
		m.due.Reset(noteDelay)
	}
}

// noted writes what must survive, if it has changed.
func (o *owner) noted(ctx context.Context) {
	o.armed = false
	if o.previous.rendered == nil {
		return
	}
	now, younger := o.engine.ledger.Since(noteWhile)
	for key, at := range now {
		now[key] = at.UTC().Truncate(time.Second)
	}
	o.standing = oldest(now, sinceMost)
	st := o.state
	o.write(&st)
	if !o.keep(ctx, st) || younger {
		o.note()
	}
}

// oldest keeps at most n entries.
func oldest(since map[string]time.Time, n int) map[string]time.Time {
	if len(since) <= n {
		return since
	}
	keys := slices.SortedFunc(maps.Keys(since), func(a, b string) int {
		return cmp.Or(since[a].Compare(since[b]), cmp.Compare(a, b))
	})
	out := make(map[string]time.Time, n)
	for _, key := range keys[:n] {
		out[key] = since[key]
	}
	return out
}

// write adds what is remembered to the state.
func (m *memory) write(st *state) {
	st.Since = m.standing
	if len(m.openings) > 0 {
		st.Openings = maps.Clone(m.openings)
	}
	st.Stood = slices.Sorted(maps.Keys(m.stood))
	st.Held, st.Removed = m.holds, nil
	if len(m.removed.Objects)+len(m.removed.Tenants) > 0 {
		removed := m.removed
		st.Removed = &removed
	}
}

// lose drops what is remembered of a tenant that is gone.
func (m *memory) lose(name string) {
	delete(m.openings, name)
	delete(m.stood, name)
}

// tellUnfenced writes an Event for each namespace that the repository expects to
// be fenced and that no overlay fences, once for each time that it is so.
func (o *owner) tellUnfenced() {
	now := map[string]types.UID{}
	for _, name := range o.engine.Unfenced() {
		ns := o.engine.cluster.Namespace(name)
		if ns == nil || ns.GetDeletionTimestamp() != nil {
			continue
		}
		now[name] = ns.GetUID()
		if o.unfenced[name] != ns.GetUID() {
			o.engine.config.Log.Warn("namespace without a fence", "namespace", name)
			o.engine.events.unfenced(name)
		}
	}
	o.unfenced = now
}
