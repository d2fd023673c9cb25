package sync

import (
	"context"
	"errors"
)

// errEmptied says why a revision without any overlay is refused.
var errEmptied = errors.New("no tenant overlay is left in it, where there were some, which is taken for a mistake: nothing is removed " +
	"(hint: bring the overlays back, or look at layout.tenants; the last tenant can only leave by an Offboarding that names it)")

// passingError is one that says nothing about the revision.
type passingError struct{ error }

// Unwrap returns what it is about.
func (e *passingError) Unwrap() error { return e.error }

// checkNotEmptied refuses a revision that has no overlay left where there were some: that is a mistake, and would
// quarantine everyone. A process that has adopted nothing yet asks what was applied before it.
func (o *owner) checkNotEmptied(ctx context.Context, r *Rendered) error {
	if len(r.Rendering.Overlays) > 0 {
		return nil
	}
	left, err := o.fenced(ctx)
	if err != nil {
		return &passingError{err}
	}
	for _, off := range r.Rendering.Cluster.Offboardings() {
		delete(left, off.Namespace)
	}
	if len(left) > 0 {
		return errEmptied
	}
	return nil
}

// fenced returns the tenants that have an overlay in what was adopted or, before anything was, applied last.
func (o *owner) fenced(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	if o.bootstrapped || o.state.Applied == "" {
		for name, t := range o.previous.targets {
			if name != clusterTenant && t.quarantined.IsZero() {
				out[name] = true
			}
		}
		return out, nil
	}
	applied, err := o.renderAt(ctx, o.state.Applied)
	if err != nil {
		return nil, err
	}
	for name := range tenantsOf(applied) {
		out[name] = true
	}
	for _, folder := range applied.Rendering.Unplaced {
		out[folder] = true // whose namespace it is, is not known
	}
	for name, e := range o.state.Tenants {
		if out[name] = true; e.Quarantined != nil {
			delete(out, name)
		}
	}
	delete(out, clusterTenant)
	return out, nil
}
