package sync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	stdsync "sync"
	"time"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sources"
)

// next makes the world of a rendered revision from the one before:
//
//   - a tenant that renders gets what was rendered;
//   - one that does not keeps its last good objects, or gets the guard alone if
//     it never had any;
//   - one that left Git is quarantined, unless Git lets go of its namespace;
//   - the cluster overlay likewise, but that nothing takes its place.
//
// If that removes more than is allowed, whoever would be quarantined stays as
// it was, and the world says that nothing is to be removed but what is confirmed.
// The removal that counts is returned; o is not changed.
func (o *owner) next(ctx context.Context, commit string, rendered *Rendered) (*world, removal) {
	w := &world{revision: commit, rendered: rendered, targets: map[string]*target{}}
	w.looks = stdsync.OnceValue(func() reach.NamespaceTerms { return looksAt(w) })
	r := rendered.Rendering
	for _, t := range r.Tenants {
		w.targets[t.Name] = o.tenant(t, commit, rendered.TenantMay)
	}
	if r.Cluster != nil {
		w.targets[clusterTenant] = o.tenant(r.Cluster, commit, rendered.TenantMay)
	} else if o.previous.targets[clusterTenant] != nil {
		w.targets[clusterTenant] = &target{name: clusterTenant, revision: commit, good: true}
	}
	claimed := map[string]bool{}
	var left []*target
	for name, before := range o.previous.targets {
		if w.targets[name] != nil {
			continue
		}
		if before.quarantined.IsZero() && slices.Contains(r.Unplaced, before.overlay) {
			w.targets[name] = before.withProblems(problemsOf(r.Problems, before.overlay), rendered.TenantMay)
			claimed[before.overlay] = true
			continue
		}
		left = append(left, before)
	}
	for _, p := range r.Problems {
		if !claimed[p.Overlay] {
			w.refused = append(w.refused, p)
		}
	}
	var change removal
	left = letGo(w, left, r)
	for _, before := range left {
		if before.quarantined.IsZero() {
			change.tenants = append(change.tenants, before.name)
		}
		w.targets[before.name] = o.quarantined(ctx, before, rendered, commit)
	}
	change.objects = o.objectsLeaving(w)
	if w.pruning, change = o.decide(ctx, commit, change); w.pruneHeld != "" {
		for _, before := range left {
			if before.quarantined.IsZero() && !w.confirmed.tenants[before.name] {
				w.targets[before.name] = before
			}
		}
	}
	return w, change
}

// tenant returns the target of a tenant that the revision has. While it is
// suspended, it keeps the objects that it has; the first that it gets do not
// wait, since nothing else would fence it.
func (o *owner) tenant(t *kustomize.Tenant, commit string, may []string) *target {
	before := o.previous.targets[t.Name]
	stands := before != nil && before.good && before.quarantined.IsZero()
	if stands && len(t.Problems) > 0 {
		return before.withProblems(t.Problems, may)
	}
	next := o.unrefused(newTarget(t, commit, before), before, may)
	if until := next.own.SuspendUntil; time.Now().Before(until) {
		if stands && !next.sameObjects(before) {
			next = before.waiting(next)
		}
		next.suspended = until
	}
	return next
}

// quarantined returns the target of a tenant that the revision does not have.
func (o *owner) quarantined(ctx context.Context, before *target, rendered *Rendered, commit string) *target {
	since := before.quarantined
	if since.IsZero() {
		since = time.Now().UTC().Truncate(time.Second)
	}
	guard, err := rendered.Guard(ctx, before.name)
	if err != nil {
		// What isolates already stays, and is completed by our own policy.
		o.engine.config.Log.Error("the guard does not render for a quarantined namespace", "tenant", before.name, "revision", short(commit), "err", err)
		guard = nil
	}
	return quarantine(before, guard, before.revision, since)
}

// objectsLeaving returns the objects that would be removed from tenants that
// stay, and from the cluster overlay. A Namespace never is.
func (o *owner) objectsLeaving(w *world) []drift.ID {
	var leaving []drift.ID
	for name, base := range o.base {
		t := w.targets[name]
		if t == nil || !t.quarantined.IsZero() {
			continue
		}
		for _, old := range base.wanted {
			if old.ID.Kind != kinds.Namespace && !t.holds(old.ID) {
				leaving = append(leaving, old.ID)
			}
		}
	}
	return leaving
}

func problemsOf(all []kustomize.Problem, overlay string) []kustomize.Problem {
	var out []kustomize.Problem
	for _, p := range all {
		if p.Overlay == overlay {
			out = append(out, p)
		}
	}
	return out
}

