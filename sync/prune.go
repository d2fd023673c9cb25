package sync

import (
	"fmt"
	"maps"
	"time"

	"github.com/ringfence/ringfence/drift"
)

// removal is what a revision removes.
type removal struct {
	objects []drift.ID // of tenants that stay, and of the cluster overlay
	tenants []string   // that leave Git
}

// pruneHistory remembers the removals of the last hour, each once: one that has
// to be tried again, or that a further revision asks for again, is no other. A
// restart forgets them.
type pruneHistory struct {
	objects map[drift.ID]time.Time
	tenants map[string]time.Time
}

// add notes a removal that is carried out.
func (h *pruneHistory) add(now time.Time, r removal) {
	h.objects = remember(h.objects, r.objects, now)
	h.tenants = remember(h.tenants, r.tenants, now)
}

func remember[K comparable](past map[K]time.Time, more []K, now time.Time) map[K]time.Time {
	if past == nil {
		past = map[K]time.Time{}
	}
	maps.DeleteFunc(past, func(_ K, at time.Time) bool { return now.Sub(at) >= time.Hour })
	for _, k := range more {
		if _, known := past[k]; !known {
			past[k] = now
		}
	}
	return past
}

// within counts what was removed within the hour and what is to be now.
func within[K comparable](past map[K]time.Time, more []K, now time.Time) int {
	all := map[K]bool{}
	for _, k := range more {
		all[k] = true
	}
	for k, at := range past {
		if now.Sub(at) < time.Hour {
			all[k] = true
		}
	}
	return len(all)
}

// refuse says, in one line, why a removal may not be carried out now; "" if it
// may.
func (h *pruneHistory) refuse(now time.Time, r removal, limit PruneLimit) string {
	objects, tenants := within(h.objects, r.objects, now), within(h.tenants, r.tenants, now)
	objectsPast := limit.Objects >= 0 && len(r.objects) > 0 && objects > limit.Objects
	tenantsPast := limit.Tenants >= 0 && len(r.tenants) > 0 && tenants > limit.Tenants
	if !objectsPast && !tenantsPast {
		return ""
	}
	return fmt.Sprintf("the revision removes %d objects and %d tenants, %d and %d within the hour, more than sync.maxPrune allows (objects: %d, tenants: %d); everything else is applied (hint: revert, remove less at a time, or raise sync.maxPrune)",
		len(r.objects), len(r.tenants), objects, tenants, limit.Objects, limit.Tenants)
}
