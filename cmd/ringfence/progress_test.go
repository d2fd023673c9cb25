package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
)

// Without a terminal: the first line, and then one now and then if it says something else.
func TestProgressInLines(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	clock := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	p.now = func() time.Time { return clock }
	for _, step := range []struct {
		after time.Duration
		say   string
	}{
		{0, "one"}, {time.Second, "two"}, {8 * time.Second, "three"}, {time.Second, "four"}, {time.Hour, "four"}, {0, "five\x1b"},
	} {
		clock = clock.Add(step.after)
		p.say(step.say)
	}
	p.end()
	assert.Equal(t, "one\nfour\nfive\ufffd\n", out.String())
}

// On a terminal: one line, drawn anew, no wider than the terminal, and taken away at the end.
func TestProgressBar(t *testing.T) {
	var out bytes.Buffer
	columns := 80
	p := &progress{out: &out, width: func() int { return columns }}
	p.bar(0, 0, "nobody")
	assert.Equal(t, "\r["+strings.Repeat("░", 24)+"] 0/0  nobody\x1b[K", out.String())
	out.Reset()
	p.bar(1, 3, "1 synced, 2 pending")
	assert.Equal(t, "\r["+strings.Repeat("█", 8)+strings.Repeat("░", 16)+"] 1/3  1 synced, 2 pending\x1b[K", out.String())
	out.Reset()
	columns = 34
	p.bar(3, 3, "3 synced")
	assert.Equal(t, "\r["+strings.Repeat("█", 24)+"] 3/3  …\x1b[K", out.String())
	out.Reset()
	p.end()
	p.end()
	assert.Equal(t, "\r\x1b[K", out.String())
}

// The first sync of many tenants by a daemon that is only just being started.
func TestWaitForTheFirstSync(t *testing.T) {
	answers := []string{
		"", // does not answer yet
		`{"instance": "default", "leader": true, "ready": false, "waiting": "waiting for Git", "revision": "", "source": {}, "tenants": {}, "blind": []}`,
		`{"instance": "default", "leader": true, "ready": true, "revision": "", "source": {}, "tenants": {"pending": 4, "synced": 0}, "blind": []}`,
		`{"instance": "default", "leader": true, "ready": true, "revision": "", "source": {}, "tenants": {"pending": 1, "synced": 3}, "blind": []}`,
		`{"instance": "default", "leader": true, "ready": true, "revision": "", "source": {}, "tenants": {"pending": 0, "synced": 4}, "blind": []}`,
	}
	var asked, cluster atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/status":
			if n := int(asked.Add(1)) - 1; n > 0 {
				_, _ = w.Write([]byte(answers[min(n, len(answers)-1)]))
				return
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/api/v1/tenants/_cluster": // is the last to be in order
			state := "synced"
			if cluster.Add(1) == 1 {
				state = "pending"
			}
			_, _ = w.Write([]byte(`{"name": "", "state": "` + state + `", "revision": {}}`))
		default:
			_, _ = w.Write([]byte(`[]`))
		}
	}))
	defer server.Close()
	daemon, err := api.NewClient(server.URL)
	require.NoError(t, err)
	var out bytes.Buffer
	wait := &syncWait{daemon: daemon, every: time.Millisecond, progress: &progress{out: &out, now: time.Now}}
	require.NoError(t, wait.run(t.Context()))
	assert.Equal(t, int32(2), cluster.Load())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 5)
	assert.Contains(t, lines[0], "503 Service Unavailable")
	assert.Equal(t, []string{"the daemon is not ready: waiting for Git", "4 pending", "3 synced, 1 pending", "4 synced"}, lines[1:])
}

// Ctrl-C ends the wait, and is no success.
func TestWaitInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	daemon := must1(api.NewClient("http://127.0.0.1:1"))
	wait := &syncWait{daemon: daemon, every: time.Hour, progress: newProgress(&bytes.Buffer{})}
	assert.ErrorContains(t, wait.run(ctx), "interrupted")
}
