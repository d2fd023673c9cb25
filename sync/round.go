package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// outcome is what a round tells the owner of the state.
type outcome struct {
	name    string
	target  *target
	reached bool // the target stands in full
	left    bool // beside it stands what has left Git and may not be removed now
	gone    bool // a quarantined namespace no longer exists
	fights  int
}

// round brings one tenant to its target, or reports why not. The queue gives a
// name to one worker at a time.
func (e *Engine) round(ctx context.Context, name string) {
	w := e.world.Load()
	if w == nil || w.targets[name] == nil {
		return
	}
	r := &round{engine: e, world: w, target: w.targets[name], progress: e.progressOf(name), now: time.Now()}
	r.log = e.config.Log
	r.progress.own(r.target)
	out, err := r.run(ctx)
	if ctx.Err() != nil {
		return
	}
	e.report(name, report{
		target: r.target, applied: r.progress.revision, reached: out.reached,
		pending: r.pending, blind: errors.Is(err, errBlind), err: err,
	})
	switch {
	case errors.Is(err, errBlind):
		return // due again when the watches see
	case err != nil:
		e.queue.AddRateLimited(name)
	default:
		e.queue.Forget(name)
	}
	if out.fights > 0 { // to see when it is over
		e.queue.AddAfter(name, fightCalm+fightLongest)
	}
	e.tell(out)
}

// round is one pass over one tenant.
type round struct {
	engine   *Engine
	world    *world
	target   *target
	progress *progress
	now      time.Time
	log      logger
	pending  bool // the namespace is not there yet
}

func (r *round) run(ctx context.Context) (outcome, error) {
	out := outcome{name: r.target.name, target: r.target}
	if !r.engine.cluster.Synced() {
		return out, errBlind
	}
	there, gone := r.namespaceThere()
	out.gone = gone
	if !there {
		r.pending = !gone
		r.engine.ledger.Record(r.target.name, nil, nil)
		return out, nil
	}
	mend, extra, err := r.compare()
	if err != nil {
		return out, err
	}
	if r.engine.config.Mode == Observe {
		r.record(mend, extra)
		out.reached = len(mend) == 0 && len(extra) == 0
		return out, nil
	}
	leave, foreign := leaving(r.target, r.progress, extra)
	if r.world.pruneHeld != "" {
		out.left = len(leave) > 0
		leave = nil
	}
	due := r.record(mend, foreign)
	equal := len(due) == len(mend) // nothing is left standing
	out.fights = r.progress.fighting(r.now)
	if !r.engine.cluster.Synced() { // it may have gone blind while we compared
		return out, errBlind
	}
	steps := plan(r.target, due, leave, r.progress, r.engine.cluster.Get)
	first := !r.target.sameObjects(r.progress.settled)
	if err := r.execute(ctx, steps); err != nil {
		return out, err
	}
	out.reached = true
	if equal {
		r.engine.config.Metrics.lastSuccess.WithLabelValues(r.target.name).Set(float64(time.Now().Unix()))
	}
	switch {
	case r.world.pruneHeld != "":
		r.progress.settled, r.progress.revision = r.target, r.target.revision
	case first || len(leave) > 0:
		r.progress.reach(r.target, foreign)
	}
	if first && len(steps) > 0 {
		r.log.Info("tenant synced", "tenant", r.target.name, "revision", short(r.target.revision), "objects", len(steps), "took", time.Since(r.now))
		r.engine.events.synced(r.target, len(steps))
	}
	return out, nil
}

// namespaceThere says whether the namespace can be written to now, or will be
// made by this round. A namespace that is being deleted is left in peace.
func (r *round) namespaceThere() (there, gone bool) {
	if r.target.name == clusterTenant {
		return true, false
	}
	live := r.engine.cluster.Namespace(r.target.name)
	if live == nil {
		if !r.target.quarantined.IsZero() {
			return false, true
		}
		return r.target.namespace() != nil, false
	}
	phase, _, _ := unstructured.NestedString(live.Object, "status", "phase")
	return live.GetDeletionTimestamp() == nil && phase != string(corev1.NamespaceTerminating), false
}

// compare returns the differences that Git wants mended and the objects that
// Git does not have.
func (r *round) compare() (mend, extra []drift.Difference, err error) {
	cluster := r.engine.cluster
	live := cluster.In(r.target.name)
	if r.target.namespace() != nil {
		if ns := cluster.Namespace(r.target.name); ns != nil {
			live = append(live, ns)
		}
	}
	native := cluster.NativeCalico()
	all, err := drift.Compare(r.target.wanted, live, func(o *drift.Observed) bool { return drift.BuiltIn(o, native) != "" })
	if err != nil {
		return nil, nil, err
	}
	for _, d := range all {
		if d.Type == drift.Extra {
			extra = append(extra, d)
		} else {
			mend = append(mend, d)
		}
	}
	differing := map[drift.ID]bool{}
	for _, d := range mend {
		differing[d.ID] = true
	}
	if d, left := r.namespaceLeft(live); left && !differing[d.ID] {
		mend, differing[d.ID] = append(mend, d), true
	}
	for _, w := range r.target.wanted {
		if !differing[w.ID] {
			r.progress.confirm(w)
		}
	}
	return mend, extra, nil
}

