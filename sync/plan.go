package sync

import (
	"cmp"
	"slices"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// rank orders the steps of a round. In a tenant, whatever closes comes before
// whatever opens; for cluster-scoped objects, what others refer to comes first
// and goes last.
type rank int

const (
	rankNamespace rank = iota
	rankIsolation
	rankGuard
	rankTier
	rankSet
	rankClusterPolicy
	rankPrune
	rankPruneSet
	rankPruneTier
	rankExtra
	rankAllowance
)

// step is one write of a round.
type step struct {
	rank rank
	// difference is what the write mends; for a removal, its Got is what goes.
	difference drift.Difference
	// live is what is known of the object; nil if it does not exist.
	live *drift.Observed
	// remove: the object has left Git.
	remove bool
	// drifted: the write undoes a change made in the cluster.
	drifted bool
	// held: it is not done in this round, for the reason in fault if it is an error.
	held  bool
	fault error
	// done: the object is what it is to be.
	done bool
}

// needed: where the step fails, those of later ranks are not tried: without
// isolation nothing may be allowed. A Namespace that is there and cannot be
// changed keeps nobody from being isolated.
func (s *step) needed() bool {
	switch s.rank {
	case rankNamespace:
		return s.live == nil
	case rankIsolation, rankTier:
		return true
	}
	return false
}

// plan puts the differences that are to be mended, and what has left Git, into
// the order of writing.
func plan(t *target, mend, leave []drift.Difference, p *progress, live func(drift.ID) *drift.Observed) []step {
	steps := make([]step, 0, len(mend)+len(leave))
	for _, d := range mend {
		steps = append(steps, step{rank: rankOf(t, d.Want), difference: d, live: live(d.ID), drifted: p.isDrift(d)})
	}
	for _, d := range leave {
		if o := live(d.ID); o != nil {
			steps = append(steps, step{rank: pruneRank(d.ID), difference: d, live: o, remove: true})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.rank, b.rank) })
	return steps
}

func rankOf(t *target, w *drift.Wanted) rank {
	if t.name == clusterTenant {
		switch {
		case w.ID.Kind == kinds.Tier:
			return rankTier
		case w.ID.Kind.Kind == "GlobalNetworkSet":
			return rankSet
		}
		return rankClusterPolicy
	}
	if w.ID.Kind == kinds.Namespace {
		return rankNamespace
	}
	if isolatesOnly(w) {
		return rankIsolation
	}
	if w.Guard {
		return rankGuard
	}
	return rankAllowance
}

func pruneRank(id drift.ID) rank {
	switch {
	case id.Kind == kinds.Tier:
		return rankPruneTier
	case id.Kind.Kind == "GlobalNetworkSet":
		return rankPruneSet
	}
	return rankPrune
}

// leaving returns what is owned, no longer wanted and still live, less what
// must stay: a Namespace always, and isolation in a direction that the target
// does not isolate itself. Of a namespace that is let go, all that is owned leaves.
func leaving(t *target, p *progress, extra []drift.Difference) (leave, foreign []drift.Difference) {
	if t.released != nil {
		return ours(p, extra), nil
	}
	_, ingress, egress := isolation(t.wanted)
	for _, d := range extra {
		w := p.owned[d.ID]
		if w == nil {
			if w = leftHold(t, p, d); w != nil && t.holds(w.ID) {
				leave = append(leave, d)
				continue
			}
		}
		if w == nil {
			foreign = append(foreign, d)
			continue
		}
		in, out := w.Isolates()
		if in && !ingress || out && !egress {
			foreign = append(foreign, d)
			continue
		}
		leave = append(leave, d)
	}
	return leave, foreign
}
