package sync

import (
	"context"
	"errors"
)

// errEmptied says why a revision without any overlay is refused.
var errEmptied = errors.New("no tenant overlay is left in it, where there were some, which is taken for a mistake: nothing is removed " +
	"(hint: bring the overlays back, or look at layout.tenants; tenants can leave one after the other, but for the last)")

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
	if o.bootstrapped || o.state.Applied == "" {
		for name, t := range o.previous.targets {
			if name != clusterTenant && t.quarantined.IsZero() {
				return errEmptied
			}
		}
		return nil
	}
	for name, e := range o.state.Tenants {
		if name != clusterTenant && e.Quarantined == nil {
			return errEmptied
		}
	}
	applied, err := o.renderAt(ctx, o.state.Applied)
	if err != nil {
		return &passingError{err}
	}
	if len(applied.Rendering.Overlays) > 0 {
		return errEmptied
	}
	return nil
}
