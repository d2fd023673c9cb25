package drift

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Metrics are the drift families of SPEC §7. Gauges about differences are read
// from the ledger at each scrape, so that series of tenants that are gone
// disappear by themselves.
type Metrics struct {
	detected, corrected   *prometheus.CounterVec
	detection, correction prometheus.Histogram
	fights                prometheus.Gauge
	glass                 *prometheus.GaugeVec
	synced                *prometheus.GaugeVec
	auditSuccess          prometheus.Gauge
	disagreements         prometheus.Counter

	ledger atomic.Pointer[Ledger]
}

var (
	objectsDesc = prometheus.NewDesc("ringfence_drift_objects",
		"Objects about which Git and the cluster differ now.", []string{"tenant", "kind", "type", "effect"}, nil)
	oldestDesc = prometheus.NewDesc("ringfence_drift_oldest_timestamp_seconds",
		"When the oldest difference that stands was first seen; 0 if there is none.", []string{"tenant"}, nil)
	exposureDesc = prometheus.NewDesc("ringfence_exposure_connections",
		"Connections that the live state allows and Git does not (opens), or the reverse (closes), groups of ends counted as one.", []string{"tenant", "effect"}, nil)
	ignoredDesc = prometheus.NewDesc("ringfence_drift_ignored_objects",
		"Differences that a rule of drift.ignore covers, and objects of Calico's own, by the reason that is given.", []string{"reason"}, nil)
	lastDesc = prometheus.NewDesc("ringfence_drift_last_detected_timestamp_seconds",
		"When a difference was last detected; 0 if none was.", []string{"tenant"}, nil)
)

// NewMetrics makes the families and registers them; with a nil registerer they
// are counted but not exported.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	buckets := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600}
	m := &Metrics{
		detected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringfence_drift_detected_total", Help: "Differences detected.",
		}, []string{"kind", "type", "effect"}),
		corrected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringfence_drift_corrected_total", Help: "Differences corrected.",
		}, []string{"kind", "type", "effect"}),
		detection: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ringfence_drift_detection_seconds", Help: "From the watch event of a change to its detection as a difference.", Buckets: buckets,
		}),
		correction: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ringfence_drift_correction_seconds", Help: "From the detection of a difference to its correction.", Buckets: buckets,
		}),
		fights: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ringfence_drift_fights", Help: "Objects that someone keeps changing back.",
		}),
		glass: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ringfence_break_glass_until_timestamp_seconds", Help: "Until when drift of the tenant is not corrected on purpose; 0 for tenant \"\", which never is.",
		}, []string{"tenant"}),
		synced: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ringfence_watch_synced", Help: "1 if the watch of the kind stands on a whole list.",
		}, []string{"kind"}),
		auditSuccess: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ringfence_audit_last_success_timestamp_seconds", Help: "When the watches were last compared with a fresh list; 0 if never.",
		}),
		disagreements: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ringfence_audit_disagreements_total", Help: "Objects on which a watch and a fresh list disagreed.",
		}),
	}
	for _, t := range Types() {
		for _, e := range Effects() {
			m.detected.WithLabelValues(kinds.NetworkPolicy.Kind, string(t), string(e))
			m.corrected.WithLabelValues(kinds.NetworkPolicy.Kind, string(t), string(e))
		}
	}
	m.glass.WithLabelValues("").Set(0)
	m.watch(kinds.Namespace, false)
	m.watch(kinds.NetworkPolicy, false)
	if reg != nil {
		reg.MustRegister(m.detected, m.corrected, m.detection, m.correction, m.fights, m.glass, m.synced,
			m.auditSuccess, m.disagreements, ledgerCollector{m})
	}
	return m
}

// SetFights sets how many objects are being fought over.
func (m *Metrics) SetFights(n int) { m.fights.Set(float64(n)) }

// SetBreakGlass sets until when the tenant's glass is broken; the zero time
// means that it is not.
func (m *Metrics) SetBreakGlass(tenant string, until time.Time) {
	if tenant == "" {
		return
	}
	if until.IsZero() {
		m.glass.DeleteLabelValues(tenant)
		return
	}
	m.glass.WithLabelValues(tenant).Set(seconds(until))
}

