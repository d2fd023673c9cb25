package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// viewer may read the page, as base/ringfence/readers.yaml lets somebody.
const viewer = `{"apiVersion": "v1", "kind": "List", "items": [
{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "viewer", "namespace": "default"}},
{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "ringfence-viewer"},
  "rules": [{"nonResourceURLs": ["/ringfence/*"], "verbs": ["get"]}]},
{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "viewer"},
  "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "ringfence-viewer"},
  "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": "default"}]}]}`

// guardedPage is a daemon with http.auth: kubernetes beside a demo's, which writes nothing, and a proxy before it.
type guardedPage struct {
	bare  string // the daemon itself
	proxy string // adds the token, as README.md tells how
	off   string // POST /away and /back: whether the proxy finds the daemon
}

// startGuarded starts one on the cluster and the Git of a demo.
func startGuarded(t *testing.T, page demoPage) guardedPage {
	t.Helper()
	kubectl := func(stdin string, args ...string) string {
		var stdout bytes.Buffer
		cmd := exec.CommandContext(t.Context(), filepath.Join(page.temp, "ringfence-demo", "kubectl"), args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, os.Stderr
		require.NoError(t, cmd.Run(), args)
		return strings.TrimSpace(stdout.String())
	}
	dir := t.TempDir()
	file := func(name, text string) string {
		at := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(at, []byte(text), 0o600))
		return at
	}
	kubectl(viewer, "apply", "-f", "-")
	token := kubectl("", "create", "token", "viewer", "-n", "default")
	var out guardedPage
	out.bare = runDaemon(t, file("kubeconfig", kubectl("", "config", "view", "--raw", "--flatten")), func(listen string) string {
		return file("guarded.yaml", fmt.Sprintf(`{apiVersion: ringfence.dev/v1, kind: Config, instance: looker, dataDir: %q, source: {url: %q},
			sync: {mode: observe}, http: {listen: %q, auth: kubernetes}}`, filepath.Join(dir, "data"), page.git, listen))
	})
	out.proxy, out.off = startProxy(t, out.bare, token)
	return out
}

// runDaemon runs a daemon until the test ends and returns its URL, once it is ready.
func runDaemon(t *testing.T, kubeconfig string, config func(listen string) (file string)) (address string) {
	t.Helper()
	for range 5 { // another process may take the address before it does
		if address := tryDaemon(t, kubeconfig, config); address != "" {
			return address
		}
	}
	require.Fail(t, "the daemon does not begin")
	return ""
}

// tryDaemon is runDaemon once; "" if the daemon ends before it is ready.
func tryDaemon(t *testing.T, kubeconfig string, config func(listen string) (file string)) (address string) {
	t.Helper()
	listen := freeAddress(t)
	cmd := exec.Command("ringfence", "run", "--kubeconfig", kubeconfig, "--config", config(listen))
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for limit := time.After(time.Minute); ; {
		select {
		case err := <-ended:
			t.Logf("the daemon has ended: %v", err)
			return ""
		case <-limit:
			_ = cmd.Process.Kill()
			require.Fail(t, "the daemon is not ready")
		case <-time.After(50 * time.Millisecond):
		}
		if codeOf(t, "http://"+listen+"/readyz") == http.StatusOK {
			t.Cleanup(func() {
				assert.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
				assert.NoError(t, <-ended)
			})
			return "http://" + listen
		}
	}
}

// codeOf returns the code of an answer; 0 if there is none.
func codeOf(t *testing.T, address string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// startProxy starts what adds a token before a daemon; while it is away, its lines are cut and it answers as proxies do.
func startProxy(t *testing.T, daemon, token string) (proxy, off string) {
	t.Helper()
	to, err := url.Parse(daemon)
	require.NoError(t, err)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // so that the daemon can refuse a name that only points here
		r.Out.Header.Set("Authorization", "Bearer "+token)
	}}
	var away atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(w, "no upstream", http.StatusBadGateway)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		go func() {
			for !away.Load() && ctx.Err() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			cancel()
		}()
		forward.ServeHTTP(w, r.WithContext(ctx))
	}))
	control := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { away.Store(r.URL.Path == "/away") }))
	t.Cleanup(func() {
		away.Store(true)
		front.Close()
		control.Close()
	})
	return front.URL, control.URL
}
