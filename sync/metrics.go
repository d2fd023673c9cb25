package sync

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the sync families of SPEC §7.
type Metrics struct {
	duration    prometheus.Histogram
	objects     *prometheus.CounterVec
	lastSuccess *prometheus.GaugeVec
	held        *prometheus.GaugeVec
	lost        prometheus.Counter
	queued      prometheus.Gauge
}

// NewMetrics makes the families and registers them; with a nil registerer they
// are counted but not exported.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ringfence_sync_seconds", Help: "From the adoption of a revision until every tenant that it touches was tried.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}),
		objects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringfence_sync_objects_total", Help: "Objects written, removed, or failed to be.",
		}, []string{"action"}),
		lastSuccess: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ringfence_sync_last_success_timestamp_seconds", Help: `When the tenant was last found or made equal to Git; "" is the cluster overlay.`,
		}, []string{"tenant"}),
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ringfence_sync_held_tenants", Help: "Tenants that are not at the newest revision, by what holds them back.",
		}, []string{"reason"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ringfence_sync_lost_writes_total", Help: "Writes that Calico's own API server lost and called done; each was made again.",
		}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ringfence_sync_queued_writes", Help: "Writes to Calico's own API server that wait for their turn, or are on their way.",
		}),
	}
	for _, a := range []action{created, updated, pruned, failed} {
		m.objects.WithLabelValues(string(a))
	}
	for _, r := range []string{"gate", "freeze", "prune", "error"} {
		m.held.WithLabelValues(r)
	}
	m.lastSuccess.WithLabelValues("")
	if reg != nil {
		reg.MustRegister(m.duration, m.objects, m.lastSuccess, m.held, m.lost, m.queued)
	}
	return m
}

// restart forgets what an earlier term said of tenants.
func (m *Metrics) restart() {
	m.lastSuccess.Reset()
	m.lastSuccess.WithLabelValues("")
}

// countHeld sets how many tenants are held back, by reason. A revision that is refused as a whole
// holds back all of them. An overlay whose tenant cannot be known counts as one, and so does what is
// refused before there are any.
func (m *Metrics) countHeld(w *world, whole bool) {
	refused := map[string]bool{}
	for name, t := range w.targets {
		if whole || len(t.problems) > 0 {
			refused["tenant "+name] = true
		}
	}
	for _, p := range w.refused {
		refused["overlay "+p.Overlay] = true
	}
	if whole && len(refused) == 0 {
		refused["the repository"] = true
	}
	m.held.WithLabelValues("error").Set(float64(len(refused)))
	m.held.WithLabelValues("prune").Set(float64(len(w.kept.touches())))
}
