package sync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	stdsync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
)

// repository is a real Git repository of a guard and overlays. Names of
// namespaces begin with its prefix, so that tests share one API server.
type repository struct {
	t      *testing.T
	dir    string
	source *sources.Repository

	mu     stdsync.Mutex
	gone   map[string]bool // commits that cannot be had any more
	floor  string
	broken error // what At answers
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	dir := t.TempDir()
	source, err := sources.New(sources.Config{URL: "file://" + dir, Ref: sources.Ref{Branch: "main"}, Dir: t.TempDir(), AllowRewind: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, source.Close()) })
	repo := &repository{t: t, dir: dir, source: source, gone: map[string]bool{}}
	repo.git("init", "--quiet", "--initial-branch=main")
	repo.write(map[string]string{
		"base/guard/kustomization.yaml": "resources: [deny-all.yaml]",
		"base/guard/deny-all.yaml":      `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny-all}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}`,
	})
	return repo
}

// git runs Git itself, uninfluenced by what the machine has configured for it.
func (r *repository) git(args ...string) {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com")
	out, err := cmd.CombinedOutput()
	require.NoError(r.t, err, "git %v: %s", args, out)
}

// write changes files; one without content is removed.
func (r *repository) write(files map[string]string) {
	r.t.Helper()
	for name, text := range files {
		path := filepath.Join(r.dir, filepath.FromSlash(name))
		if text == "" {
			require.NoError(r.t, os.RemoveAll(path))
			continue
		}
		require.NoError(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(r.t, os.WriteFile(path, []byte(text+"\n"), 0o644))
	}
}

// commit changes files and returns the snapshot of the new commit.
func (r *repository) commit(files map[string]string) *sources.Snapshot {
	r.t.Helper()
	r.write(files)
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "--message", "change")
	s, err := r.source.Poll(r.t.Context())
	require.NoError(r.t, err)
	return s
}

// At implements Source.
func (r *repository) At(ctx context.Context, commit string) (*sources.Snapshot, error) {
	r.mu.Lock()
	gone, broken := r.gone[commit], r.broken
	r.mu.Unlock()
	if gone {
		return nil, fmt.Errorf("reading %s: %w", commit, sources.ErrNoCommit)
	}
	if broken != nil {
		return nil, broken
	}
	return r.source.At(ctx, commit)
}

// SetFloor implements Source.
func (r *repository) SetFloor(commit string) {
	r.mu.Lock()
	r.floor = commit
	r.mu.Unlock()
}

// Trailers implements Source.
func (r *repository) Trailers(ctx context.Context, base, newest, key string) ([]sources.Trailer, error) {
	r.mu.Lock()
	broken := r.broken
	r.mu.Unlock()
	if broken != nil {
		return nil, broken
	}
	return r.source.Trailers(ctx, base, newest, key)
}

// overlay returns the files of an overlay: its namespace, which it makes, and
// allowances of the given names.
func overlay(folder, namespace string, allowances ...string) map[string]string {
	text := "namespace: " + namespace + "\nresources: [objects.yaml]"
	objects := "{apiVersion: v1, kind: Namespace, metadata: {name: " + namespace + "}}"
	for _, name := range allowances {
		objects += "\n---\n" + allowance(name, "{}")
	}
	return map[string]string{"overlays/" + folder + "/kustomization.yaml": text, "overlays/" + folder + "/objects.yaml": objects}
}

func allowance(name, rule string) string {
	return fmt.Sprintf("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: %s}, spec: {podSelector: {matchLabels: {app: %s}}, policyTypes: [Ingress], ingress: [%s]}}", name, name, rule)
}

// files joins overlays.
func files(parts ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, part := range parts {
		maps.Copy(out, part)
	}
	return out
}

// kustomizer is the real renderer; a file named refused makes it refuse a tree.
type kustomizer struct {
	owner    func(string) (string, bool)
	renderer *kustomize.Renderer
	tiers    []string // that tenants may use; nil means default
}