// namespaceLeft returns the difference of a Namespace that has everything that
// Git says, and beside it labels or annotations that Git said before: the apply
// that leaves them out takes them away. Others' are nobody's business here.
func (r *round) namespaceLeft(live []*drift.Observed) (drift.Difference, bool) {
	want := r.target.namespace()
	if want == nil {
		return drift.Difference{}, false
	}
	before := r.progress.applied[want.ID]
	i := slices.IndexFunc(live, func(o *drift.Observed) bool { return o.ID == want.ID })
	if i < 0 || before == nil || want.SameAs(before) {
		return drift.Difference{}, false
	}
	d := drift.Difference{ID: want.ID, Type: drift.Modified, Effect: drift.EffectUnknown, Want: want, Got: live[i].Unstructured, Seen: live[i].Seen}
	for _, at := range []struct {
		path              string
		before, now, live map[string]string
	}{
		{"metadata.labels", before.GetLabels(), want.GetLabels(), live[i].GetLabels()},
		{"metadata.annotations", before.GetAnnotations(), want.GetAnnotations(), live[i].GetAnnotations()},
	} {
		for key, value := range at.before {
			if _, kept := at.now[key]; !kept && at.live[key] == value {
				d.Fields = append(d.Fields, drift.Field{Path: fmt.Sprintf("%s[%q]", at.path, key), Got: value})
			}
		}
	}
	return d, len(d.Fields) > 0
}

// record enters drift and extras in the ledger, tells about new ones, and
// returns what is to be mended now: everything that is not held.
func (r *round) record(mend, foreign []drift.Difference) []drift.Difference {
	observe := r.engine.config.Mode == Observe
	var drifted, now []drift.Difference
	for _, d := range mend {
		if observe || r.progress.isDrift(d) {
			drifted = append(drifted, d)
		}
	}
	if r.target.name != clusterTenant || r.world.rendered.Rendering.Cluster != nil || len(r.target.wanted) > 0 {
		drifted = append(drifted, foreign...)
	}
	r.judge(drifted)
	fresh := r.engine.ledger.Record(r.target.name, drifted, r.holding)
	for i := range fresh {
		r.engine.detected(&fresh[i])
	}
	for _, d := range mend {
		if !r.progress.isDrift(d) || r.holding(d) == drift.NotHeld {
			now = append(now, d)
		}
	}
	return now
}

// holding says why a difference is not corrected now.
func (r *round) holding(d drift.Difference) drift.Hold {
	switch {
	case r.engine.config.Mode != Correct, d.Type == drift.Extra:
		return drift.Report
	case r.progress.patience(d.ID, r.now) > 0:
		r.engine.queue.AddAfter(r.target.name, r.progress.patience(d.ID, r.now))
		return drift.Fight
	}
	return drift.NotHeld
}

// execute writes the steps in order. All errors are gathered; where a step that
// later ones rely on fails, those are not tried.
func (r *round) execute(ctx context.Context, steps []step) error {
	var errs []error
	stop := rank(-1)
	for _, s := range steps {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if stop >= 0 && s.rank > stop {
			break
		}
		if err := r.write(ctx, s); err != nil {
			errs = append(errs, err)
			if s.needed() {
				stop = s.rank
			}
		}
	}
	return errors.Join(errs...)
}

func (r *round) write(ctx context.Context, s step) error {
	d, metrics := s.difference, r.engine.config.Metrics
	if s.remove {
		if err := r.engine.writer.remove(ctx, s.live); err != nil {
			metrics.objects.WithLabelValues(string(failed)).Inc()
			return fmt.Errorf("removing %s, which left Git: %w", d.ID, err)
		}
		metrics.objects.WithLabelValues(string(pruned)).Inc()
		r.log.Info("object removed", "tenant", r.target.name, "object", d.ID.String(), "revision", short(r.world.revision))
		return nil
	}
	if !r.engine.cluster.Served(d.ID.Kind) {
		metrics.objects.WithLabelValues(string(failed)).Inc()
		return describe(d.Want, errNotServed(d.ID.Kind))
	}
	did, err := r.engine.writer.apply(ctx, d.Want, s.live)
	metrics.objects.WithLabelValues(string(did)).Inc()
	if err != nil {
		return describe(d.Want, err)
	}
	r.progress.confirm(d.Want)
	r.progress.owned[d.ID] = d.Want
	if s.drifted {
		now := time.Now()
		r.progress.corrected(d.ID, now)
		r.engine.ledger.Correct(r.target.name, d)
		r.engine.correctedOne(r.target.name, d)
	}
	return nil
}

func errNotServed(k kinds.Kind) error {
	hint := "is its CustomResourceDefinition installed?"
	if k.Group == kinds.GroupCalico {
		hint = "is Calico installed, and its API server if it is older than 3.32?"
	}
	return fmt.Errorf("the cluster does not serve %s %s (hint: %s)", k.GroupVersion(), k.Kind, hint)
}