// bootstrap learns from Git what the revisions in the state put into the
// cluster, before the first revision of this process is adopted. It returns the
// rendering of that one, which may differ now that it is known who owns what.
// On an error nothing has changed.
func (o *owner) bootstrap(ctx context.Context, s *sources.Snapshot, rendered *Rendered) (*Rendered, error) {
	commit := s.Revision().Commit
	renders := map[string]*Rendered{commit: rendered}
	for _, c := range o.state.commits() {
		if renders[c] != nil {
			continue
		}
		r, err := o.renderAt(ctx, c)
		if err != nil {
			return nil, err
		}
		renders[c] = r
	}
	rendered, err := o.renderOwned(ctx, s, rendered, renders)
	if err != nil {
		return nil, err
	}
	renders[commit] = rendered
	applied := o.state.Applied
	for name, t := range tenantsOf(renders[applied]) {
		if _, excepted := o.state.Tenants[name]; !excepted {
			o.adoptBase(newTarget(t, applied, nil))
		}
	}
	for name, e := range o.state.Tenants {
		base := &target{name: name, revision: e.Revision}
		t := tenantsOf(renders[e.Revision])[name]
		if t != nil {
			base = newTarget(t, e.Revision, nil)
		}
		if e.Quarantined != nil { // held at deny-all, even if nobody knows any more what was there
			base = o.quarantined(ctx, &target{
				name: name, overlay: base.overlay, revision: base.revision, wanted: base.wanted, quarantined: *e.Quarantined,
			}, rendered, commit)
		}
		if t != nil || e.Quarantined != nil {
			o.adoptBase(base)
		}
	}
	o.recallBegun(tenantsOf(renders[applied]))
	for c, r := range renders {
		if c == commit && !slices.Contains(o.state.Pending, commit) && commit != applied {
			continue // nothing of it was written yet
		}
		for name, t := range tenantsOf(r) {
			o.own(name, o.state.Tenants[name].mayHave(prepare(t.Objects, o.previous.targets[name])), false, "")
		}
		o.ownGuards(ctx, r)
	}
	return rendered, nil
}

// recallBegun takes up tenants of the applied revision that never reached it, or were refused: parts of it, or what isolates,
// may be in their namespaces, which are quarantined if the overlay has left since.
func (o *owner) recallBegun(applied map[string]*kustomize.Tenant) {
	for name, e := range o.state.Tenants {
		t := applied[name]
		if t == nil || o.previous.targets[name] != nil {
			continue
		}
		begun := newTarget(t, o.state.Applied, nil)
		begun.wanted, begun.good = e.mayHave(begun.wanted), begun.good && !e.Refused
		o.previous.targets[name] = begun
	}
}

// ownGuards notes that what a revision's guard says may be in the namespaces that are in quarantine.
func (o *owner) ownGuards(ctx context.Context, r *Rendered) {
	for name, e := range o.state.Tenants {
		if e.Quarantined == nil || r.Guard == nil {
			continue
		}
		if guard, err := r.Guard(ctx, name); err == nil { // if it does not render, nothing of it was written
			o.own(name, prepare(guard, o.previous.targets[name]), false, "")
		}
	}
}

// renderOwned renders the newest snapshot again if faults were found in it
// while nobody was known to own anything: an overlay that claims the namespace
// of another is that overlay's fault alone.
func (o *owner) renderOwned(ctx context.Context, s *sources.Snapshot, rendered *Rendered, renders map[string]*Rendered) (*Rendered, error) {
	owners := maps.Clone(o.state.Owners)
	if owners == nil {
		owners = map[string]string{}
	}
	for name, t := range tenantsOf(renders[o.state.Applied]) {
		if e, excepted := o.state.Tenants[name]; excepted {
			t = tenantsOf(renders[e.Revision])[name]
			if e.Quarantined != nil {
				t = nil
			}
		}
		if _, known := owners[name]; !known && t != nil && name != clusterTenant {
			owners[name] = t.Overlay
		}
	}
	o.engine.owners.Store(&owners)
	faulty := len(rendered.Rendering.Problems) > 0 ||
		slices.ContainsFunc(rendered.Rendering.Tenants, func(t *kustomize.Tenant) bool { return len(t.Problems) > 0 })
	if !faulty || s.Revision().Commit == o.state.Applied && len(o.state.Owners) > 0 {
		return rendered, nil
	}
	again, err := o.engine.config.Renderer.Render(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("rendering revision %s: %w", short(s.Revision().Commit), err)
	}
	return again, nil
}

// adoptBase takes a target as reached before this process began.
func (o *owner) adoptBase(t *target) {
	o.previous.targets[t.name] = t
	o.base[t.name] = t
	o.own(t.name, t.wanted, true, t.revision)
}

// renderAt renders an older revision. A commit that cannot be had any more is
// no error: what only it held is then reported as extra, and never removed.
func (o *owner) renderAt(ctx context.Context, commit string) (*Rendered, error) {
	s, err := o.engine.config.Source.At(ctx, commit)
	if err != nil {
		if isGone(err) {
			o.engine.config.Log.Warn("an applied revision cannot be had any more; what only it held is reported, not removed", "revision", short(commit), "err", err)
			return &Rendered{Rendering: &kustomize.Rendering{}}, nil
		}
		return nil, fmt.Errorf("reading the applied revision %s: %w", short(commit), err)
	}
	r, err := o.engine.config.Renderer.Render(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("rendering the applied revision %s, which says what may have to be removed: %w (hint: what the daemon's own file pins must fit that revision too)", short(commit), err)
	}
	return r, nil
}

func tenantsOf(r *Rendered) map[string]*kustomize.Tenant {
	out := map[string]*kustomize.Tenant{}
	if r == nil {
		return out
	}
	for _, t := range r.Rendering.Tenants {
		out[t.Name] = t
	}
	if r.Rendering.Cluster != nil {
		out[clusterTenant] = r.Rendering.Cluster
	}
	return out
}
