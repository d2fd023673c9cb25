package sync

import (
	"context"
	"slices"
	"time"
)

// settle takes in what the rounds came to.
func (o *owner) settle(ctx context.Context) {
	o.screened(ctx)
	for name, out := range o.engine.told() {
		o.take(out)
		current := o.previous.targets[name]
		if current != out.target {
			continue // about a target that a newer revision has replaced
		}
		if o.came(out); !out.waits {
			delete(o.remaining, name)
		}
		if out.reached && out.target.good { // so it is acceptable, whether it had to be asked or not
			o.sound[name] = out.target
		}
		switch {
		case out.gone:
			o.dismiss(name)
			o.engine.config.Log.Info("quarantine ended, the namespace is gone", "tenant", name)
		case out.reached && out.target.released != nil:
			o.dismiss(name)
			o.release(out.target)
		case out.reached && !out.left:
			if o.base[name] != out.target {
				o.base[name] = out.target
				o.saved = false
			}
		}
	}
	o.advance()
	o.finish(ctx)
}

// dismiss forgets a namespace that is gone or let go.
func (o *owner) dismiss(name string) {
	w := *o.previous
	w.targets = make(map[string]*target, len(o.previous.targets))
	for other, t := range o.previous.targets {
		if other != name {
			w.targets[other] = t
		}
	}
	o.previous = &w
	o.engine.world.Store(&w)
	o.engine.forget(name)
	delete(o.base, name)
	o.lose(name)
	o.saved = false
}

// finish saves the state once every tenant that the revision touches was tried.
func (o *owner) finish(ctx context.Context) {
	if len(o.remaining) > 0 || o.previous.rendered == nil {
		return
	}
	if !o.adopted.IsZero() {
		o.engine.config.Metrics.duration.Observe(time.Since(o.adopted).Seconds())
		o.adopted = time.Time{}
		o.saved = false
	}
	if !o.saved {
		o.save(ctx)
	}
}

// save writes what must survive.
func (o *owner) save(ctx context.Context) {
	if o.engine.silent() {
		o.saved = true
		return
	}
	if !o.keep(ctx, o.compose()) {
		o.later()
		return
	}
	o.saved = true
	o.engine.config.Source.SetFloor(o.state.Applied)
}

// keep writes a state, if it differs from what was last written, and answers
// whether it is written; if not, the caller tries again.
func (o *owner) keep(ctx context.Context, st state) bool {
	if o.engine.silent() {
		return true
	}
	if err := o.store.save(ctx, st); err != nil {
		if ctx.Err() == nil {
			o.engine.config.Log.Warn("the state cannot be saved; it is tried again", "err", err)
		}
		return false
	}
	o.state = st
	return true
}

// compose returns the state as it is once every tenant was tried.
func (o *owner) compose() state {
	w := o.previous
	st := state{Applied: w.revision, Tenants: map[string]exception{}}
	for name, t := range w.targets {
		base := o.base[name]
		switch {
		case !t.quarantined.IsZero():
			since := t.quarantined
			st.Tenants[name] = exception{Revision: t.revision, Quarantined: &since}
		case t.refused != nil && !t.refused.partly:
			st.Tenants[name] = exception{Refused: true}
			if base != nil && base.good {
				st.Tenants[name] = exception{Refused: true, Revision: base.revision}
			}
		case base == nil:
			st.Tenants[name] = exception{}
		case !base.sameObjects(t) || t.revision != w.revision:
			st.Tenants[name] = exception{Revision: base.revision}
			if t.revision != w.revision && t.revision != base.revision && !slices.Contains(st.Pending, t.revision) {
				st.Pending = append(st.Pending, t.revision) // parts of it may be in the cluster
			}
		}
	}
	slices.Sort(st.Pending)
	o.write(&st)
	if len(w.rendered.Rendering.Unplaced) > 0 { // who owns what does not follow from that revision alone
		st.Owners = ownersOf(w.targets)
	}
	return st
}

// ownersOf returns the overlays by the namespaces that they own.
func ownersOf(targets map[string]*target) map[string]string {
	out := map[string]string{}
	for name, t := range targets {
		if name != clusterTenant && t.quarantined.IsZero() {
			out[name] = t.overlay
		}
	}
	return out
}
