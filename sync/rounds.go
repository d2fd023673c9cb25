package sync

import (
	"errors"
	"slices"
	"time"

	"github.com/ringfence/ringfence/drift"
)

// Why a round had something to do.
const (
	ForRevision = "revision" // Git has changed
	ForDrift    = "drift"    // the cluster has changed, as a watch or the audit saw
	ForRetry    = "retry"    // the round before failed
)

// Round is one pass over a tenant that changed something, or failed. A steady cluster has none.
type Round struct {
	// Time is when it ended, and Took how long it took.
	Time time.Time
	Took time.Duration
	// Revision is the commit that it worked towards.
	Revision string
	// Why is ForRevision, ForDrift or ForRetry.
	Why string
	// Created, Updated, Removed and Failed count writes.
	Created, Updated, Removed, Failed int
	// Objects say what was written, in order: "updated NetworkPolicy.networking.k8s.io caas-acme/deny-all"; at most 20.
	Objects []string
	// Error is what went wrong, a line for each fault; "" if nothing did.
	Error string
	// Tries is how often in a row it ended in the same error and changed nothing; at least 1.
	Tries int
}

// roundsMost bounds the rounds that are kept of a tenant, the newest, and objectsMost the objects that each names.
const (
	roundsMost  = 10
	objectsMost = 20
)

// deeds are the writes of a round.
type deeds struct {
	Round
	drifted, due bool // writes that undid drift, and that did what is new in Git
}

// did notes a write.
func (d *deeds) did(a action, id drift.ID, drifted bool) {
	switch a {
	case created:
		d.Created++
	case updated:
		d.Updated++
	case pruned:
		d.Removed++
	case failed:
		d.Failed++
	default:
		return // it was as it should be
	}
	d.drifted, d.due = d.drifted || drifted, d.due || !drifted
	if len(d.Objects) < objectsMost {
		d.Objects = append(d.Objects, string(a)+" "+id.String())
	}
}

// enter keeps a round that changed something or failed.
func (e *Engine) enter(r *round, err error) {
	if err == nil && r.deeds.Created+r.deeds.Updated+r.deeds.Removed+r.deeds.Failed == 0 || errors.Is(err, errBlind) {
		return
	}
	done := r.deeds.Round
	done.Time, done.Took, done.Revision, done.Tries = time.Now(), time.Since(r.now), r.target.revision, 1
	if err != nil {
		done.Error = err.Error()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.rounds[r.target.name]
	e.rounds[r.target.name] = entered(before, done, why(before, done, r.deeds))
}

func why(before []Round, done Round, d deeds) string {
	switch n := len(before); {
	case n > 0 && before[n-1].Error != "" && before[n-1].Revision == done.Revision:
		return ForRetry
	case d.drifted && !d.due:
		return ForDrift
	}
	return ForRevision
}

// entered adds a round; one that failed as the one before did, and changed nothing, is the same once more.
func entered(before []Round, done Round, why string) []Round {
	done.Why = why
	if n := len(before); n > 0 && why == ForRetry && done.Error == before[n-1].Error && done.Created+done.Updated+done.Removed == 0 {
		last := before[n-1]
		last.Time, last.Took, last.Tries = done.Time, done.Took, last.Tries+1
		return append(slices.Clone(before[:n-1]), last)
	}
	return last(append(slices.Clone(before), done), roundsMost)
}
