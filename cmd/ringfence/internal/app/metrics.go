package app

import (
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/ringfence/ringfence/sync"
)

// requestCounter counts requests to the API server as they leave this process,
// watches and retries included.
type requestCounter struct {
	total *prometheus.CounterVec
}

func newRequestCounter(reg prometheus.Registerer) *requestCounter {
	c := &requestCounter{total: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ringfence_api_requests_total", Help: `Requests to the Kubernetes API server; code "error" where none came back.`,
	}, []string{"verb", "code"})}
	c.total.WithLabelValues("apply", "200")
	reg.MustRegister(c.total)
	return c
}

func (c *requestCounter) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		code := "error"
		if err == nil {
			code = strconv.Itoa(response.StatusCode)
		}
		c.total.WithLabelValues(verb(r), code).Inc()
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// verb returns the API verb of a request: get covers discovery and list, since
// the path alone does not tell a list from an object; dryrun is a write that was
// only tried.
func verb(r *http.Request) string {
	if r.URL.Query().Get("dryRun") != "" {
		return "dryrun"
	}
	switch r.Method {
	case http.MethodGet:
		if w := r.URL.Query().Get("watch"); w == "true" || w == "1" {
			return "watch"
		}
		return "get"
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/apply-patch") {
			return "apply"
		}
		return "patch"
	}
	return strings.ToLower(r.Method)
}

// registerSummary registers the families that are read from the engine at each
// scrape, and the constant ones.
func registerSummary(reg prometheus.Registerer, c Config, engine *sync.Replica) {
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "ringfence_build_info", Help: "1, with the build in its labels.",
	}, []string{"version", "revision", "goversion", "instance"})
	build.WithLabelValues(c.Build.Version, c.Build.Revision, runtime.Version(), c.Daemon.Instance).Set(1)
	leader := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ringfence_leader", Help: "1 if this process is the one that writes.",
	}, func() float64 {
		if engine.Leads() {
			return 1
		}
		return 0
	})
	unfenced := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ringfence_unfenced_namespaces", Help: "Namespaces that layout.expect names and no overlay fences.",
	}, func() float64 { return float64(len(engine.Unfenced())) })
	reg.MustRegister(build, leader, unfenced, tenantStates{engine})
}

// ofLeader leaves out what only the leader exports while this process stands by.
func ofLeader(all prometheus.Gatherer, leads func() bool) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := all.Gather()
		if leads() {
			return families, err
		}
		return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool {
			return slices.ContainsFunc([]string{"ringfence_sync_", "ringfence_drift_", "ringfence_exposure_"}, func(prefix string) bool {
				return strings.HasPrefix(f.GetName(), prefix)
			})
		}), err
	})
}

var tenantsDesc = prometheus.NewDesc("ringfence_tenants", "Tenants by state.", []string{"state"}, nil)

// tenantStates counts tenants by state.
type tenantStates struct{ engine *sync.Replica }

// Describe implements prometheus.Collector.
func (t tenantStates) Describe(out chan<- *prometheus.Desc) { out <- tenantsDesc }

// Collect implements prometheus.Collector.
func (t tenantStates) Collect(out chan<- prometheus.Metric) {
	for state, n := range t.engine.Status().Tenants {
		out <- prometheus.MustNewConstMetric(tenantsDesc, prometheus.GaugeValue, float64(n), string(state))
	}
}
