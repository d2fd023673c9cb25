package sync

import (
	"fmt"
	"time"
)

// removal counts what a revision removes.
type removal struct {
	objects int // of tenants that stay, and of the cluster overlay
	tenants int // that leave Git
}

// pruneHistory remembers the removals of the last hour. A restart forgets them.
type pruneHistory struct {
	entries []pastRemoval
}

type pastRemoval struct {
	at time.Time
	removal
}

// add notes a removal that is carried out.
func (h *pruneHistory) add(now time.Time, r removal) {
	if r != (removal{}) {
		h.entries = append(h.entries, pastRemoval{now, r})
	}
}

// refuse says, in one line, why a removal may not be carried out now; "" if it
// may.
func (h *pruneHistory) refuse(now time.Time, r removal, limit PruneLimit) string {
	if r == (removal{}) {
		return ""
	}
	sum := r
	for _, e := range h.entries {
		if now.Sub(e.at) < time.Hour {
			sum.objects += e.objects
			sum.tenants += e.tenants
		}
	}
	objects := limit.Objects >= 0 && r.objects > 0 && sum.objects > limit.Objects
	tenants := limit.Tenants >= 0 && r.tenants > 0 && sum.tenants > limit.Tenants
	if !objects && !tenants {
		return ""
	}
	return fmt.Sprintf("the revision removes %d objects and %d tenants, %d and %d within the hour, more than sync.maxPrune allows (objects: %d, tenants: %d); everything else is applied (hint: revert, remove less at a time, or raise sync.maxPrune)",
		r.objects, r.tenants, sum.objects, sum.tenants, limit.Objects, limit.Tenants)
}
