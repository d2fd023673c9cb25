package web_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/web"
)

// Everything is behind the guard but health, however it is spelled.
func TestGuard(t *testing.T) {
	var asked []string
	h := handler(t, busy(), polled(), func(c *web.Config) {
		c.Guard = func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.Path)
				w.WriteHeader(http.StatusUnauthorized)
			})
		}
	})
	for _, path := range []string{"/healthz", "/readyz", "/%68ealthz"} {
		assert.Equal(t, http.StatusOK, ask(t, h, http.MethodGet, path).Code, path)
	}
	assert.Empty(t, asked)
	behind := []string{"/", "/metrics", "/api/v1/status", "/api/v1/tenants", "/api/v1/tenants/caas-acme", "/api/v1/drift", "/api/v1/unfenced", "/nowhere", "/healthz/", "/readyz/x"}
	for _, path := range behind {
		assert.Equal(t, http.StatusUnauthorized, ask(t, h, http.MethodGet, path).Code, path)
	}
	assert.Equal(t, behind, asked)
	for _, detour := range []string{"/healthz/../api/v1/status", "//api/v1/status", "/./api/v1/status", "/healthz/..//"} {
		w := ask(t, h, http.MethodGet, detour)
		assert.GreaterOrEqual(t, w.Code, 300, detour)
		assert.NotContains(t, w.Body.String(), "git.example.com", detour)
	}
	assert.NotEqual(t, http.StatusOK, ask(t, h, http.MethodGet, "/healthz%2f..%2fapi/v1/status").Code)
}

// No path leads out of what is served.
func TestTraversal(t *testing.T) {
	h := handler(t, busy(), polled())
	for _, path := range []string{
		"/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/../../go.mod", "/assets/..%2f..%2fgo.mod", "/assets/%2e%2e/handler.go",
		"/api/v1/tenants/..%2f..%2f..%2fetc%2fpasswd", "/api/v1/tenants/%00", `/api/v1/tenants/..\..\x`, "/etc/passwd",
	} {
		w := ask(t, h, http.MethodGet, path)
		assert.GreaterOrEqual(t, w.Code, 300, path)
		for _, secret := range []string{"root:", "package web", "module github.com"} {
			assert.NotContains(t, w.Body.String(), secret, path)
		}
	}
}
