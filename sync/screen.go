package sync

import (
	"context"
	"maps"
	"slices"
	"time"

	"k8s.io/client-go/util/workqueue"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sync/validate"
)

// screening is what is to be validated of a target before anything of it is written.
type screening struct {
	target  *target
	objects []*drift.Wanted
	// partly: other objects of the target may have been written already.
	partly bool
}

// verdict is what a screening came to.
type verdict struct {
	screening
	faults []validate.Fault
	// unknown says why there is no verdict yet; nil if there is one.
	unknown error
}

// screenings are what is validated, and what came of it. What follows the queue is guarded by Engine.mu.
type screenings struct {
	validator *validate.Validator
	screening workqueue.TypedRateLimitingInterface[string]
	screens   map[string]screening
	sound     map[string][]*drift.Wanted // objects that are acceptable, of which the tenant's worker does not know yet
	verdicts  map[string]verdict         // those of which the owner of the state does not know yet
}

func newScreenings() screenings {
	return screenings{
		screening: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](500*time.Millisecond, retryMax)),
		screens: map[string]screening{}, sound: map[string][]*drift.Wanted{}, verdicts: map[string]verdict{},
	}
}

// newValidator returns the validator of a process: what it remembers holds for all terms.
func newValidator(c Config, cluster *drift.Cluster) (*validate.Validator, error) {
	return validate.New(validate.Config{
		Dynamic: c.Dynamic, Discovery: c.Discovery, Cluster: cluster, Manager: c.manager(), Namespace: c.Namespace, Log: c.Log,
	})
}

// screened says whether all that a round may write is known to be acceptable. If not, that is found out by others than the
// workers, whom a slow webhook must not hold up, and the tenant is due again when it is known.
func (r *round) screened() bool {
	e, p := r.engine, r.progress
	if e.rehearsal != nil { // only the API server knows
		return true
	}
	if refused := r.target.refused; refused != nil {
		e.validate(screening{target: refused.target, objects: refused.target.wanted, partly: refused.partly})
	}
	if r.mode() == Observe || !r.target.good || !r.target.quarantined.IsZero() {
		return true
	}
	e.mu.Lock()
	for _, w := range e.sound[r.target.name] {
		p.sound[w.ID] = w
	}
	delete(e.sound, r.target.name)
	e.mu.Unlock()
	seeing := e.cluster.Synced()
	objects := r.unscreened()
	switch {
	case !seeing && p.screened == r.target, seeing && len(objects) == 0:
		p.screened = r.target
		return true
	case !seeing: // what is served, and live, is not known
		e.report(r.target.name, report{target: r.target, applied: p.revision, blind: true, err: errBlind})
		return false
	}
	e.validate(screening{target: r.target, objects: objects, partly: r.target.sameObjects(p.screened)})
	return false
}

// validate puts a target on the queue of those that are to be validated; one that is there already waits for its turn.
func (e *Engine) validate(s screening) {
	name := s.target.name
	e.mu.Lock()
	known := e.screens[name].target == s.target && len(e.screens[name].objects) == len(s.objects)
	e.screens[name] = s
	e.mu.Unlock()
	if !known {
		e.screening.Forget(name)
		e.screening.Add(name)
	}
}

// unscreened returns the objects that may be written and of which it is not known whether they are acceptable. What was
// applied before is, and so is what is live already; nothing is written of a kind that is not served.
func (r *round) unscreened() []*drift.Wanted {
	var out []*drift.Wanted
	for _, w := range r.target.wanted {
		if w.SameAs(r.progress.applied[w.ID]) || w.SameAs(r.progress.sound[w.ID]) || !r.engine.cluster.Served(w.ID.Kind) {
			continue
		}
		if live := r.engine.cluster.Get(w.ID); live != nil {
			if fields, err := w.Fields(live); err == nil && len(fields) == 0 {
				continue
			}
		}
		out = append(out, w)
	}
	return out
}

// screenAll takes targets that are to be validated off their queue until it is shut down.
func (e *Engine) screenAll(ctx context.Context) {
	for {
		name, shutdown := e.screening.Get()
		if shutdown {
			return
		}
		e.screen(ctx, name)
		e.screening.Done(name)
	}
}

// screen validates what is to be validated of a tenant. What is refused, or cannot be validated now, is tried again after
// pauses that grow: admission rules and definitions change without Git.
func (e *Engine) screen(ctx context.Context, name string) {
	e.mu.Lock()
	s, known := e.screens[name]
	e.mu.Unlock()
	w := e.world.Load()
	if !known || !w.targets[name].awaits(s.target) {
		e.unscreen(name)
		return
	}
	v := verdict{screening: s}
	v.faults, v.unknown = e.validator.Validate(ctx, s.objects, func() []string { return w.stands(e.cluster) })
	if ctx.Err() != nil {
		return
	}
	if len(v.faults) == 0 && v.unknown == nil {
		e.mu.Lock()
		e.sound[name] = append(e.sound[name], s.objects...)
		e.mu.Unlock()
		e.unscreen(name)
		e.queue.Add(name)
	} else {
		e.screening.AddRateLimited(name)
	}
	e.mu.Lock()
	e.verdicts[name] = v
	e.mu.Unlock()
	trigger(e.reported)
}

// unscreen forgets what is to be validated of a tenant.
func (e *Engine) unscreen(name string) {
	e.mu.Lock()
	delete(e.screens, name)
	e.mu.Unlock()
	e.screening.Forget(name)
}

// judged takes the verdicts that are new.
func (e *Engine) judged() map[string]verdict {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.verdicts
	e.verdicts = map[string]verdict{}
	return out
}

// standsMost is how many namespaces are named for trying objects in whose own does not exist.
const standsMost = 8

// stands returns namespaces of tenants that exist, in which what another tenant's namespace is to hold may be tried.
func (w *world) stands(cluster *drift.Cluster) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(w.targets)) {
		if name != clusterTenant && w.targets[name].quarantined.IsZero() && cluster.Namespace(name) != nil {
			if out = append(out, name); len(out) == standsMost {
				break
			}
		}
	}
	return out
}

// problems returns what is wrong, with the places in the files of a revision.
func (v *verdict) problems(rendered *Rendered) []kustomize.Problem {
	var out []kustomize.Problem
	for _, f := range v.faults {
		p := kustomize.Problem{Overlay: v.target.overlay, File: f.Want.Origin.File, Line: f.Want.Origin.Line}
		if rendered.Field != nil {
			p = rendered.Field(v.target.overlay, f.Want.Object, f.Path...)
		}
		p.Message, p.Hint = f.Message, f.Hint
		out = append(out, p)
	}
	if v.unknown != nil {
		out = append(out, kustomize.Problem{
			Overlay: v.target.overlay, File: v.target.overlay, Message: "what is new cannot be validated now: " + v.unknown.Error(),
			Hint: "nothing of it is written until it can be; it is tried again",
		})
	}
	return out
}
