package sync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

func at(hour, minute int) time.Time { return time.Date(2026, 3, 1, hour, minute, 0, 0, time.UTC) }

// look is one sight of the annotation and what comes of it.
type look struct {
	now        time.Time
	annotation string
	until      time.Time // zero: the fence stands
	fault      string
}

func TestBreakGlass(t *testing.T) {
	for name, looks := range map[string][]look{
		"until the time that it says":    {{at(9, 0), "2026-03-01T09:30:00Z an outage", at(9, 30), ""}, {at(9, 29), "2026-03-01T09:30:00Z an outage", at(9, 30), ""}, {at(9, 30), "2026-03-01T09:30:00Z an outage", time.Time{}, ""}},
		"not longer than allowed":        {{at(9, 0), "2026-03-01T20:00:00Z an outage", at(10, 0), ""}, {at(9, 59), "2026-03-01T20:00:00Z an outage", at(10, 0), ""}, {at(10, 0), "2026-03-01T20:00:00Z an outage", time.Time{}, ""}},
		"taken away":                     {{at(9, 0), "2026-03-01T09:30:00Z an outage", at(9, 30), ""}, {at(9, 10), "", time.Time{}, ""}, {at(9, 20), "2026-03-01T09:30:00Z again", at(9, 30), ""}},
		"what is left of the budget":     {{at(9, 0), "2026-03-01T09:40:00Z one", at(9, 40), ""}, {at(12, 0), "2026-03-01T13:00:00Z two", at(12, 20), ""}, {at(14, 0), "2026-03-01T15:00:00Z three", time.Time{}, "1h0m0s within 24h0m0s are used up"}},
		"not by rewriting it":            {{at(9, 0), "2026-03-01T20:00:00Z a", at(10, 0), ""}, {at(9, 59), "2026-03-01T20:00:00Z b", at(10, 0), ""}, {at(10, 0), "2026-03-01T20:00:00Z c", time.Time{}, "are used up"}},
		"the budget comes back":          {{at(9, 0), "2026-03-01T10:00:00Z a", at(10, 0), ""}, {at(10, 0).Add(24 * time.Hour), "2026-03-03T00:00:00Z b", at(11, 0).Add(24 * time.Hour), ""}},
		"the same text never again":      {{at(9, 0), "2026-03-03T09:30:00Z a", at(10, 0), ""}, {at(12, 0).Add(25 * time.Hour), "2026-03-03T09:30:00Z a", time.Time{}, ""}},
		"no time":                        {{at(9, 0), "tomorrow an outage", time.Time{}, "does not begin with a time"}},
		"no reason":                      {{at(9, 0), "2026-03-01T09:30:00Z ", time.Time{}, "gives no reason"}},
		"over before it was seen":        {{at(9, 0), "2026-03-01T08:00:00Z an outage", time.Time{}, ""}},
		"in the zone that it is written": {{at(9, 0), "2026-03-01T10:15:00+01:00 an outage", at(9, 15), ""}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgress()
			for _, l := range looks {
				got := p.lookAtGlass(l.annotation, time.Hour, l.now)
				assert.True(t, got.until.Equal(l.until), "at %s: until %s, not %s", l.now, got.until, l.until)
				if l.fault == "" {
					assert.NoError(t, got.fault)
				} else {
					assert.ErrorContains(t, got.fault, l.fault)
				}
			}
		})
	}
	assert.False(t, newProgress().lookAtGlass("2026-03-01T09:30:00Z an outage", 0, at(9, 0)).active(), "it is not configured")
}

// What a restart finds is the same opening, not a new one.
func TestBreakGlassSurvivesARestart(t *testing.T) {
	p := newProgress()
	p.lookAtGlass("2026-03-01T20:00:00Z a", time.Hour, at(9, 0))
	again := newProgress()
	again.openings = p.openings
	assert.True(t, again.lookAtGlass("2026-03-01T20:00:00Z a", time.Hour, at(9, 50)).until.Equal(at(10, 0)))
	assert.False(t, again.lookAtGlass("2026-03-01T20:00:00Z a", time.Hour, at(10, 0)).active())
}

func TestDeletable(t *testing.T) {
	extra := drift.Difference{ID: drift.ID{Kind: kinds.NetworkPolicy, Namespace: "a", Name: "x"}, Type: drift.Extra, Effect: drift.Opens}
	assert.True(t, deletable(extra, true, false, false))
	assert.False(t, deletable(extra, false, false, false), "the repository does not want it")
	assert.False(t, deletable(extra, true, true, false), "the namespace stood before")
	assert.True(t, deletable(extra, true, true, true), "and Git has adopted what is in it")
	for _, effect := range []drift.Effect{drift.Closes, drift.Both, drift.None, drift.EffectUnknown} {
		other := extra
		other.Effect = effect
		assert.False(t, deletable(other, true, false, false), effect)
	}
	global := extra
	global.ID.Namespace = ""
	assert.False(t, deletable(global, true, false, true), "cluster-scoped")
	missing := extra
	missing.Type = drift.Modified
	assert.False(t, deletable(missing, true, false, true))
}

func TestOldest(t *testing.T) {
	since := map[string]time.Time{"a": at(9, 0), "b": at(8, 0), "c": at(10, 0), "d": at(8, 0)}
	assert.Equal(t, map[string]time.Time{"b": at(8, 0), "d": at(8, 0)}, oldest(since, 2))
	assert.Equal(t, since, oldest(since, 4))
}
