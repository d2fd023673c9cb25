package sync

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
		"what was refused stays refused": {{at(9, 0), "2026-03-03T00:00:00Z a", at(10, 0), ""}, {at(11, 0), "2026-03-03T00:00:00Z b", time.Time{}, "are used up"}, {at(12, 0).Add(24 * time.Hour), "2026-03-03T00:00:00Z b", time.Time{}, "are used up"}, {at(12, 0).Add(24 * time.Hour), "2026-03-03T00:00:00Z c", at(13, 0).Add(24 * time.Hour), ""}},
		"not by rewriting it":            {{at(9, 0), "2026-03-01T20:00:00Z a", at(10, 0), ""}, {at(9, 59), "2026-03-01T20:00:00Z b", at(10, 0), ""}, {at(10, 0), "2026-03-01T20:00:00Z c", time.Time{}, "are used up"}},
		"the budget comes back":          {{at(9, 0), "2026-03-01T10:00:00Z a", at(10, 0), ""}, {at(10, 0).Add(24 * time.Hour), "2026-03-03T00:00:00Z b", at(11, 0).Add(24 * time.Hour), ""}},
		"the same text never again":      {{at(9, 0), "2026-03-03T09:30:00Z a", at(10, 0), ""}, {at(12, 0).Add(25 * time.Hour), "2026-03-03T09:30:00Z a", time.Time{}, ""}},
		"no time":                        {{at(9, 0), "tomorrow an outage", time.Time{}, "does not begin with a time"}},
		"no reason":                      {{at(9, 0), "2026-03-01T09:30:00Z ", time.Time{}, "gives no reason"}},
		"over before it was seen":        {{at(9, 0), "2026-03-01T08:00:00Z an outage", time.Time{}, "its time is over"}},
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
	none := newProgress()
	assert.ErrorContains(t, none.lookAtGlass("2026-03-01T09:30:00Z an outage", 0, at(9, 0)).fault, "not configured")
	assert.Equal(t, glass{}, none.lookAtGlass("", 0, at(9, 0)))
	assert.Empty(t, none.openings)
}

// Somebody who writes ever new annotations, and long ones, fills no state, and gets no more time.
func TestBreakGlassIsBounded(t *testing.T) {
	p := newProgress()
	open := time.Duration(0)
	for i := range 2000 {
		now := at(9, 0).Add(time.Duration(i) * 7 * time.Second)
		if p.lookAtGlass(fmt.Sprintf("2026-03-03T00:00:00Z %d %s", i, strings.Repeat("x", 1<<16)), time.Hour, now).active() {
			open += 7 * time.Second
		}
	}
	assert.LessOrEqual(t, open, time.Hour+7*time.Second, "looked at every 7 seconds")
	assert.LessOrEqual(t, len(p.openings), glassMost)
	text, err := json.Marshal(p.openings)
	require.NoError(t, err)
	assert.Less(t, len(text), 4096)
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

// A state that would not fit leaves out the newest differences.
func TestStateFits(t *testing.T) {
	st := state{Applied: "c", Since: map[string]time.Time{}}
	for i := range 1000 {
		st.Since[fmt.Sprintf("tenant|extra|NetworkPolicy.networking.k8s.io tenant/%04d", i)] = at(9, 0).Add(time.Duration(i) * time.Second)
	}
	less, text, err := fitted(st, 50_000)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(text), 50_000)
	assert.Len(t, less.Since, 500)
	assert.Contains(t, less.Since, "tenant|extra|NetworkPolicy.networking.k8s.io tenant/0000")
	assert.Len(t, st.Since, 1000, "the original is as it was")
	same, _, err := fitted(st, 1<<20)
	require.NoError(t, err)
	assert.Len(t, same.Since, 1000)
}
