package sync

import (
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// narrow corrects what may be corrected while other kinds cannot be seen, such as Calico's while its API server is away:
// Kubernetes NetworkPolicies that were deleted or changed in the cluster, where to write what Git says opens nothing,
// whatever the unseen kinds hold (see [drift.Narrower]). It does nothing else: what is new in Git, what has left it, what
// nobody wants and what would open wait until all can be seen, and the tenant stays unknown.
//
// Only what is known to have stood is looked at, in this process or, after a start, by the state; it was acceptable then. Each
// object gets one try, on condition that it is still as it was judged. If we crash in between, the next start finds the
// rest.
func (r *round) narrow(ctx context.Context) {
	e := r.engine
	if e.rehearsal != nil || e.standby || e.cluster.Synced() || !r.seesFence() {
		return
	}
	found, looked := r.differences()
	for i := range found {
		found[i].Effect = drift.EffectUnknown
	}
	fresh := e.ledger.Note(r.target.name, found, func(id drift.ID) bool { return looked[id] }, r.holding)
	for i := range fresh {
		e.detected(&fresh[i])
	}
	trigger(e.noted)
	for _, d := range found {
		if hold, _ := r.holding(d); hold != drift.NotHeld || !drift.Narrower(d.Want, d.Got) || ctx.Err() != nil {
			continue
		}
		switch err := r.close(ctx, d); {
		case err == nil, ctx.Err() != nil, errors.Is(err, errChanged): // whoever changed it has made the tenant due
		case apierrors.IsConflict(err):
			e.queue.AddRateLimited(r.target.name)
		default:
			r.log.Error("an object cannot be closed while others cannot be seen; it is tried again", "tenant", r.target.name, "err", describe(d.Want, err))
			e.queue.AddRateLimited(r.target.name)
		}
	}
	e.enter(r, nil)
	r.deeds = deeds{}
}

// seesFence says whether the tenant's namespace is there to be written to, and its policies can be seen. Whoever has broken
// the glass is let be, for as long as the annotation lies there: its time is not counted now.
func (r *round) seesFence() bool {
	cluster := r.engine.cluster
	if !cluster.Sees(kinds.NetworkPolicy) || !cluster.Sees(kinds.Namespace) || r.mode() != Correct {
		return false
	}
	ns := cluster.Namespace(r.target.name)
	if ns == nil || r.engine.config.BreakGlass > 0 && ns.GetAnnotations()[glassAnnotation] != "" {
		return false
	}
	there, _ := r.namespaceThere()
	return there
}

// differences returns what differs of the Kubernetes policies that are known to have stood as Git says, and which were
// looked at.
func (r *round) differences() (found []drift.Difference, looked map[drift.ID]bool) {
	var wanted []*drift.Wanted
	var live []*drift.Observed
	looked = map[drift.ID]bool{}
	for _, w := range r.target.wanted {
		if w.ID.Kind != kinds.NetworkPolicy || !w.SameAs(r.progress.applied[w.ID]) {
			continue
		}
		wanted, looked[w.ID] = append(wanted, w), true
		if o := r.engine.cluster.Get(w.ID); o != nil {
			live = append(live, o)
		}
	}
	found, err := drift.Compare(wanted, live, func(*drift.Observed) bool { return false })
	if err != nil {
		r.log.Error("what can be seen cannot be compared", "tenant", r.target.name, "err", err)
		return nil, nil
	}
	return slices.DeleteFunc(found, func(d drift.Difference) bool { return d.Want == nil }), looked
}

// errChanged says that an object is not what was judged any more.
var errChanged = errors.New("it has changed meanwhile")

// close writes one object over what was judged of it.
func (r *round) close(ctx context.Context, d drift.Difference) error {
	e := r.engine
	live := e.cluster.Get(d.ID)
	if (live == nil) != (d.Got == nil) || live != nil && live.Unstructured != d.Got {
		return errChanged
	}
	did := created
	if live != nil {
		did = updated
	}
	answer, err := e.writer.once(ctx, d.Want, live)
	if err != nil {
		did = failed
	}
	e.config.Metrics.objects.WithLabelValues(string(did)).Inc()
	r.deeds.did(did, d.ID, true)
	if err != nil {
		return err
	}
	e.cluster.Wrote(d.ID.Kind, answer)
	r.progress.confirm(d.Want)
	r.corrected(d)
	return nil
}
