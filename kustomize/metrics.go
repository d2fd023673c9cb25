package kustomize

import "github.com/prometheus/client_golang/prometheus"

// Results that label ringfence_render_overlays_total.
const (
	resultRendered = "rendered"
	resultReused   = "reused"
	resultFailed   = "failed"
)

// Metrics are the rendering's metrics.
type Metrics struct {
	seconds  prometheus.Histogram
	overlays *prometheus.CounterVec
}

// NewMetrics makes the metrics and registers them with reg, unless that is nil. It
// panics if they are registered there already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "ringfence_render_seconds",
			Help:    "How long it took to render a whole tree.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
		overlays: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringfence_render_overlays_total",
			Help: "Overlays by what a render did with them: rendered anew, reused because nothing that they read had changed, or failed (refused).",
		}, []string{"result"}),
	}
	for _, result := range []string{resultRendered, resultReused, resultFailed} {
		m.overlays.WithLabelValues(result)
	}
	if reg != nil {
		reg.MustRegister(m.seconds, m.overlays)
	}
	return m
}
