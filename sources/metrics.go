package sources

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The values of the label result of ringfence_source_polls_total.
const (
	resultChanged   = "changed"   // a new snapshot
	resultUnchanged = "unchanged" // the ref has not moved
	resultRefused   = "refused"   // the ref stands at a revision that is refused
	resultError     = "error"     // anything else
)

// Metrics are the metric families of a source. Every family has a sample from the first scrape.
type Metrics struct {
	polls       *prometheus.CounterVec
	refused     *prometheus.CounterVec
	fetch       prometheus.Histogram
	lastSuccess prometheus.Gauge
	revision    *prometheus.GaugeVec
}

// NewMetrics makes the families and registers them with reg; a nil reg registers nothing. It
// panics if reg has families of these names already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringfence_source_polls_total",
			Help: "Polls of the policy repository, by result: changed, unchanged, refused, error.",
		}, []string{"result"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringfence_source_refused_total",
			Help: "Revisions that were refused, each once, by reason: rewind, signature, limit.",
		}, []string{"reason"}),
		fetch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "ringfence_source_fetch_seconds",
			Help:    "Time from asking the remote to a new snapshot, for polls that found a new revision.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
		}),
		lastSuccess: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ringfence_source_last_success_timestamp_seconds",
			Help: "When the remote was last read, whether or not it had something new; 0 if never.",
		}),
		revision: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ringfence_source_revision_info",
			Help: "1 for the current revision; an empty revision with 0 while there is none.",
		}, []string{"revision"}),
	}
	for _, result := range []string{resultChanged, resultUnchanged, resultRefused, resultError} {
		m.polls.WithLabelValues(result)
	}
	for _, reason := range []string{ReasonRewind, ReasonSignature, ReasonLimit} {
		m.refused.WithLabelValues(reason)
	}
	m.revision.WithLabelValues("").Set(0)
	if reg != nil {
		reg.MustRegister(m.polls, m.refused, m.fetch, m.lastSuccess, m.revision)
	}
	return m
}

func (m *Metrics) changed(rev Revision, took time.Duration) {
	m.polls.WithLabelValues(resultChanged).Inc()
	m.fetch.Observe(took.Seconds())
	m.lastSuccess.SetToCurrentTime()
	m.revision.Reset()
	m.revision.WithLabelValues(rev.Commit).Set(1)
}

func (m *Metrics) unchanged() {
	m.polls.WithLabelValues(resultUnchanged).Inc()
	m.lastSuccess.SetToCurrentTime()
}

// failed counts a poll that gave no snapshot.
func (m *Metrics) failed(e *Error) {
	if e.Refused() {
		m.polls.WithLabelValues(resultRefused).Inc()
		return
	}
	m.polls.WithLabelValues(resultError).Inc()
}

// refusal counts a revision that is refused for the first time.
func (m *Metrics) refusal(reason string) { m.refused.WithLabelValues(reason).Inc() }
