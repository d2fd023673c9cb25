package drift

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

func difference(name string, t Type) Difference {
	return Difference{ID: ID{Kind: kinds.NetworkPolicy, Namespace: "a", Name: name}, Type: t, Effect: EffectUnknown}
}

func told(entries []Entry) (out []string) {
	for _, e := range entries {
		text := e.Tenant + " " + string(e.Type) + " " + e.ID.Name
		if !e.Corrected.IsZero() {
			text += " corrected"
		}
		if e.Held != NotHeld {
			text += " held " + string(e.Held)
		}
		out = append(out, text)
	}
	return out
}

func TestLedgerKeepsSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLedger(nil)
		began := time.Now()
		seen := difference("p", Modified)
		seen.Seen = began
		fresh := l.Record("a", []Difference{seen, difference("q", Extra)}, func(d Difference) (Hold, string) {
			if d.Type == Extra {
				return Report, ""
			}
			return NotHeld, ""
		})
		assert.Equal(t, []string{"a modified p", "a extra q held report"}, told(fresh))
		assert.Equal(t, 2, l.Standing("a"))

		// It changes on, and is seen again: it is no new difference, and stands since the first.
		time.Sleep(time.Minute)
		again := difference("p", Modified)
		again.Seen = time.Now()
		assert.Empty(t, l.Record("a", []Difference{again, difference("q", Extra)}, nil))
		for _, e := range l.Entries() {
			assert.Equal(t, began, e.Since, e.ID.Name)
		}
		assert.Equal(t, began, l.Entries()[0].Seen)
		assert.Equal(t, []string{"a modified p", "a extra q"}, told(l.Entries()), "no longer held")

		// Another type of the same object is another difference.
		assert.Equal(t, []string{"a missing p"}, told(l.Record("a", []Difference{difference("p", Missing)}, nil)))
		// Gone by itself, and back: fresh again.
		assert.Empty(t, l.Record("a", nil, nil))
		assert.Equal(t, 0, l.Standing("a"))
		assert.Empty(t, l.Entries(), "nobody corrected it")
		assert.Equal(t, []string{"a missing p"}, told(l.Record("a", []Difference{difference("p", Missing)}, nil)))
	})
}

func TestLedgerListsCorrectedFor15Minutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLedger(nil)
		p, q := difference("p", Modified), difference("q", Missing)
		l.Record("a", []Difference{p, q}, func(Difference) (Hold, string) { return Fight, "" })
		l.Correct("a", p)
		time.Sleep(time.Minute)
		l.Correct("a", q)
		l.Correct("a", q)                         // twice is once
		l.Correct("b", difference("r", Modified)) // never known
		l.Record("b", []Difference{difference("s", Extra)}, nil)
		assert.Equal(t, []string{"b extra s", "a missing q corrected", "a modified p corrected"}, told(l.Entries()), "standing first, then the latest correction")
		assert.Equal(t, 0, l.Standing("a"))

		time.Sleep(14*time.Minute + time.Second)
		assert.Equal(t, []string{"b extra s", "a missing q corrected"}, told(l.Entries()))
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"b extra s"}, told(l.Entries()))
		// It comes again: fresh, with a new since.
		assert.Len(t, l.Record("a", []Difference{p}, nil), 1)
		assert.Equal(t, time.Now(), l.Entries()[0].Since)
		l.Forget("a")
		assert.Equal(t, []string{"b extra s"}, told(l.Entries()))
	})
}

func TestMetricsHaveSamplesFromTheFirstScrape(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	NewMetrics(reg)
	families, err := reg.Gather()
	require.NoError(t, err)
	got := map[string]int{}
	for _, f := range families {
		got[f.GetName()] = len(f.GetMetric())
	}
	assert.Equal(t, map[string]int{
		"ringfence_drift_objects": 3, "ringfence_drift_oldest_timestamp_seconds": 1, "ringfence_drift_last_detected_timestamp_seconds": 1,
		"ringfence_drift_detected_total": 15, "ringfence_drift_corrected_total": 15, "ringfence_exposure_connections": 2, "ringfence_drift_ignored_objects": 1, "ringfence_break_glass_until_timestamp_seconds": 1,
		"ringfence_drift_detection_seconds": 1, "ringfence_drift_correction_seconds": 1, "ringfence_drift_fights": 1,
		"ringfence_watch_synced": 2, "ringfence_audit_last_success_timestamp_seconds": 1, "ringfence_audit_disagreements_total": 1,
	}, got)
}

func TestMetricsFollowTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		m := NewMetrics(reg)
		l := NewLedger(m)
		p := difference("p", Modified)
		p.Seen = time.Now()
		time.Sleep(500 * time.Millisecond)
		l.Record("a", []Difference{p, difference("q", Extra), difference("r", Extra)}, nil)
		m.SetFights(2)
		require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP ringfence_drift_objects Objects about which Git and the cluster differ now.
# TYPE ringfence_drift_objects gauge
ringfence_drift_objects{effect="opens",kind="NetworkPolicy",tenant="",type="extra"} 0
ringfence_drift_objects{effect="opens",kind="NetworkPolicy",tenant="",type="missing"} 0
ringfence_drift_objects{effect="opens",kind="NetworkPolicy",tenant="",type="modified"} 0
ringfence_drift_objects{effect="unknown",kind="NetworkPolicy",tenant="a",type="extra"} 2
ringfence_drift_objects{effect="unknown",kind="NetworkPolicy",tenant="a",type="modified"} 1
# HELP ringfence_drift_oldest_timestamp_seconds When the oldest difference that stands was first seen; 0 if there is none.
# TYPE ringfence_drift_oldest_timestamp_seconds gauge
ringfence_drift_oldest_timestamp_seconds{tenant=""} 0
ringfence_drift_oldest_timestamp_seconds{tenant="a"} 9.466848005e+08
# HELP ringfence_drift_fights Objects that someone keeps changing back.
# TYPE ringfence_drift_fights gauge
ringfence_drift_fights 2
`), "ringfence_drift_objects", "ringfence_drift_oldest_timestamp_seconds", "ringfence_drift_fights"))

		time.Sleep(2 * time.Second)
		l.Correct("a", p)
		assert.InDelta(t, 1, testutil.ToFloat64(m.corrected.WithLabelValues("NetworkPolicy", "modified", "unknown")), 0)
		assert.InDelta(t, 2, testutil.ToFloat64(m.detected.WithLabelValues("NetworkPolicy", "extra", "unknown")), 0)
		l.Forget("a")
		count, err := testutil.GatherAndCount(reg, "ringfence_drift_objects", "ringfence_drift_oldest_timestamp_seconds", "ringfence_drift_last_detected_timestamp_seconds")
		require.NoError(t, err)
		assert.Equal(t, 3+1+1, count, "series of a tenant that is gone go with it")
	})
}
