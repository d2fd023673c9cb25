package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
)

// daemon answers what a test has written into it.
type daemon struct {
	mu      sync.Mutex
	answers map[string]string // by path after /api/v1/
	away    bool
}

const ready = `{"instance": "default", "leader": true, "ready": true, "revision": "0123", "source": {}, "tenants": {"synced": 1}, "blind": []}`

// serve returns a daemon that is ready and knows no drift, and a client of it.
func serve(t *testing.T) (*daemon, *api.Client) {
	t.Helper()
	d := &daemon{answers: map[string]string{
		"status": ready, "drift": `[]`, "unfenced": `[]`, "tenants": `[` + tenant("caas-acme", "synced") + `]`,
		"tenants/caas-acme": tenant("caas-acme", "synced"),
	}}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	c, err := api.NewClient(server.URL)
	require.NoError(t, err)
	return d, c
}

func tenant(name, state string) string {
	return `{"name": "` + name + `", "state": "` + state + `", "revision": {"applied": "0123", "wanted": "0123"}}`
}

func (d *daemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	answer, ok := d.answers[strings.TrimPrefix(r.URL.Path, "/api/v1/")]
	switch {
	case d.away:
		w.WriteHeader(http.StatusBadGateway)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = w.Write([]byte(answer))
	}
}

// say makes the daemon answer that from now on.
func (d *daemon) say(path, answer string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[path] = answer
}

func (d *daemon) goAway(away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = away
}

// difference is a row of /api/v1/drift: it stands, with the changes that are given.
func difference(name, since string, changes map[string]any) string {
	row := map[string]any{
		"tenant": "caas-acme", "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "namespace": "caas-acme", "name": name,
		"type": "modified", "effect": "opens", "since": "2026-03-01T" + since + "Z", "fields": []any{}, "managers": []any{}, "exposure": []any{},
		"origin": nil, "corrected": nil, "held": nil,
	}
	for key, value := range changes {
		if row[key] = value; value == "-" {
			delete(row, key)
		}
	}
	text, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// corrected is the change of a row that is corrected at that time.
func corrected(at string) map[string]any {
	return map[string]any{"corrected": "2026-03-01T" + at + "Z"}
}

func rows(list ...string) string { return "[" + strings.Join(list, ",") + "]" }
