package enforcer

import "github.com/prometheus/client_golang/prometheus"

var (
	infoDesc = prometheus.NewDesc("ringfence_enforcer_info",
		`1 for what enforces policies in the cluster; engine "none": nothing that is known, "unknown": it cannot be seen.`, []string{"engine", "version"}, nil)
	nodesDesc = prometheus.NewDesc("ringfence_enforcer_nodes",
		"Nodes on which it is ready, and nodes on which it should be and is not.", []string{"state"}, nil)
)

// Describe implements prometheus.Collector.
func (w *Watcher) Describe(out chan<- *prometheus.Desc) {
	out <- infoDesc
	out <- nodesDesc
}

// Collect implements prometheus.Collector.
func (w *Watcher) Collect(out chan<- prometheus.Metric) {
	s := w.State()
	out <- prometheus.MustNewConstMetric(infoDesc, prometheus.GaugeValue, 1, s.Engine, s.Version)
	out <- prometheus.MustNewConstMetric(nodesDesc, prometheus.GaugeValue, float64(s.Ready), "ready")
	out <- prometheus.MustNewConstMetric(nodesDesc, prometheus.GaugeValue, float64(s.Missing), "missing")
}
