package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/app"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources/gitserver"
	"github.com/ringfence/ringfence/sync"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// full says that tests with large numbers run in full, as they do by hand before
// an issue is resolved; otherwise they run at a tenth.
func full() bool { return os.Getenv("RINGFENCE_SCALE") == "full" }

// scale returns n in full, or a tenth of it.
func scale(n int) int {
	if full() {
		return n
	}
	return max(1, n/10)
}

// running is a daemon in this process, on a repository that can be pushed to.
type running struct {
	tb      testing.TB
	engine  *sync.Replica
	address string
	clone   string
	tenants int
}

// startRunning serves a generated repository and runs a daemon on it; it returns
// once the daemon has started, not once it has synced.
func startRunning(tb testing.TB, plane *controlplane.ControlPlane, tenants, allowances int) *running {
	tb.Helper()
	dir := tb.TempDir()
	git, err := gitserver.New(gitserver.Config{Dir: filepath.Join(dir, "git")})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = git.Close() })
	require.NoError(tb, git.CreateRepository("policies", generated(tenants, allowances)))
	r := &running{tb: tb, clone: filepath.Join(dir, "clone"), tenants: tenants}
	r.git("clone", "-q", git.Folder("policies"), r.clone)

	daemon, err := config.ParseDaemon("test.yaml", fmt.Appendf(nil,
		"apiVersion: ringfence.dev/v1\nkind: Config\ndataDir: %q\nsource: {url: %q, poll: \"@every 1s\"}\nhttp: {listen: \"127.0.0.1:0\"}\n",
		filepath.Join(dir, "data"), git.URL("policies")))
	require.NoError(tb, err)
	silenceClient()
	ctx, cancel := context.WithCancel(context.Background())
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, app.Config{
			Daemon: daemon, REST: plane.REST(), Log: slog.New(slog.DiscardHandler),
			Started: func(address string, engine *sync.Replica) {
				r.address, r.engine = address, engine
				close(started)
			},
		})
	}()
	tb.Cleanup(func() {
		cancel()
		require.NoError(tb, <-ended)
	})
	select {
	case <-started:
	case err := <-ended:
		require.NoError(tb, err)
	}
	return r
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
	}, 5*time.Minute, 25*time.Millisecond) // to look costs a part of what is measured
}

