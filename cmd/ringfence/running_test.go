package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/app"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/sources/gitserver"
	"github.com/ringfence/ringfence/sync"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// running is a daemon in this process, on a repository that can be pushed to.
type running struct {
	tb      testing.TB
	plane   *controlplane.ControlPlane
	daemon  *config.Daemon
	engine  *sync.Replica
	address string
	clone   string
	tenants int
	// stop ends the daemon, and waits for its end.
	stop func()
}

// hookSecret is what a push is announced with.
const hookSecret = "announced"

// startRunning serves a generated repository and runs a daemon on it; it returns
// once the daemon has started, not once it has synced.
func startRunning(tb testing.TB, plane *controlplane.ControlPlane, tenants, allowances int) *running {
	tb.Helper()
	r := serveRunning(tb, plane, tenants, allowances)
	r.start()
	return r
}

// serveRunning serves a generated repository for a daemon that is not started.
func serveRunning(tb testing.TB, plane *controlplane.ControlPlane, tenants, allowances int) *running {
	tb.Helper()
	dir := tb.TempDir()
	git, err := gitserver.New(gitserver.Config{Dir: filepath.Join(dir, "git")})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = git.Close() })
	require.NoError(tb, git.CreateRepository("policies", generated(tenants, allowances)))
	r := &running{tb: tb, plane: plane, clone: filepath.Join(dir, "clone"), tenants: tenants}
	r.git("clone", "-q", git.Folder("policies"), r.clone)
	secret := filepath.Join(dir, "secret")
	require.NoError(tb, os.WriteFile(secret, []byte(hookSecret), 0o600))
	r.daemon, err = config.ParseDaemon("test.yaml", fmt.Appendf(nil,
		"apiVersion: ringfence.dev/v1\nkind: Config\ndataDir: %q\nsource: {url: %q, poll: \"@every 1m\"}\nhttp: {listen: \"127.0.0.1:0\", hookSecretFile: %q}\n",
		filepath.Join(dir, "data"), git.URL("policies"), secret))
	require.NoError(tb, err)
	return r
}

// start runs the daemon until stop is called.
func (r *running) start() {
	r.tb.Helper()
	silenceClient()
	ctx, cancel := context.WithCancel(context.Background())
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, app.Config{
			Daemon: r.daemon, REST: r.plane.REST(), Log: slog.New(slog.DiscardHandler),
			Started: func(address string, engine *sync.Replica) {
				r.address, r.engine = address, engine
				close(started)
			},
		})
	}()
	r.stop = stdsync.OnceFunc(func() {
		cancel()
		require.NoError(r.tb, <-ended)
	})
	r.tb.Cleanup(r.stop)
	select {
	case <-started:
	case err := <-ended:
		require.NoError(r.tb, err)
	}
}

// push pushes what was changed, of which the daemon does not know yet, and returns the commit.
func (r *running) push(message string) string {
	r.tb.Helper()
	r.git("-C", r.clone, "add", "-A")
	r.git("-C", r.clone, "commit", "-qm", message)
	r.git("-C", r.clone, "push", "-q", "origin", "HEAD:main")
	return r.head()
}

// announce tells the daemon of a push, as a forge does.
func (r *running) announce() {
	r.tb.Helper()
	request, err := http.NewRequestWithContext(r.tb.Context(), http.MethodPost, "http://"+r.address+"/hook", strings.NewReader("{}"))
	require.NoError(r.tb, err)
	request.Header.Set("X-Gitlab-Event", "Push Hook")
	request.Header.Set("X-Gitlab-Token", hookSecret)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(r.tb, err)
	require.NoError(r.tb, answer.Body.Close())
	require.Equal(r.tb, http.StatusAccepted, answer.StatusCode)
}

func (r *running) git(args ...string) string {
	r.tb.Helper()
	cmd := exec.Command("git", args...)
	cmd.Env = os.Environ()
	for key, value := range gitIdentity {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	out, err := cmd.CombinedOutput()
	require.NoError(r.tb, err, "git %v: %s", args, out)
	return strings.TrimSpace(string(out))
}

// await waits until every tenant is synced at a commit.
func (r *running) await(commit string) {
	r.tb.Helper()
	require.Eventually(r.tb, func() bool {
		s := r.engine.Status()
		return s.Revision == commit && s.Tenants[sync.Synced] == r.tenants
	}, 5*time.Minute, 50*time.Millisecond) // to look costs a part of what is measured
}

// pushOne changes one tenant alone, tells the daemon, and returns the commit.
func (r *running) pushOne(port int) string {
	r.tb.Helper()
	path := filepath.Join(r.clone, "overlays", "t-0001")
	require.NoError(r.tb, os.WriteFile(filepath.Join(path, "extra.yaml"), []byte(policyYAML("extra",
		fmt.Sprintf("{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{protocol: TCP, port: %d}]}]}", port))), 0o600))
	require.NoError(r.tb, os.WriteFile(filepath.Join(path, "kustomization.yaml"),
		[]byte("namespace: t-0001\nresources: [../../base/tenant, extra.yaml]\n"), 0o600))
	commit := r.push("one tenant")
	r.announce()
	return commit
}

func (r *running) head() string { return r.git("-C", r.clone, "rev-parse", "HEAD") }

// requests returns how many requests the daemon has sent to the API server.
func (r *running) requests() int {
	return int(sum(fetch("http://"+r.address+"/metrics"), "ringfence_api_requests_total"))
}

// settle waits until no requests are sent, and returns their number.
func (r *running) settle() int {
	n := -1
	for {
		now := r.requests()
		if now == n {
			return n
		}
		n = now
		time.Sleep(1500 * time.Millisecond)
	}
}
