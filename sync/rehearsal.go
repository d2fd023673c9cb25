package sync

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/order"
)

// hand makes the writes of rounds. Each is known to the cluster that the engine looks at when it has been made. It is safe for
// concurrent use.
type hand interface {
	// apply makes an object what is wanted; live is what is known to be there, or nil.
	apply(ctx context.Context, want *drift.Wanted, live *drift.Observed) (action, error)
	// drop takes off a Namespace what neither Git nor what was just written says.
	drop(ctx context.Context, d drift.Difference, written *drift.Wanted) error
	// remove deletes an object, which stays while it has finalizers; release takes these off.
	remove(ctx context.Context, live *drift.Observed) error
	release(ctx context.Context, live *drift.Observed) error
}

// rehearsal is the hand of an engine that only shows what it would do: it writes into a still cluster, and notes what was looked
// at and written. One goroutine uses it. The methods that an engine calls may be called on a nil one, which does nothing.
type rehearsal struct {
	cluster *drift.Cluster
	// imagined are the namespaces of a cluster that nobody runs, in which no tenant was yet.
	imagined func(namespace string) bool

	version uint64 // of the last write; above any that an API server gives
	last    action
	units   map[string]*Unit
	writes  []Write
}

// firstVersion is above the resource versions of any API server.
const firstVersion = 1 << 62

func (h *rehearsal) apply(_ context.Context, want *drift.Wanted, live *drift.Observed) (action, error) {
	u := placed(want)
	h.last = created
	if live != nil {
		h.last = updated
		u.SetUID(live.GetUID())
	}
	if live != nil && want.ID.Kind == kinds.Namespace { // others rightly add to it
		u.SetLabels(overlaid(live.GetLabels(), want.GetLabels()))
		u.SetAnnotations(overlaid(live.GetAnnotations(), want.GetAnnotations()))
	}
	h.wrote(want.ID.Kind, u)
	return h.last, nil
}

func overlaid(below, above map[string]string) map[string]string {
	out := maps.Clone(below)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, above)
	return out
}

func (h *rehearsal) wrote(k kinds.Kind, u *unstructured.Unstructured) {
	h.version++
	u.SetResourceVersion(strconv.FormatUint(firstVersion+h.version, 10))
	if u.GetUID() == "" {
		u.SetUID(types.UID("rehearsal-" + u.GetResourceVersion()))
	}
	h.cluster.Wrote(k, u)
}

func (h *rehearsal) drop(_ context.Context, d drift.Difference, written *drift.Wanted) error {
	gone := beyond(d, written)
	live := h.cluster.Get(d.ID)
	if len(gone) == 0 || live == nil {
		return nil
	}
	u := live.DeepCopy()
	for field, keys := range gone {
		for key := range keys {
			unstructured.RemoveNestedField(u.Object, "metadata", field, key)
		}
	}
	h.wrote(d.ID.Kind, u)
	return nil
}

func (h *rehearsal) remove(_ context.Context, live *drift.Observed) error {
	h.last = pruned
	if len(live.GetFinalizers()) == 0 {
		h.cluster.Erased(live.ID.Kind, live.Unstructured)
	}
	return nil
}

func (h *rehearsal) release(_ context.Context, live *drift.Observed) error {
	h.cluster.Erased(live.ID.Kind, live.Unstructured)
	return nil
}

// took notes a step that was made.
func (h *rehearsal) took(r *round, s order.Step, own *step) {
	if h == nil {
		return
	}
	h.writes = append(h.writes, Write{
		Unit: r.target.name, Turn: Turn(min(r.out.turn, allOpen)), Phase: s.Phase, ID: own.difference.ID, Action: string(h.last), Between: s.Content,
		Drift: own.drifted, Opens: s.Opens, Cuts: s.Cuts,
	})
}

// saw notes what a unit differs in when it is first looked at. The error concerns the network's description alone.
func (h *rehearsal) saw(r *round) error {
	if h == nil || h.units[r.target.name] != nil {
		return nil
	}
	u := &Unit{}
	h.units[r.target.name] = u
	if name := r.target.name; name != clusterTenant && (h.cluster.Namespace(name) == nil || h.imagined(name)) {
		u.New = true
	}
	all := slices.Concat(r.mend, r.extra)
	if _, err := r.engine.judge.Judge(r.scene(), all); err != nil {
		return err
	}
	for _, d := range all {
		u.Changes = append(u.Changes, r.change(d))
	}
	if err := r.waits(u); err != nil {
		return err
	}
	if !u.New {
		slices.SortStableFunc(u.Changes, func(a, b Change) int { return urgency(a.Effect) - urgency(b.Effect) })
	}
	return r.comesTo(u)
}

