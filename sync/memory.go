package sync

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

const (
	// sinceDelay is how long after a change of differences the state is written,
	// and sinceWhile how long one must have stood for it: what is corrected at once
	// is never written.
	sinceDelay = 2 * time.Second
	sinceWhile = time.Second
	// sinceMost bounds what is written: a ConfigMap holds 1 MiB.
	sinceMost = 2000
)

// memory is what the owner of the state keeps for the next process, beside what
// was applied.
type memory struct {
	openings map[string][]opening // by tenant
	stood    map[string]bool      // tenants whose namespace was there before
	standing map[string]time.Time // since when differences stand, by key
	unfenced map[string]bool      // namespaces that were told about
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
	o.engine.known.Store(st)
	o.engine.ledger.Restore(st.Since)
}

// take notes what a round found out that must survive.
func (o *owner) take(out outcome) {
	if !slices.Equal(o.openings[out.name], out.openings) {
		o.openings[out.name], o.saved = out.openings, false
		if len(out.openings) == 0 {
			delete(o.openings, out.name)
		}
	}
	if out.stood && !o.stood[out.name] {
		o.stood[out.name], o.saved = true, false
	}
}

// noteSince writes since when differences stand, if that has changed.
func (o *owner) noteSince(ctx context.Context) {
	if o.previous.rendered == nil {
		return
	}
	now := o.engine.ledger.Since(sinceWhile)
	for key, at := range now {
		now[key] = at.UTC().Truncate(time.Second)
	}
	now = oldest(now, sinceMost)
	if maps.EqualFunc(now, o.standing, time.Time.Equal) {
		return
	}
	o.standing, o.saved = now, false
	o.finish(ctx)
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
}

// lose drops what is remembered of a tenant that is gone.
func (m *memory) lose(name string) {
	delete(m.openings, name)
	delete(m.stood, name)
}

// tellUnfenced writes an Event for each namespace that the repository expects to
// be fenced and that no overlay fences, once for each time that it is so.
func (o *owner) tellUnfenced() {
	now := map[string]bool{}
	for _, name := range o.engine.Unfenced() {
		now[name] = true
		if !o.unfenced[name] {
			o.engine.config.Log.Warn("namespace without a fence", "namespace", name)
			o.engine.events.unfenced(name)
		}
	}
	o.unfenced = now
}