// Render implements Renderer.
func (k *kustomizer) Render(ctx context.Context, s *sources.Snapshot) (*Rendered, error) {
	if _, err := fs.Stat(s.FS(), "refused"); err == nil {
		return nil, errors.New("the tree is refused")
	}
	if k.renderer == nil {
		renderer, err := kustomize.New(kustomize.Config{Owner: k.owner, NamespaceLabels: []string{"*"}, TenantMay: tenantMay(), TenantTiers: k.tiers})
		if err != nil {
			return nil, err
		}
		k.renderer = renderer
	}
	rendering, err := k.renderer.Render(ctx, s.FS())
	if err != nil {
		return nil, err
	}
	network := exposure.Network{PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	rendered := &Rendered{Rendering: rendering, Network: network, TenantMay: tenantMay(), Field: func(overlay string, o kustomize.Object, way ...any) kustomize.Problem {
		return k.renderer.Field(s.FS(), overlay, o, way...)
	}, Guard: func(ctx context.Context, namespace string) ([]kustomize.Object, error) {
		return k.renderer.Guard(ctx, s.FS(), namespace)
	}}
	return rendered, readRules(s.FS(), rendered)
}

func tenantMay() []string {
	return []string{kustomize.MayMode, kustomize.MaySuspend, kustomize.MayAdoptExtras}
}

// rulesFile stands for what ringfence.yaml says of expected namespaces and of drift.
const rulesFile = "rules.yaml"

func readRules(tree fs.FS, into *Rendered) error {
	text, err := fs.ReadFile(tree, rulesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var rules struct {
		Expect      []string
		Ignore      []drift.IgnoreRule
		DeleteExtra bool
	}
	if err == nil {
		err = yaml.UnmarshalStrict(text, &rules)
	}
	into.Expect, into.Ignore, into.DeleteExtra = rules.Expect, rules.Ignore, rules.DeleteExtra
	return err
}

// daemon is an Engine on the shared API server, and someone else beside it.
type daemon struct {
	*bench
	*Engine
	repo *repository
	stop func()
}

// prepareDaemon makes an engine with state of its own; change may alter its
// configuration, and repo hold what an earlier one has applied.
func prepareDaemon(b *bench, repo *repository, change func(*Config)) *daemon {
	b.Helper()
	config := rest.CopyConfig(b.server)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return faulty{next, &b.faults} })
	var c Config
	var err error
	c.Dynamic, err = dynamic.NewForConfig(config)
	require.NoError(b, err)
	c.Discovery, err = discovery.NewDiscoveryClientForConfig(rest.CopyConfig(config))
	require.NoError(b, err)
	c.Metadata, err = metadata.NewForConfig(config)
	require.NoError(b, err)
	c.Kube, err = kubernetes.NewForConfig(config)
	require.NoError(b, err)
	renderer := &kustomizer{}
	c.Renderer, c.Source, c.Namespace = renderer, repo, b.namespace
	c.MaxPrune = PruneLimit{Objects: -1, Tenants: -1}
	c.Log = slog.New(slog.NewTextHandler(b.Output(), nil))
	if change != nil {
		change(&c)
	}
	e, err := New(c)
	require.NoError(b, err)
	renderer.owner = e.Owner
	return &daemon{bench: b, Engine: e, repo: repo}
}

// startDaemon runs it until stop, or until the test ends.
func startDaemon(b *bench, repo *repository, change func(*Config)) *daemon {
	b.Helper()
	d := prepareDaemon(b, repo, change)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	d.stop = stdsync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			assert.NoError(b, err)
		case <-time.After(20 * time.Second):
			b.Error("Run does not return")
		}
	})
	b.Cleanup(d.stop)
	<-d.Loaded()
	return d
}

// until waits for something that must become true soon.
func (d *daemon) until(what string, holds func() bool) {
	d.Helper()
	require.Eventually(d, holds, 20*time.Second, 10*time.Millisecond, what)
}

// tenant returns what is told of a tenant; a zero value if nothing is.
func (d *daemon) tenant(name string) Tenant {
	for _, t := range d.Tenants() {
		if t.Name == name {
			return t
		}
	}
	return Tenant{}
}

// at waits until the tenants are in a state and the snapshot is adopted.
func (d *daemon) at(s *sources.Snapshot, state State, tenants ...string) {
	d.Helper()
	d.until(fmt.Sprintf("%v %s at %s", tenants, state, short(s.Revision().Commit)), func() bool {
		if d.Status().Revision != s.Revision().Commit {
			return false
		}
		for _, name := range tenants {
			if d.tenant(name).State != state {
				return false
			}
		}
		return true
	})
}

// policies returns the names of the NetworkPolicies of a namespace, in order.
func (d *daemon) policies(namespace string) []string {
	d.Helper()
	list, err := d.config.Kube.(kubernetes.Interface).NetworkingV1().NetworkPolicies(namespace).List(context.Background(), listAll)
	require.NoError(d, err)
	names := []string{}
	for _, p := range list.Items {
		names = append(names, p.Name)
	}
	return names
}

// saved returns the state as it is in the cluster.
func (d *daemon) saved() state {
	d.Helper()
	store := &stateStore{kube: d.config.Kube, namespace: d.config.Namespace, instance: d.config.Instance}
	st, err := store.load(context.Background())
	require.NoError(d, err)
	return st
}

// done waits until the snapshot is what the state calls applied, with nothing pending.
func (d *daemon) done(s *sources.Snapshot) state {
	d.Helper()
	var st state
	d.until("applied "+short(s.Revision().Commit), func() bool {
		st = d.saved()
		return st.Applied == s.Revision().Commit && len(st.Pending) == 0
	})
	return st
}
