package sync

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/drift"
)

// removal is what a revision removes.
type removal struct {
	objects []drift.ID // of tenants that stay, and of the cluster overlay
	tenants []string   // that leave Git
}

// names returns the objects as people and the state call them, sorted.
func (r removal) names() []string {
	out := make([]string, len(r.objects))
	for i, id := range r.objects {
		out[i] = id.String()
	}
	slices.Sort(out)
	return out
}

// without returns the removal less what was confirmed.
func (r removal) without(confirmed set) removal {
	return removal{
		objects: slices.DeleteFunc(slices.Clone(r.objects), func(id drift.ID) bool { return confirmed.objects[id.String()] }),
		tenants: slices.DeleteFunc(slices.Clone(r.tenants), func(name string) bool { return confirmed.tenants[name] }),
	}
}

// touches returns the tenants that lose something, the cluster overlay as "".
func (r removal) touches() map[string]bool {
	out := map[string]bool{}
	for _, id := range r.objects {
		out[id.Namespace] = true
	}
	for _, name := range r.tenants {
		out[name] = true
	}
	return out
}

// pruneHistory remembers the removals of the last hour, each once: one that has
// to be tried again, or that a further revision asks for again, is no other. It is
// in the state, so that a restart forgets none.
type pruneHistory struct {
	Objects map[string]time.Time `json:"objects,omitempty"`
	Tenants map[string]time.Time `json:"tenants,omitempty"`
}

// historyMost bounds what is remembered of one sort; of more, the newest are kept.
const historyMost = 2000

// with returns the history with a removal that is carried out.
func (h pruneHistory) with(now time.Time, r removal, limit PruneLimit) pruneHistory {
	now = now.UTC().Truncate(time.Second)
	objects, tenants := r.names(), r.tenants
	if limit.Objects < 0 { // nobody counts
		objects = nil
	}
	if limit.Tenants < 0 {
		tenants = nil
	}
	return pruneHistory{Objects: remember(h.Objects, objects, now), Tenants: remember(h.Tenants, tenants, now)}
}

func remember(past map[string]time.Time, more []string, now time.Time) map[string]time.Time {
	out := map[string]time.Time{}
	for name, at := range past {
		if now.Sub(at) < time.Hour {
			out[name] = at
		}
	}
	for _, name := range more {
		if _, known := out[name]; !known {
			out[name] = now
		}
	}
	if len(out) > historyMost {
		names := slices.SortedFunc(maps.Keys(out), func(a, b string) int { return out[b].Compare(out[a]) })
		for _, name := range names[historyMost:] {
			delete(out, name)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// within counts what was removed within the hour and what is to be now.
func within(past map[string]time.Time, more []string, now time.Time) int {
	all := map[string]bool{}
	for _, name := range more {
		all[name] = true
	}
	for name, at := range past {
		if now.Sub(at) < time.Hour {
			all[name] = true
		}
	}
	return len(all)
}

// refuse says, in one line, why a removal may not be carried out now and what is
// to be done; "" if it may.
func (h pruneHistory) refuse(now time.Time, r removal, limit PruneLimit, revision string) string {
	objects, tenants := within(h.Objects, r.names(), now), within(h.Tenants, r.tenants, now)
	objectsPast := limit.Objects >= 0 && len(r.objects) > 0 && objects > limit.Objects
	tenantsPast := limit.Tenants >= 0 && len(r.tenants) > 0 && tenants > limit.Tenants
	if !objectsPast && !tenantsPast {
		return ""
	}
	return fmt.Sprintf("revision %s removes %s; within the hour that makes %s and %s, more than sync.maxPrune allows (tenants: %d, objects: %d): nothing is removed or quarantined, everything else is applied "+
		"(hint: to have it removed, push a commit with the line \"%s: %s\" in its message; if it is a mistake, revert it)",
		short(revision), r.words(), count(tenants, "tenant"), count(objects, "object"), limit.Tenants, limit.Objects, ConfirmTrailer, revision)
}

// words counts what is removed, and names a few.
func (r removal) words() string {
	var parts []string
	if len(r.tenants) > 0 {
		parts = append(parts, listing(slices.Sorted(slices.Values(r.tenants)), "tenant"))
	}
	if len(r.objects) > 0 {
		parts = append(parts, listing(r.names(), "object"))
	}
	return strings.Join(parts, " and ")
}

// log tells what is held, one by one. Of more than a log should hold, the status has all.
func (r removal) log(log logger, revision string) {
	const most = 50
	names := r.names()
	for _, name := range slices.Sorted(slices.Values(r.tenants[:min(len(r.tenants), most)])) {
		log.Warn("would be quarantined", "tenant", name, "revision", revision)
	}
	for _, name := range names[:min(len(names), most)] {
		log.Warn("would be removed", "object", name, "revision", revision)
	}
	if more := max(0, len(r.tenants)-most) + max(0, len(names)-most); more > 0 {
		log.Warn("and more, which the status names", "count", more, "revision", revision)
	}
}

// listing counts what there is, and names a few.
func listing(names []string, noun string) string {
	const most = 3
	text := count(len(names), noun)
	if len(names) > most {
		return fmt.Sprintf("%s (%s and %d more)", text, strings.Join(names[:most], ", "), len(names)-most)
	}
	return fmt.Sprintf("%s (%s)", text, strings.Join(names, ", "))
}
