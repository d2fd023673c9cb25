package web

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/enforcer"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/world"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync"
)

// Build says which build runs.
type Build struct {
	Version, Revision string
}

// Engine is what is asked about tenants and drift. Its methods are safe for
// concurrent use and do not block.
type Engine interface {
	Status() sync.Status
	Tenants() []sync.Tenant
	Drift() []drift.Entry
	Unfenced() []string
	// View returns what decides who can reach whom; nil before anything was rendered.
	View() *sync.View
}

// Source is what is asked about Git. Its methods are safe for concurrent use
// and do not block.
type Source interface {
	URL() string
	Status() sources.Status
}

// Config is what a Handler shows.
type Config struct {
	// Instance is the daemon's instance name.
	Instance string
	// Build is shown on the page.
	Build Build
	// Engine is asked about tenants and drift at each request. Required.
	Engine Engine
	// Source is asked about Git at each request. Required.
	Source Source
	// Enforcer is asked what enforces policies at each request; it must not block. Required.
	Enforcer func() enforcer.State
	// Gatherer is what /metrics serves. Required.
	Gatherer prometheus.Gatherer
	// Metrics is false where /metrics has an address of its own.
	Metrics bool
	// Guard, if set, stands before everything but health, and lets through who may read.
	Guard func(http.Handler) http.Handler
}

// Handler serves the page, the API, and metrics.
type Handler struct {
	config  Config
	mux     *http.ServeMux
	pages   pages
	stream  *stream
	running *world.Running
	front   http.Handler // what of mux anybody may ask, and the rest behind the guard
}

// New returns a Handler.
func New(c Config) *Handler {
	files, seed := readAssets(), maphash.MakeSeed()
	h := &Handler{config: c, mux: http.NewServeMux(), pages: parsePages(files), running: world.OfDaemon(c.Engine.View)}
	h.stream = newStream(func() uint64 { return h.fingerprint(seed) })
	h.health(h.mux)
	if c.Metrics {
		h.mux.Handle("GET /metrics", h.metrics())
	}
	h.mux.Handle("GET /assets/", files)
	h.mux.HandleFunc("GET /{$}", h.overview)
	h.mux.HandleFunc("GET /drift", h.driftPage)
	h.mux.HandleFunc("GET /tenants/{name}", h.tenantPage)
	h.mux.Handle("GET /tenants/{$}", http.RedirectHandler(tenantPath(""), http.StatusSeeOther)) // the tenant "" of metrics
	h.mux.HandleFunc("GET /cluster", h.clusterPage)
	h.mux.HandleFunc("GET /reach", h.reachPage)
	h.mux.Handle("GET "+eventsPath, h.stream)
	h.mux.HandleFunc("GET "+api.StatusPath, func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, h.status()) })
	h.mux.HandleFunc("GET "+api.TenantsPath, func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, h.tenants()) })
	h.mux.HandleFunc("GET "+api.TenantsPath+"/{name}", h.tenant)
	h.mux.HandleFunc("GET "+api.DriftPath, func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, h.drift()) })
	h.mux.HandleFunc("GET "+api.UnfencedPath, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, listed(h.config.Engine.Unfenced()))
	})
	h.front = h.guarded()
	return h
}

// Run tells whoever listens to events of changes, until ctx is done; then all of them are let go. Who can reach whom is looked
// at then too: whoever has a page open and goes on to that need not wait for it.
func (h *Handler) Run(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	go func() {
		defer close(changed)
		h.stream.run(ctx, changed)
	}()
	for range changed {
		_, _ = h.running.Look() // what is wrong is told to those who ask
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	h.front.ServeHTTP(w, r)
}

// Metrics returns a handler of /metrics, /healthz and /readyz alone.
func (h *Handler) Metrics() http.Handler {
	mux := http.NewServeMux()
	h.health(mux)
	mux.Handle("GET /metrics", h.metrics())
	return mux
}

func (h *Handler) metrics() http.Handler {
	return promhttp.HandlerFor(h.config.Gatherer, promhttp.HandlerOpts{})
}

func (h *Handler) health(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		s := h.config.Engine.Status()
		if !s.Ready {
			reply(w, http.StatusServiceUnavailable, map[string]any{
				"ready": false, "waiting": s.Waiting, "blind": listed(s.Blind), "source": h.source(),
			})
			return
		}
		reply(w, http.StatusOK, "ok")
	})
}

// listed returns the strings as JSON has them: none is a list too.
func listed(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the client has gone
}
