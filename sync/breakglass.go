package sync

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ringfence/ringfence/drift"
)

// glassAnnotation opens a tenant's fence for a while, if it is configured: its
// value is a time (RFC 3339), a space and a reason, on the tenant's Namespace.
const glassAnnotation = "ringfence.dev/break-glass"

// glassBudget is the time within which all openings together may last as long
// as drift.breakGlass.maxDuration says.
const glassBudget = 24 * time.Hour

// opening is one time for which the glass of a tenant was broken. It is part of
// the state: an annotation that is seen again after a restart is no new one.
type opening struct {
	// Annotation is the value that asked for it.
	Annotation string `json:"annotation"`
	// Since is when it was first seen, Until when it ends or ended.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// glass is what holds of a tenant's break-glass now.
type glass struct {
	until  time.Time // zero: it is not broken
	reason string
	fault  error // why what the annotation asks for is not done
}

func (g glass) active() bool { return !g.until.IsZero() }

// lookAtGlass judges the annotation of a live Namespace, and notes a new opening.
func (p *progress) lookAtGlass(annotation string, longest time.Duration, now time.Time) glass {
	p.openings = recent(p.openings, now)
	last := len(p.openings) - 1
	if last >= 0 && p.openings[last].Annotation != annotation && p.openings[last].Until.After(now) {
		p.openings[last].Until = now // it was taken away, or replaced, before its end
	}
	if annotation == "" || longest <= 0 {
		return glass{}
	}
	asked, reason, err := parseGlass(annotation)
	if err != nil {
		return glass{fault: err}
	}
	if last >= 0 && p.openings[last].Annotation == annotation {
		if p.openings[last].Until.After(now) {
			return glass{until: p.openings[last].Until, reason: reason}
		}
		return glass{} // it has had its time
	}
	if !asked.After(now) {
		return glass{} // over before it was seen
	}
	left := longest - spent(p.openings, now)
	if left <= 0 {
		return glass{fault: fmt.Errorf("%s within %s are used up (hint: correct the policy in Git, or raise drift.breakGlass.maxDuration)", longest, glassBudget)}
	}
	end := asked
	if limit := now.Add(left); end.After(limit) {
		end = limit
	}
	end = end.UTC().Truncate(time.Second)
	p.openings = append(p.openings, opening{Annotation: annotation, Since: now.UTC().Truncate(time.Second), Until: end})
	return glass{until: end, reason: reason}
}

func parseGlass(annotation string) (until time.Time, reason string, err error) {
	first, reason, _ := strings.Cut(strings.TrimSpace(annotation), " ")
	if until, err = time.Parse(time.RFC3339, first); err != nil {
		return until, "", fmt.Errorf("%q does not begin with a time such as 2026-03-01T18:00:00Z", annotation)
	}
	if reason = strings.TrimSpace(reason); reason == "" {
		return until, "", errors.New("it gives no reason behind the time")
	}
	return until, reason, nil
}

// recent drops openings that no longer count.
func recent(openings []opening, now time.Time) (out []opening) {
	for i, o := range openings {
		if i == len(openings)-1 || o.Until.After(now.Add(-glassBudget)) { // the last: its annotation may still be there
			out = append(out, o)
		}
	}
	return out
}

// spent sums what the openings lasted within the budget's time.
func spent(openings []opening, now time.Time) (sum time.Duration) {
	from := now.Add(-glassBudget)
	for _, o := range openings {
		begin, end := o.Since, o.Until
		if begin.Before(from) {
			begin = from
		}
		if end.After(begin) {
			sum += end.Sub(begin)
		}
	}
	return sum
}

// breakGlass looks at the tenant's Namespace, tells what has changed, and makes
// the tenant due for the end.
func (r *round) breakGlass(ns *drift.Observed) {
	longest := r.engine.config.BreakGlass
	annotation := ""
	if ns != nil && r.target.name != clusterTenant && r.target.quarantined.IsZero() {
		annotation = ns.GetAnnotations()[glassAnnotation]
	}
	before := r.progress.glass
	r.glass = r.progress.lookAtGlass(annotation, longest, r.now)
	r.progress.glass = r.glass
	r.engine.config.DriftMetrics.SetBreakGlass(r.target.name, r.glass.until)
	name := r.target.name
	switch {
	case r.glass.fault != nil && (before.fault == nil || before.fault.Error() != r.glass.fault.Error()):
		r.log.Warn("break-glass refused", "tenant", name, "reason", r.glass.fault.Error())
		r.engine.events.glass(name, "refused: the annotation "+glassAnnotation+": "+r.glass.fault.Error())
	case r.glass.active() && !before.until.Equal(r.glass.until):
		r.log.Warn("glass broken, drift is not corrected", "tenant", name, "until", r.glass.until, "reason", r.glass.reason)
		r.engine.events.glass(name, fmt.Sprintf("drift is not corrected until %s: %s", r.glass.until.Format(time.RFC3339), r.glass.reason))
	case !r.glass.active() && before.active():
		r.log.Info("break-glass ended, drift is corrected again", "tenant", name)
		r.engine.events.glass(name, "ended: drift is corrected again")
	}
	if r.glass.active() {
		r.engine.queue.AddAfter(name, time.Until(r.glass.until)+10*time.Millisecond)
	}
}