func (m *Metrics) detectedOne(e *Entry) {
	m.detected.WithLabelValues(e.ID.Kind.Kind, string(e.Type), string(e.Effect)).Inc()
	if !e.Seen.IsZero() && !e.Since.Before(e.Seen) { // one that stood before this process began was detected by another
		m.detection.Observe(e.Since.Sub(e.Seen).Seconds())
	}
}

func (m *Metrics) correctedOne(e *Entry) {
	m.corrected.WithLabelValues(e.ID.Kind.Kind, string(e.Type), string(e.Effect)).Inc()
	m.correction.Observe(e.Corrected.Sub(e.Since).Seconds())
}

func (m *Metrics) watch(k kinds.Kind, synced bool) {
	v := 0.0
	if synced {
		v = 1
	}
	m.synced.WithLabelValues(label(k)).Set(v)
}

func (m *Metrics) unwatch(k kinds.Kind) { m.synced.DeleteLabelValues(label(k)) }

// audited notes an audit, and whether it was whole.
func (m *Metrics) audited(disagreements int, whole bool) {
	if whole {
		m.auditSuccess.Set(float64(time.Now().Unix()))
	}
	m.disagreements.Add(float64(disagreements))
}

// ledgerCollector reads the gauges about differences from the ledger.
type ledgerCollector struct{ m *Metrics }

// Describe implements prometheus.Collector.
func (c ledgerCollector) Describe(out chan<- *prometheus.Desc) {
	out <- objectsDesc
	out <- oldestDesc
	out <- lastDesc
	out <- exposureDesc
	out <- ignoredDesc
}

// Collect implements prometheus.Collector.
func (c ledgerCollector) Collect(out chan<- prometheus.Metric) {
	type series struct{ tenant, kind, kindOf, effect string }
	counts := map[series]int{}
	for _, t := range Types() {
		counts[series{"", kinds.NetworkPolicy.Kind, string(t), string(Opens)}] = 0
	}
	exposed, ignored := map[string]Exposure{"": {}}, map[string]int{"": 0}
	oldest, last := map[string]time.Time{"": {}}, map[string]time.Time{"": {}}
	if l := c.m.ledger.Load(); l != nil {
		l.mu.Lock()
		for tenant, entries := range l.standing {
			for _, e := range entries {
				if e.Held == Ignore {
					ignored[e.Reason]++
					continue
				}
				exposed[tenant] = exposed[tenant].With(e.Exposure)
				counts[series{tenant, e.ID.Kind.Kind, string(e.Type), string(e.Effect)}]++
				if at := oldest[tenant]; at.IsZero() || e.Since.Before(at) {
					oldest[tenant] = e.Since
				}
			}
		}
		for _, reasons := range l.builtin {
			for reason, n := range reasons {
				ignored[reason] += n
			}
		}
		for tenant, at := range l.last {
			last[tenant] = at
		}
		l.mu.Unlock()
	}
	for s, n := range counts {
		out <- prometheus.MustNewConstMetric(objectsDesc, prometheus.GaugeValue, float64(n), s.tenant, s.kind, s.kindOf, s.effect)
	}
	for reason, n := range ignored {
		out <- prometheus.MustNewConstMetric(ignoredDesc, prometheus.GaugeValue, float64(n), reason)
	}
	for tenant, e := range exposed {
		out <- prometheus.MustNewConstMetric(exposureDesc, prometheus.GaugeValue, float64(len(e.Opens)), tenant, string(Opens))
		out <- prometheus.MustNewConstMetric(exposureDesc, prometheus.GaugeValue, float64(len(e.Closes)), tenant, string(Closes))
	}
	for tenant, at := range oldest {
		out <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, seconds(at), tenant)
	}
	for tenant, at := range last {
		out <- prometheus.MustNewConstMetric(lastDesc, prometheus.GaugeValue, seconds(at), tenant)
	}
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
