package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/web"
	"github.com/ringfence/ringfence/sync"
)

// patience is how long what must come about may take on a machine that is busy.
const patience = 60 * time.Second

// nobody returns an address that refuses connections: its socket listens to none, and keeps
// the port from everybody else.
func nobody(t *testing.T) string {
	t.Helper()
	taken, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, taken.Close()) })
	return taken.LocalAddr().String()
}

// lost is the configuration of a daemon that reaches neither Git nor an API server.
func lost(t *testing.T, http string) Config {
	t.Helper()
	daemon, err := config.ParseDaemon("config.yaml", fmt.Appendf(nil, `
apiVersion: ringfence.dev/v1
kind: Config
instance: test
dataDir: %q
source: {url: "http://%s/policies.git", poll: "@every 1s"}
http: %s
`, t.TempDir(), nobody(t), http))
	require.NoError(t, err)
	return Config{
		Daemon: daemon, REST: &rest.Config{Host: "https://" + nobody(t)},
		Build: web.Build{Version: "v1.2.3", Revision: "abc"}, Log: slog.New(slog.DiscardHandler),
	}
}

// daemon runs c until the test ends and returns the address of its page.
func daemon(t *testing.T, c Config) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	started, ended := make(chan string, 1), make(chan error, 1)
	c.Started = func(address string, engine *sync.Replica) {
		assert.NotNil(t, engine)
		started <- address
	}
	go func() { ended <- Run(ctx, c) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			assert.NoError(t, err, "to be told to stop is no error")
		case <-time.After(patience):
			t.Error("it does not stop")
		}
	})
	select {
	case address := <-started:
		return address
	case err := <-ended:
		ended <- err
		require.NoError(t, err)
	case <-time.After(patience):
		require.Fail(t, "it does not start")
	}
	return ""
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	response, err := client.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

// With Git and the API server away it is alive, says that it is not ready, and ends when it is
// told to.
func TestDaemonWaits(t *testing.T) {
	address := daemon(t, lost(t, `{listen: "127.0.0.1:0"}`))
	code, body := get(t, "http://"+address+"/healthz")
	assert.Equal(t, http.StatusOK, code, body)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		code, body = get(t, "http://"+address+"/readyz")
		require.Equal(t, http.StatusServiceUnavailable, code)
		if strings.Contains(body, `"waiting": "waiting for the API server: `) && strings.Contains(body, "connection refused") {
			break
		}
		require.True(t, time.Now().Before(deadline), "it does not say what it waits for: %s", body)
	}
	code, _ = get(t, "http://"+address+"/")
	assert.Equal(t, http.StatusOK, code)
	code, body = get(t, "http://"+address+"/api/v1/drift")
	assert.Equal(t, http.StatusOK, code)
	assert.JSONEq(t, `[]`, body)
}

func TestMetricsHaveAnAddressOfTheirOwn(t *testing.T) {
	metrics, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	other := metrics.Addr().String()
	require.NoError(t, metrics.Close())
	address := daemon(t, lost(t, `{listen: "127.0.0.1:0", metricsListen: "`+other+`"}`))

	code, body := get(t, "http://"+other+"/metrics")
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, "ringfence_build_info{")
	for _, path := range []string{"/", "/api/v1/status"} {
		code, _ = get(t, "http://"+other+path)
		assert.Equal(t, http.StatusNotFound, code, path)
	}
	code, _ = get(t, "http://"+address+"/metrics")
	assert.Equal(t, http.StatusNotFound, code)
}

// What a person must mend is said at once, and nothing stays behind.
func TestDaemonFails(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	listen := free.Addr().String()
	require.NoError(t, free.Close())

	err = Run(t.Context(), lost(t, fmt.Sprintf("{listen: %q}", taken.Addr())))
	require.ErrorContains(t, err, "listening on http.listen: ")
	require.ErrorContains(t, err, taken.Addr().String())
	require.ErrorContains(t, err, "hint: another address, or end the process that has it")

	err = Run(t.Context(), lost(t, fmt.Sprintf("{listen: %q, metricsListen: %q}", listen, taken.Addr())))
	require.ErrorContains(t, err, "listening on http.metricsListen: ")
	again, err := net.Listen("tcp4", listen)
	require.NoError(t, err, "the first address is free again")
	require.NoError(t, again.Close())

	c := lost(t, `{listen: "127.0.0.1:0"}`)
	c.REST.Host = "https://%zz"
	require.ErrorContains(t, Run(t.Context(), c), "reaching the API server: ")
}

// A configuration says in two places what is done; observing wins.
func TestMode(t *testing.T) {
	for _, tt := range []struct {
		sync, drift string
		want        sync.Mode
	}{
		{"apply", "correct", sync.Correct},
		{"apply", "report", sync.Report},
		{"observe", "correct", sync.Observe},
		{"observe", "report", sync.Observe},
	} {
		d := &config.Daemon{Sync: config.Sync{Mode: tt.sync}, Drift: config.Drift{Mode: tt.drift}}
		assert.Equal(t, tt.want, mode(d), "%+v", tt)
	}
}
