package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/sync"
)

func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := NewClient(server.URL + "/")
	require.NoError(t, err)
	return c
}

func TestClientReadsEveryAnswer(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := w.Write([]byte(map[string]string{
			StatusPath: `{"instance": "default", "leader": true, "ready": true, "revision": "", "tenants": {"synced": 3}, "blind": [],
				"source": {"checked": "2026-03-01T09:30:00Z"}}`,
			TenantsPath: `[{"name": "caas-acme", "state": "failed", "revision": {}, "error": {"file": "a.yaml", "line": 3}}]`,
			DriftPath: `[{"tenant": "caas-acme", "apiVersion": "v1", "kind": "Namespace", "namespace": "", "name": "caas-acme", "since": "2026-03-01T09:00:00Z",
				"type": "modified", "effect": "opens", "corrected": null, "held": "report",
				"exposure": [{"effect": "opens", "from": {"any": "pod"}, "to": {"cidr": "10.0.0.0/8"}, "ports": [{"protocol": "TCP", "from": 1, "to": 2}]}]}]`,
			UnfencedPath: `["caas-nobody"]`,
		}[r.URL.Path]))
		assert.NoError(t, err)
	})
	status, err := c.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[sync.State]int{sync.Synced: 3}, status.Tenants)
	assert.Equal(t, time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC), *status.Source.Checked)
	tenants, err := c.Tenants(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Error{File: "a.yaml", Line: 3}, *tenants[0].Error)
	rows, err := c.Drift(t.Context(), "")
	require.NoError(t, err)
	assert.Equal(t, drift.Report, *rows[0].Held)
	lo, hi := uint16(1), uint16(2)
	assert.Equal(t, []Exposure{{
		Effect: drift.Opens, From: reach.Place{Any: "pod"}, To: reach.Place{CIDR: "10.0.0.0/8"}, Ports: []reach.PortRow{{Protocol: "TCP", From: &lo, To: &hi}},
	}}, rows[0].Exposure)
	unfenced, err := c.Unfenced(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"caas-nobody"}, unfenced)
}

// What is no daemon's answer is an error that says where it came from, and nothing is taken from it.
func TestClientRefusesOtherAnswers(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write([]byte(`{"instance": "default"}`))
		assert.NoError(t, err)
	}))
	t.Cleanup(other.Close)
	for want, handler := range map[string]http.HandlerFunc{
		"this is no answer of a Ringfence daemon: invalid character": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"this is no answer of a Ringfence daemon":                    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"the answer is 404 Not Found":                                http.NotFound,
		"the answer is 302 Found":                                    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) },
		"unexpected EOF": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"instance": "default"`))
		},
	} {
		status, err := serve(t, handler).Status(t.Context())
		require.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "asking http://127.0.0.1:")
		assert.Empty(t, status.Instance)
	}
	for _, text := range []string{"127.0.0.1:8080", "localhost", "ftp://x", "http://", "http://x?y=z", "http://x\x00"} {
		_, err := NewClient(text)
		assert.ErrorContains(t, err, "reading the daemon's URL", text)
	}
	gone, err := NewClient("http://127.0.0.1:1")
	require.NoError(t, err)
	_, err = gone.Drift(t.Context(), "")
	assert.ErrorContains(t, err, "is the daemon running")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = gone.Tenants(ctx)
	assert.ErrorIs(t, err, context.Canceled)
}