// change says what comes of a difference.
func (r *round) change(d drift.Difference) Change {
	c := Change{Difference: d, Drift: d.Want != nil && r.progress.isDrift(d)}
	i := slices.IndexFunc(r.steps, func(s step) bool { return s.difference.ID == d.ID })
	switch {
	case i < 0:
		hold, reason := r.holding(d)
		c.Stays, c.Reason = string(hold), reason
	case r.steps[i].fault != nil:
		c.Unknown = errNotServed(d.ID.Kind).Error()
	case r.steps[i].held:
		c.Stays, c.Reason = StaysPrune, r.world.pruneHeld
	}
	return c
}

// waits adds what a revision that is held back would change.
func (r *round) waits(u *Unit) error {
	held := r.target.held
	if held == nil {
		return nil
	}
	found, err := drift.Compare(held.wanted, r.engine.cluster.In(r.target.name), func(o *drift.Observed) bool { return !r.target.holds(o.ID) })
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(d drift.Difference) bool {
		return slices.ContainsFunc(u.Changes, func(c Change) bool { return c.ID == d.ID }) ||
			d.ID.Kind == kinds.Namespace // its labels wait with the rest, and are compared when that comes
	})
	s := r.scene()
	s.Wanted = held.wanted
	if _, err := r.engine.judge.Judge(s, found); err != nil {
		return err
	}
	for _, d := range found {
		u.Changes = append(u.Changes, Change{Difference: d, Stays: StaysSuspended, Reason: held.own.SuspendReason})
	}
	return nil
}

// comesTo fills in what all changes of a unit together do to traffic: those that stay are part of both sides. Where there
// was no fence, and nobody to be fenced, what is allowed then is what is opened.
func (r *round) comesTo(u *Unit) error {
	s := r.scene()
	var moving []drift.Difference
	for _, c := range u.Changes {
		switch {
		case c.Stays == "" && c.Unknown == "":
			moving = append(moving, c.Difference)
		case c.Stays != StaysSuspended:
			s.Wanted = standing(s.Wanted, c.Difference)
		}
	}
	if u.New {
		moving = nil
		for _, w := range r.target.wanted {
			if w.ID.Kind != kinds.Namespace && !isolatesOnly(w) {
				moving = append(moving, drift.Difference{ID: w.ID, Type: drift.Missing, Want: w})
			}
		}
		s.Namespaces = withNamespace(s, r.target)
	}
	together, err := r.engine.judge.Judge(s, moving)
	u.Opens, u.Closes, u.Unsure = together.Closes, together.Opens, together.Unsure
	return err
}

// standing returns what is wanted as it is where a difference stays.
func standing(wanted []*drift.Wanted, d drift.Difference) []*drift.Wanted {
	out := slices.DeleteFunc(slices.Clone(wanted), func(w *drift.Wanted) bool { return w.ID == d.ID })
	if d.Got != nil {
		out = append(out, drift.NewWanted(kustomize.Object{Unstructured: d.Got, Kind: d.ID.Kind}))
	}
	return out
}

// withNamespace returns the namespaces of a scene, and the one that a target makes.
func withNamespace(s *exposure.Scene, t *target) *drift.Namespaces {
	own := t.namespace()
	if own == nil {
		return s.Namespaces
	}
	return s.Namespaces.With(t.name, overlaid(own.GetLabels(), map[string]string{"kubernetes.io/metadata.name": t.name}))
}

// rehearse makes rounds until none is due: sorted by name, so that the same is always shown. What would be tried again, is not.
func (o *owner) rehearse(ctx context.Context) {
	e := o.engine
	for e.queue.Len() > 0 && ctx.Err() == nil {
		var due []string
		for e.queue.Len() > 0 {
			name, _ := e.queue.Get()
			due = append(due, name)
		}
		slices.Sort(due)
		for _, name := range due {
			e.round(ctx, name)
			e.queue.Done(name)
		}
		o.settle(ctx)
	}
}

// never is a queue in which what failed is not due again within any rehearsal.
func never() workqueue.TypedRateLimitingInterface[string] {
	return workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](24*time.Hour, 24*time.Hour))
}
