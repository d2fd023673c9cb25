package sync

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
)

// letGo gives the tenants that left, and whose namespaces Git lets go, a target that wants nothing, and returns the others. What is
// let go counts against no limit: it is said in Git, by name. An overlay that is refused has not left, so its namespace is not let go.
func letGo(w *world, left []*target, r *kustomize.Rendering) []*target {
	for _, off := range r.Cluster.Offboardings() {
		if t := w.targets[off.Namespace]; t != nil {
			w.refused = append(w.refused, kustomize.Problem{
				Overlay: r.Cluster.Overlay, File: off.Origin.File, Line: off.Origin.Line,
				Message: fmt.Sprintf("the Offboarding lets go of the namespace %q, whose overlay %s is refused and has not left Git: the namespace stays fenced", off.Namespace, t.overlay),
				Hint:    "remove that overlay, or the Offboarding",
			})
			continue
		}
		i := slices.IndexFunc(left, func(t *target) bool { return t.name == off.Namespace })
		if i < 0 {
			continue // it is gone, or was let go before
		}
		w.targets[off.Namespace] = releasing(left[i], off)
		left = slices.Delete(slices.Clone(left), i, i+1)
	}
	return left
}

// releasing returns the target of a namespace that is let go.
func releasing(before *target, off kustomize.Offboarding) *target {
	since := before.quarantined
	if since.IsZero() {
		since = time.Now().UTC().Truncate(time.Second)
	}
	return &target{name: before.name, overlay: before.overlay, revision: before.revision, good: true, quarantined: since, released: &off}
}

// ours returns what is live and was written by us, the copies that stand in for such objects included.
func ours(p *progress, extra []drift.Difference) []drift.Difference {
	return slices.DeleteFunc(slices.Clone(extra), func(d drift.Difference) bool {
		original := d.ID
		original.Name = strings.TrimSuffix(original.Name, kustomize.ReservedSuffix)
		return p.owned[d.ID] == nil && p.owned[original] == nil
	})
}

// release tells that a namespace was let go.
func (o *owner) release(t *target) {
	o.engine.config.Log.Warn("namespace released, nothing isolates it any more", "tenant", t.name, "reason", t.released.Reason,
		"object", fmt.Sprintf("%s:%d", t.released.Origin.File, t.released.Origin.Line))
	o.engine.events.released(t)
}

// reminder is what the owner keeps to tell again of what lasts.
type reminder struct{ remind *time.Ticker }

// remindEvery is how often a quarantine is told again: an API server keeps Events for an hour.
const remindEvery = 55 * time.Minute

// remindQuarantined writes an Event for each namespace that is in quarantine.
func (o *owner) remindQuarantined() {
	for _, t := range o.previous.targets {
		if !t.quarantined.IsZero() && t.released == nil {
			o.engine.events.quarantined(t)
		}
	}
}
