package sync

import (
	"fmt"
	"time"

	"github.com/ringfence/ringfence/drift"
)

// reason says in one line why a tenant is in its state, and what can be done, where no problem of its own says so; "" if there
// is nothing to say. live is its Namespace, nil if there is none.
func reason(t *Tenant, of *target, live *drift.Observed, waits *frozen) string {
	switch {
	case t.State == Quarantined && of.released != nil:
		return fmt.Sprintf("Git lets the namespace go (%s:%d): what was written there is being removed", of.released.Origin.File, of.released.Origin.Line)
	case t.State == Quarantined && live != nil && live.GetDeletionTimestamp() != nil:
		return "its overlay left Git, and the namespace is being deleted: it is left in peace until it is gone"
	case t.State == Quarantined:
		return fmt.Sprintf("its overlay %s left Git %s: the namespace is held at deny-all (hint: delete the namespace, or let it go with an Offboarding in the cluster overlay)",
			of.overlay, of.quarantined.UTC().Format(time.RFC3339))
	case t.State == Suspended && waits.touches(t.Name):
		return fmt.Sprintf("revision %s waits for the end of the freeze at %s", short(waits.revision), waits.until.UTC().Format(time.RFC3339))
	case t.State == Suspended:
		return fmt.Sprintf("the Tenant object of %s holds new revisions back: %s (hint: take suspend out of it to go on at once)", of.overlay, of.own.SuspendReason)
	case t.State != Pending || of.name == clusterTenant:
		return ""
	case live == nil && of.namespace() == nil:
		return fmt.Sprintf("the namespace does not exist, and %s brings no Namespace object: it is fenced as soon as it appears (hint: create it, or add a Namespace to the overlay)", of.overlay)
	case live != nil && live.GetDeletionTimestamp() != nil:
		return "the namespace is being deleted, and is left in peace until it is gone (hint: if it hangs, look at its status for what holds it)"
	}
	return ""
}
