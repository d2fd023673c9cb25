package sync

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// record judges drift and extras, enters them in the ledger, tells about new
// ones, and returns what is to be mended now: everything that is not held.
func (r *round) record(mend, foreign []drift.Difference) []drift.Difference {
	var drifted, now []drift.Difference
	for _, d := range mend {
		if r.mode() == Observe || r.progress.isDrift(d) {
			drifted = append(drifted, d)
		} else {
			now = append(now, d)
		}
	}
	if r.target.name != clusterTenant || r.world.rendered.Rendering.Cluster != nil || len(r.target.wanted) > 0 {
		drifted = append(drifted, foreign...)
	}
	r.judge(drifted)
	for i, d := range drifted {
		if hold, _ := r.holding(d); hold == drift.Fight {
			drifted[i].Writers = append(slices.Clone(d.Writers), r.ourSide(d.ID))
		}
	}
	fresh := r.engine.ledger.Record(r.target.name, drifted, r.holding)
	for i := range fresh {
		r.engine.detected(&fresh[i])
	}
	trigger(r.engine.noted)
	for _, d := range drifted {
		switch hold, _ := r.holding(d); {
		case hold == drift.Ignore:
			r.ignored++
			continue
		case hold != drift.NotHeld:
			if d.Type != drift.Extra {
				r.standing++
			}
			continue
		}
		if d.Type == drift.Extra {
			r.unwelcome = append(r.unwelcome, d)
			continue
		}
		now = append(now, d)
	}
	return now
}

// holding says why a difference is not corrected now, and the reason of the
// rule if one says so.
func (r *round) holding(d drift.Difference) (drift.Hold, string) {
	if rule, ok := drift.Ignored(r.world.rendered.Ignore, d); ok {
		return drift.Ignore, rule.Reason
	}
	if r.mode() != Correct {
		return drift.Report, ""
	}
	if r.glass.active() {
		return drift.BreakGlass, r.glass.reason
	}
	if d.Type == drift.Extra {
		if d.ID.Kind.Group == kinds.GroupStored {
			return drift.Report, aroundServer
		}
		if !r.mayDelete(d) {
			return drift.Report, ""
		}
		if d.Got.GetDeletionTimestamp() != nil {
			return drift.Report, "it is being deleted, and hangs on the finalizers " + strings.Join(d.Got.GetFinalizers(), ", ")
		}
	}
	if wait := r.progress.patience(d.ID, r.now); wait > 0 {
		r.engine.queue.AddAfter(r.target.name, wait)
		return drift.Fight, ""
	}
	return drift.NotHeld, ""
}

// aroundServer is why an object of Calico's storage is left to people.
const aroundServer = "it was written around Calico's API server, which does not show it or cannot reach it: remove it where it is"

// mayDelete says whether an extra object is deleted: if the repository wants it
// so, and the object does nothing but open, in a namespace that was made for its
// fence, or whose extras Git has adopted.
func (r *round) mayDelete(d drift.Difference) bool {
	return deletable(d, r.world.rendered.DeleteExtra, r.progress.stood, r.target.own.AdoptExtras)
}

// deletable is the rule of mayDelete. An extra that only opens, judged against
// Git and against the live state, closes and opens nothing when it goes.
func deletable(d drift.Difference, wanted, stood, adopted bool) bool {
	return wanted && d.Type == drift.Extra && d.ID.Kind.Group != kinds.GroupStored && d.ID.Namespace != "" && d.Effect == drift.Opens && (!stood || adopted)
}

// deleteExtras removes the extra objects that may be deleted.
func (r *round) deleteExtras(steps []step) []step {
	for _, d := range r.unwelcome {
		if o := r.engine.cluster.Get(d.ID); o != nil {
			steps = append(steps, step{rank: rankExtra, difference: d, live: o, remove: true, drifted: true})
		}
	}
	return steps
}

// ourSide is what a fight lists beside the other side's managers.
func (r *round) ourSide(id drift.ID) drift.Writer {
	return drift.Writer{
		Name: r.engine.config.manager(), Operation: string(metav1.ManagedFieldsOperationApply), Time: r.progress.fights[id].last.UTC().Truncate(time.Second),
	}
}

// announceFight tells who keeps changing what back, once for each longer pause.
func (r *round) announceFight(d drift.Difference) {
	f := r.progress.fights[d.ID]
	if f == nil || f.pause() == 0 {
		return
	}
	r.engine.fought(r.target.name, d, f.corrections, f.pause().Round(time.Second))
}
