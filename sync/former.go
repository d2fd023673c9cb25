package sync

import (
	"slices"
	stdsync "sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// formerMost bounds the objects that are remembered of one tenant after they left
// Git; of more, the oldest are forgotten.
const formerMost = 200

// former are the objects that Git had and this process saw leave, whether it led
// or stood by. No request can say "create this unless I was deposed": one that a
// paused leader had begun may make an object anew that the next leader has removed.
// Such an object is known by its name and content, which are those of an earlier
// revision, and by the one Apply entry of ours: it is removed at once, and not told
// as somebody's extra.
type former struct {
	mu      stdsync.Mutex
	objects map[string][]*drift.Wanted // by tenant, the newest last
}

func newFormer() *former { return &former{objects: map[string][]*drift.Wanted{}} }

// keep notes what a tenant owned and does not any more, now that it is reached.
func (f *former) keep(t *target, p *progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.objects[t.name]
	for id, w := range p.owned {
		if id.Kind == kinds.Namespace || t.holds(id) {
			continue
		}
		if !slices.ContainsFunc(all, func(old *drift.Wanted) bool { return old.ID == id && old.SameAs(w) }) {
			all = append(all, w)
		}
	}
	if len(all) > 0 {
		f.objects[t.name] = all[max(0, len(all)-formerMost):]
	}
}

// of returns what is remembered of a tenant; it must not be changed.
func (f *former) of(tenant string) []*drift.Wanted {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.objects[tenant]
}

// reclaim makes those extra objects ours again that are what Git had before.
func (p *progress) reclaim(f *former, t *target, extra []drift.Difference, manager string) {
	if len(extra) == 0 {
		return
	}
	all := f.of(t.name)
	for _, d := range extra {
		if p.owned[d.ID] != nil || !appliedBy(d, manager) {
			continue
		}
		for _, w := range all {
			if w.ID != d.ID {
				continue
			}
			if fields, err := w.Fields(&drift.Observed{Unstructured: d.Got, ID: d.ID}); err == nil && len(fields) == 0 {
				p.owned[d.ID] = w
			}
		}
	}
}

// appliedBy says whether nobody but the manager, by one apply, made what a
// difference has. Anybody could write the same: it only narrows what is removed.
func appliedBy(d drift.Difference, manager string) bool {
	managers := drift.ManagersOf(d.Got)
	return len(managers) == 1 && managers[0].Name == manager && managers[0].Operation == string(metav1.ManagedFieldsOperationApply)
}