// pushOne changes one tenant alone and returns the commit.
func (r *running) pushOne(port int) string {
	r.tb.Helper()
	path := filepath.Join(r.clone, "overlays", "t-0001")
	require.NoError(r.tb, os.WriteFile(filepath.Join(path, "extra.yaml"), []byte(policyYAML("extra",
		fmt.Sprintf("{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{protocol: TCP, port: %d}]}]}", port))), 0o600))
	require.NoError(r.tb, os.WriteFile(filepath.Join(path, "kustomization.yaml"),
		[]byte("namespace: t-0001\nresources: [../../base/tenant, extra.yaml]\n"), 0o600))
	r.git("-C", r.clone, "add", "-A")
	r.git("-C", r.clone, "commit", "-qm", "one tenant")
	r.git("-C", r.clone, "push", "-q", "origin", "HEAD:main")
	return r.head()
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

// A commit that touches one tenant costs the same number of requests whatever
// the number of tenants.
func TestRequestsDoNotGrowWithTenants(t *testing.T) {
	var counts []int
	for _, tenants := range []int{scale(100), scale(1000)} {
		plane, err := controlplane.Start(t.Context(), controlplane.Config{Log: io.Discard})
		require.NoError(t, err)
		t.Cleanup(func() { _ = plane.Stop() })
		r := startRunning(t, plane, tenants, 3)
		r.await(r.head())
		before := r.settle()
		r.await(r.pushOne(9000))
		counts = append(counts, r.settle()-before)
		t.Logf("%d tenants: %d requests for a commit that adds one policy to one tenant", tenants, counts[len(counts)-1])
	}
	require.Equal(t, counts[0], counts[1])
	require.LessOrEqual(t, counts[0], 6, "the policy, the state twice, an Event, and little else")
}

// BenchmarkFirstSync prints how fast many tenants of 5 objects are first synced,
// beside a bare client-go loop with as many workers on the same server; what a
// commit costs that touches one tenant, and how fast commits are applied that touch
// all: one that opens something in one object of each and closes something in
// another, and one of which every object does both and is written twice.
func BenchmarkFirstSync(b *testing.B) {
	const perTenant = 5
	tenants := 200
	if full() {
		tenants = 1000
	}
	for range b.N {
		plane, err := controlplane.Start(b.Context(), controlplane.Config{Log: io.Discard})
		require.NoError(b, err)
		warm(b, plane.REST())
		objects := float64(tenants * perTenant)
		rendered := renderGenerated(b, tenants, perTenant-2)
		used := spent(b, plane)
		bare := bareLoop(b, plane.REST(), rendered, 8)
		bareUsed := spent(b, plane).since(used)

		r := startRunning(b, plane, tenants, perTenant-2)
		used = spent(b, plane)
		began := time.Now()
		r.await(r.head())
		ours := objects / time.Since(began).Seconds()
		spent(b, plane).since(used).report(b, "first", bareUsed, objects)
		first := r.settle()

		commit := r.pushOne(9000)
		r.await(commit)
		applied := time.Now()
		fetched := r.fetchedAt(commit)
		one := r.settle()
		b.ReportMetric(ours, "objects/s")
		b.ReportMetric(bare, "bare-objects/s")
		b.ReportMetric(ours/bare, "of-bare")
		b.ReportMetric(float64(first)/float64(tenants*perTenant), "requests/object")
		b.ReportMetric(float64(applied.Sub(fetched).Milliseconds()), "ms-fetch-to-applied")
		b.ReportMetric(float64(one-first), "requests/commit")

		before := one
		for _, change := range []struct {
			name string
			base map[int]string // ports by allowance
		}{
			{"base", map[int]string{0: "[{protocol: TCP, port: 8000}, {protocol: TCP, port: 9100}]", 1: "[{protocol: TCP, port: 8001, endPort: 8001}, {protocol: UDP, port: 1}]"}},
			{"both", map[int]string{0: "[{protocol: TCP, port: 9200}]", 1: "[{protocol: TCP, port: 9201}]"}},
		} {
			objects := float64(2 * tenants)
			rendered := changedGenerated(b, tenants, change.base)
			used := spent(b, plane)
			bare := bareLoop(b, plane.REST(), rendered, 8)
			bareUsed := spent(b, plane).since(used)
			used = spent(b, plane)
			commit := r.pushBase(change.base)
			began := time.Now()
			r.await(commit)
			took := time.Since(began).Seconds() // up to a second of it until the next poll
			spent(b, plane).since(used).report(b, change.name, bareUsed, objects)
			after := r.settle()
			b.ReportMetric(objects/took/bare, change.name+"-of-bare")
			b.ReportMetric(float64(after-before)/objects, change.name+"-requests/object")
			before = after
		}
		require.NoError(b, plane.Stop())
	}
}

// withPorts is an allowance of the generated base with other ports.
func withPorts(i int, ports string) string {
	return policyYAML(fmt.Sprintf("allow-%d", i), fmt.Sprintf("{podSelector: {matchLabels: {app: a%d}}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {}}], ports: %s}]}", i, ports))
}

// pushBase changes allowances of the base, and so of all tenants, and returns the commit.
func (r *running) pushBase(ports map[int]string) string {
	r.tb.Helper()
	for i, text := range ports {
		require.NoError(r.tb, os.WriteFile(filepath.Join(r.clone, "base", "tenant", fmt.Sprintf("allow-%d.yaml", i)), []byte(withPorts(i, text)), 0o600))
	}
	r.git("-C", r.clone, "add", "-A")
	r.git("-C", r.clone, "commit", "-qm", "the base")
	r.git("-C", r.clone, "push", "-q", "origin", "HEAD:main")
	return r.head()
}

// changedGenerated renders what such a change makes of each tenant, of the changed objects alone.
func changedGenerated(tb testing.TB, tenants int, ports map[int]string) map[string][]kustomize.Object {
	tb.Helper()
	files := generated(tenants, 3)
	for i, text := range ports {
		files[fmt.Sprintf("base/tenant/allow-%d.yaml", i)] = &fstest.MapFile{Data: []byte(withPorts(i, text))}
	}
	renderer, err := kustomize.New(kustomize.Config{Namespaces: []string{"t-*"}})
	require.NoError(tb, err)
	rendering, err := renderer.Render(context.Background(), files)
	require.NoError(tb, err)
	out := map[string][]kustomize.Object{}
	for _, t := range rendering.Tenants {
		for _, o := range t.Objects {
			for i := range ports {
				if o.GetName() == fmt.Sprintf("allow-%d", i) {
					out[t.Name] = append(out[t.Name], o)
				}
			}
		}
	}
	return out
}

// fetchedAt returns when the source had the commit.
func (r *running) fetchedAt(commit string) time.Time {
	var status struct {
		Source struct {
			Revision string
			Checked  time.Time
		}
	}
	require.NoError(r.tb, getJSON("http://"+r.address+"/api/v1/status", &status))
	require.Equal(r.tb, commit, status.Source.Revision)
	return status.Source.Checked
}

// warm makes the API server do everything once before it is measured.
func warm(b *testing.B, c *rest.Config) {
	b.Helper()
	bareLoop(b, c, map[string][]kustomize.Object{"t-warm": renderGenerated(b, 1, 3)["t-0000"]}, 1)
}

// renderGenerated renders a generated repository, by tenant.
func renderGenerated(tb testing.TB, tenants, allowances int) map[string][]kustomize.Object {
	tb.Helper()
	renderer, err := kustomize.New(kustomize.Config{Namespaces: []string{"t-*"}})
	require.NoError(tb, err)
	rendering, err := renderer.Render(context.Background(), generated(tenants, allowances))
	require.NoError(tb, err)
	out := map[string][]kustomize.Object{}
	for _, t := range rendering.Tenants {
		out[t.Name] = t.Objects
	}
	return out
}

// bareLoop applies everything under other names with nothing but client-go, and
// returns objects per second.
func bareLoop(tb testing.TB, c *rest.Config, tenants map[string][]kustomize.Object, workers int) float64 {
	tb.Helper()
	client, err := dynamic.NewForConfig(c)
	require.NoError(tb, err)
	began, n := time.Now(), 0
	var group errgroup.Group
	group.SetLimit(workers)
	for name, objects := range tenants {
		n += len(objects)
		group.Go(func() error {
			for _, o := range objects {
				u := o.DeepCopy()
				resource := dynamic.ResourceInterface(client.Resource(o.Kind.GVR()))
				if o.Kind.Namespaced {
					u.SetNamespace("bare-" + name)
					resource = client.Resource(o.Kind.GVR()).Namespace("bare-" + name)
				} else {
					u.SetName("bare-" + name)
				}
				body, err := json.Marshal(u)
				if err != nil {
					return err
				}
				if _, err := resource.Patch(context.Background(), u.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: "bare"}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(tb, group.Wait())
	return float64(n) / time.Since(began).Seconds()
}
