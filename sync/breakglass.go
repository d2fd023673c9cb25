package sync

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ringfence/ringfence/drift"
)

// glassAnnotation opens a tenant's fence for a while, if it is configured: its
// value is a time (RFC 3339), a space and a reason, on the tenant's Namespace.
const glassAnnotation = "ringfence.dev/break-glass"

const (
	// glassBudget is the time within which all openings together may last as long
	// as drift.breakGlass.maxDuration says.
	glassBudget = 24 * time.Hour
	// glassReminder is how often an opening, or a refusal, is told anew.
	glassReminder = 10 * time.Minute
	// glassMost bounds the openings that are remembered of one tenant. Of more, the
	// oldest are taken for one, with the time between them.
	glassMost = 16
)

// opening is one time for which the glass of a tenant was broken. It is part of
// the state: an annotation that is seen again after a restart is no new one.
type opening struct {
	// Asked stands for the annotation that asked for it, which may be long.
	Asked string `json:"asked"`
	// Since is when it was first seen, Until when it ends or ended.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Refused: the budget was used up, and stays so for this annotation.
	Refused bool `json:"refused,omitempty"`
}

// glass is what holds of a tenant's break-glass now.
type glass struct {
	until  time.Time // zero: it is not broken
	reason string
	fault  error // why what the annotation asks for is not done
}

func (g glass) active() bool { return !g.until.IsZero() }

// same says whether nothing has changed that somebody should be told.
func (g glass) same(other glass) bool {
	if g.fault != nil && other.fault != nil {
		return g.fault.Error() == other.fault.Error()
	}
	return g.fault == nil && other.fault == nil && g.until.Equal(other.until)
}

// errGlassOver says that an annotation asks for a time that has passed. It is told once: nobody
// is to be reminded of what is merely left lying.
var errGlassOver = errors.New("its time is over")

// lookAtGlass judges the annotation of a live Namespace, and notes a new opening.
func (p *progress) lookAtGlass(annotation string, longest time.Duration, now time.Time) glass {
	asked := fingerprint(annotation)
	p.openings = recent(p.openings, now)
	last := len(p.openings) - 1
	if last >= 0 && p.openings[last].Asked != asked && p.openings[last].Until.After(now) {
		p.openings[last].Until = now.UTC() // it was taken away, or replaced, before its end
	}
	if annotation == "" {
		return glass{}
	}
	if longest <= 0 {
		return glass{fault: errors.New("break-glass is not configured (hint: drift.breakGlass.maxDuration of the daemon's file)")}
	}
	until, reason, err := parseGlass(annotation)
	if err != nil {
		return glass{fault: err}
	}
	usedUp := fmt.Errorf("%s within %s are used up (hint: correct the policy in Git, or write it anew when there is time again)", longest, glassBudget)
	if last >= 0 && p.openings[last].Asked == asked {
		switch o := p.openings[last]; {
		case o.Refused:
			return glass{fault: usedUp}
		case o.Until.After(now):
			return glass{until: o.Until, reason: reason}
		}
		return glass{} // it has had its time
	}
	if !until.After(now) {
		return glass{fault: errGlassOver}
	}
	o := opening{Asked: asked, Since: now.UTC().Truncate(time.Second), Until: until.UTC().Truncate(time.Second)}
	left := longest - spent(p.openings, now)
	if limit := now.Add(left).UTC().Truncate(time.Second); o.Until.After(limit) {
		o.Until = limit
	}
	if !o.Until.After(now) {
		o.Until, o.Refused = o.Since, true
	}
	p.openings = append(p.openings, o)
	if o.Refused {
		return glass{fault: usedUp}
	}
	return glass{until: o.Until, reason: reason}
}

// fingerprint stands for an annotation; "" for none.
func fingerprint(annotation string) string {
	if annotation == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(annotation))
	return hex.EncodeToString(sum[:8])
}

func parseGlass(annotation string) (until time.Time, reason string, err error) {
	first, reason, _ := strings.Cut(strings.TrimSpace(annotation), " ")
	if until, err = time.Parse(time.RFC3339, first); err != nil {
		return until, "", fmt.Errorf("%.80q does not begin with a time such as 2026-03-01T18:00:00Z", annotation)
	}
	if reason = strings.TrimSpace(reason); reason == "" {
		return until, "", errors.New("it gives no reason behind the time")
	}
	return until, fmt.Sprintf("%.500s", reason), nil
}

// recent returns a copy without openings that no longer count, and with no more
// than glassMost: of more, the oldest are taken for one.
func recent(openings []opening, now time.Time) (out []opening) {
	for i, o := range openings {
		if i == len(openings)-1 || o.Until.After(now.Add(-glassBudget)) { // the last: its annotation may still be there
			out = append(out, o)
		}
	}
	for len(out) >= glassMost {
		out[1].Since = out[0].Since
		out = out[1:]
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
// the tenant due for the end and for the next reminder.
func (r *round) breakGlass(ns *drift.Observed) {
	name, annotation := r.target.name, ""
	if ns != nil && name != clusterTenant {
		annotation = ns.GetAnnotations()[glassAnnotation]
	}
	before := r.progress.glass
	if left := !r.target.quarantined.IsZero(); left && annotation != "" {
		r.progress.lookAtGlass("", r.engine.config.BreakGlass, r.now)
		r.glass = glass{fault: errors.New("the tenant's overlay left Git, and its namespace stays closed")}
	} else {
		r.glass = r.progress.lookAtGlass(annotation, r.engine.config.BreakGlass, r.now)
	}
	r.progress.glass = r.glass
	r.engine.config.DriftMetrics.SetBreakGlass(name, r.glass.until)
	changed := !r.glass.same(before)
	if changed {
		r.logGlass(before)
	}
	standing := r.glass.active() || r.glass.fault != nil && !errors.Is(r.glass.fault, errGlassOver)
	if changed || standing && r.now.Sub(r.progress.reminded) >= glassReminder {
		r.progress.reminded = r.now
		r.engine.events.glass(name, r.glass, before)
	}
	if standing {
		next := r.progress.reminded.Add(glassReminder)
		if r.glass.active() && r.glass.until.Before(next) {
			next = r.glass.until
		}
		r.engine.queue.AddAfter(name, time.Until(next)+10*time.Millisecond)
	}
}

// noGlass notes that there is no Namespace to look at.
func (r *round) noGlass() {
	r.progress.glass = glass{}
	r.engine.config.DriftMetrics.SetBreakGlass(r.target.name, time.Time{})
}

func (r *round) logGlass(before glass) {
	switch {
	case r.glass.fault != nil:
		r.log.Warn("break-glass refused", "tenant", r.target.name, "reason", r.glass.fault.Error())
	case r.glass.active():
		r.log.Warn("glass broken, drift is not corrected", "tenant", r.target.name, "until", r.glass.until, "reason", r.glass.reason)
	case before.active():
		r.log.Info("break-glass ended, drift is corrected again", "tenant", r.target.name)
	}
}

// glass tells what holds of a tenant's break-glass.
func (e *events) glass(tenant string, now, before glass) {
	switch {
	case now.fault != nil:
		e.about(tenant, corev1.EventTypeWarning, reasonBreakGlass, "refused: the annotation "+glassAnnotation+": "+now.fault.Error())
	case now.active():
		e.about(tenant, corev1.EventTypeWarning, reasonBreakGlass, fmt.Sprintf("drift is not corrected until %s: %s", now.until.Format(time.RFC3339), now.reason))
	case before.active():
		e.about(tenant, corev1.EventTypeNormal, reasonBreakGlass, "ended: drift is corrected again")
	}
}
