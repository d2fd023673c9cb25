package web_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/web"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync"
)

const metricsType = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"

// Who is not ready says what it waits for, to whoever asks why.
func TestNotReady(t *testing.T) {
	e := &engine{status: sync.Status{Waiting: "the API server does not answer", Blind: []string{"tiers.projectcalico.org: forbidden"}}}
	s := &source{sources.Status{Checked: at("09:30:00Z"), Err: sources.ErrEmpty}}
	h := handler(t, e, s)
	for _, h := range []http.Handler{h, h.Metrics()} {
		assert.JSONEq(t, `{
			"ready": false, "waiting": "the API server does not answer", "blind": ["tiers.projectcalico.org: forbidden"],
			"source": {
				"url": "https://git.example.com/policies.git", "ref": "", "revision": "",
				"checked": "2026-03-01T09:30:00Z", "refused": null, "error": "the repository is empty"
			}
		}`, get(t, h, "/readyz", http.StatusServiceUnavailable, jsonType))
		assert.JSONEq(t, `"ok"`, get(t, h, "/healthz", http.StatusOK, jsonType), "it is alive all the same")
	}
}

func TestReady(t *testing.T) {
	h := handler(t, busy(), polled())
	assert.JSONEq(t, `"ok"`, get(t, h, "/readyz", http.StatusOK, jsonType), "a refused revision does not make it less ready")
	assert.JSONEq(t, `"ok"`, get(t, h, "/healthz", http.StatusOK, jsonType))
}

// Metrics have an address of their own or not, and whoever may scrape may not read all else.
func TestMetricsElsewhere(t *testing.T) {
	together := handler(t, busy(), polled())
	assert.Contains(t, get(t, together, "/metrics", http.StatusOK, metricsType), "polls_total 0")

	apart := handler(t, busy(), polled(), func(c *web.Config) { c.Metrics = false })
	assert.Equal(t, http.StatusNotFound, ask(t, apart, http.MethodGet, "/metrics").Code)
	assert.Contains(t, get(t, apart.Metrics(), "/metrics", http.StatusOK, metricsType), "polls_total 0")
	for _, path := range []string{"/", "/api/v1/status", "/api/v1/tenants", "/api/v1/drift", "/api/v1/unfenced"} {
		assert.Equal(t, http.StatusOK, ask(t, apart, http.MethodGet, path).Code, path)
		assert.Equal(t, http.StatusNotFound, ask(t, apart.Metrics(), http.MethodGet, path).Code, path)
	}
}

// Nothing can be changed through it.
func TestMethods(t *testing.T) {
	h := handler(t, busy(), polled())
	for _, path := range []string{
		"/", "/drift", "/tenants/caas-acme", "/cluster", "/reach", "/metrics", "/healthz", "/readyz",
		"/api/v1/status", "/api/v1/tenants", "/api/v1/tenants/caas-acme", "/api/v1/drift", "/api/v1/unfenced",
	} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
			w := ask(t, h, method, path)
			assert.Equal(t, http.StatusMethodNotAllowed, w.Code, "%s %s", method, path)
			assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"), "%s %s", method, path)
		}
		assert.Equal(t, http.StatusOK, ask(t, h, http.MethodHead, path).Code, path)
	}
	for _, path := range []string{"/index.html", "/api", "/api/v1", "/api/v1/tenants/", "/api/v2/status", "/api/v1/tenants/a/b", "/hook", "/debug/pprof/"} {
		assert.Equal(t, http.StatusNotFound, ask(t, h, http.MethodGet, path).Code, path)
	}
}

// Answers are of one moment, and are what they say they are.
func TestHeaders(t *testing.T) {
	h := handler(t, busy(), polled())
	for _, path := range []string{"/", "/metrics", "/readyz", "/api/v1/status", "/api/v1/tenants/nobody", "/nowhere"} {
		header := ask(t, h, http.MethodGet, path).Header()
		assert.Equal(t, "no-store", header.Get("Cache-Control"), path)
		assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), path)
	}
}
