package sync

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	stdsync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// animal is something that happens to a cluster, and what must be said of it.
type animal struct {
	Name string `json:"name"`
	// Do is what others do, one after the other.
	Do []deed `json:"do"`
	// Hold: what we write meanwhile waits until all is done.
	Hold bool `json:"hold"`
	// Drift are the lines that stand then, as lineOf writes them, where drift is only reported.
	Drift []string `json:"drift"`
	// Passing are lines that may be seen on the way.
	Passing []string `json:"passing"`
}

// lineOf describes a difference as testdata does.
func lineOf(d drift.Difference) string {
	by := "nobody"
	if len(d.Writers) > 0 {
		var names []string
		for _, w := range d.Writers {
			names = append(names, w.Name+" "+w.Operation)
		}
		by = strings.Join(names, ", ")
	}
	line := fmt.Sprintf("%s %s %s by %s", d.Type, shortly(d.ID), d.Effect, by)
	if len(d.Fields) > 0 {
		line += ":"
	}
	for _, f := range d.Fields {
		line += " " + f.Path
	}
	return line
}

// zoo is a daemon with a tenant for each animal.
type zoo struct {
	*daemon
	calico   controlplane.Calico // how its kinds are served
	snapshot *sources.Snapshot
	writes   atomic.Int64 // of the daemon, but for Events and its state
	held     stdsync.Map  // namespace → a channel that is closed once writes may go on

	mu           stdsync.Mutex // guards what follows
	seen, undone []time.Duration
}

// newZoo starts a daemon on the zoo's repository with n tenants, all synced.
func newZoo(t *testing.T, calico controlplane.Calico, mode Mode, n int) *zoo {
	t.Helper()
	b := newBenchOn(t, serverOf(t, calico))
	z := &zoo{calico: calico}
	if calico == controlplane.CalicoCRD {
		b.collects()
	}
	repo := newRepository(t)
	b.Cleanup(func() { sweepCluster(b) })
	z.daemon = startDaemon(b, repo, func(c *Config) { c.Mode = mode })
	b.inject(z.watchWrites)
	z.snapshot = repo.commit(z.files(n))
	z.Offer(z.snapshot)
	units := z.names(n)
	if z.withCalico() {
		units = append(units, clusterTenant)
	}
	z.at(z.snapshot, Synced, units...)
	z.done(z.snapshot)
	z.writes.Store(0)
	return z
}

// collects waits until the garbage collector knows Calico's kinds: it looks for new ones every 30 seconds, and what is
// deleted in the foreground stays until it does.
func (b *bench) collects() {
	b.Helper()
	u := b.create(`{apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: litter, namespace: NS}}`)
	id := drift.ID{Kind: kindOf(b, u), Namespace: b.namespace, Name: u.GetName()}
	foreground := metav1.DeletePropagationForeground
	require.NoError(b, b.others(id).Delete(b.Context(), id.Name, metav1.DeleteOptions{PropagationPolicy: &foreground}))
	require.Eventually(b, func() bool { return b.live(id) == nil }, 2*time.Minute, 50*time.Millisecond)
}

// collect does what the garbage collector does with what is deleted in the foreground. On Calico's own API server the
// collector itself is late: each write of a tier ends its watches, and it takes up to half a minute to renew them.
func (b *bench) collect(id drift.ID) {
	b.Helper()
	_, err := b.others(id).Patch(b.Context(), id.Name, types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`), metav1.PatchOptions{FieldManager: "kube-controller-manager"})
	require.True(b, err == nil || isGoneAlready(err), "%v", err)
}

// withCalico says whether Calico's kinds are served where the zoo is.
func (z *zoo) withCalico() bool { return z.calico != controlplane.NoCalico }

// files is the repository of testdata/zoo with n tenants.
func (z *zoo) files(n int) map[string]string {
	z.Helper()
	archive, err := txtar.ParseFile("testdata/zoo/repository.txtar")
	require.NoError(z, err)
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = z.text(string(f.Data))
	}
	if !z.withCalico() {
		withoutCalico(files)
	}
	for i := range n {
		files[fmt.Sprintf("overlays/t%d/kustomization.yaml", i)] = fmt.Sprintf("namespace: %s-t%d\nresources: [../../base/tenant]", z.namespace, i)
	}
	return files
}

// withoutCalico takes Calico's objects out of a repository, and the cluster overlay, which has no others.
func withoutCalico(files map[string]string) {
	gone := map[string]bool{}
	for name, text := range files {
		if strings.Contains(text, "apiVersion: "+kinds.GroupCalico) || strings.HasPrefix(name, "overlays/cluster/") {
			gone[path.Base(name)] = path.Base(name) != "kustomization.yaml"
			delete(files, name)
		}
	}
	for name, text := range files {
		if path.Base(name) != "kustomization.yaml" {
			continue
		}
		before, list, _ := strings.Cut(text, "[")
		stay := slices.DeleteFunc(strings.Split(strings.TrimSuffix(strings.TrimSpace(list), "]"), ", "), func(file string) bool { return gone[file] })
		files[name] = before + "[" + strings.Join(stay, ", ") + "]\n"
	}
}

func (z *zoo) names(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("%s-t%d", z.namespace, i))
	}
	return names
}

// sweepCluster deletes what is cluster-scoped and has the bench's name in its own; before a tier its policies, without
// which Calico's own API server does not let it go.
func sweepCluster(b *bench) {
	ctx := context.Background()
	for _, short := range []string{"cnp", "snp", "gnp", "sgnp", "gset", "tier"} {
		k, _ := shortKind(short)
		list, err := b.rogue.Resource(k.GVR()).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) {
			return // nothing of Calico's is served
		}
		require.NoError(b, err)
		for i := range list.Items {
			if name := list.Items[i].GetName(); slices.Contains(strings.FieldsFunc(name, func(r rune) bool { return r == '.' }), b.namespace) || strings.Contains(name, b.namespace+"-") {
				assert.NoError(b, b.rogue.Resource(k.GVR()).Namespace(list.Items[i].GetNamespace()).Delete(ctx, name, metav1.DeleteOptions{}))
			}
		}
	}
}

// watchWrites counts what the daemon writes, and holds it back where it is told to.
func (z *zoo) watchWrites(r *http.Request) *http.Response {
	if r.Method == http.MethodGet || strings.HasSuffix(path.Dir(r.URL.Path)+"/", "/events/") || strings.HasSuffix(r.URL.Path, "/events") || strings.Contains(r.URL.Path, "/configmaps") {
		return nil
	}
	z.writes.Add(1)
	parts := strings.Split(r.URL.Path, "/namespaces/")
	if len(parts) == 2 {
		namespace, _, _ := strings.Cut(parts[1], "/")
		if gate, ok := z.held.Load(namespace); ok {
			select {
			case <-gate.(chan struct{}):
			case <-r.Context().Done():
			}
		}
	}
	return nil
}

// animals reads testdata, with all names of the tenant.
func (z *zoo) animals(file string) []animal {
	z.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(z, err)
	var out []animal
	require.NoError(z, yaml.UnmarshalStrict([]byte(z.text(string(raw))), &out))
	if !z.withCalico() {
		out = slices.DeleteFunc(out, animal.concernsCalico)
	}
	return out
}

// concernsCalico says whether it is about Calico's objects.
func (a animal) concernsCalico() bool {
	calico := func(object string) bool {
		short, _, _ := strings.Cut(object, "/")
		k, known := shortKind(short)
		return known && k.Group == kinds.GroupCalico
	}
	return slices.ContainsFunc(a.Do, func(d deed) bool { return calico(d.To) }) ||
		slices.ContainsFunc(slices.Concat(a.Drift, a.Passing), func(line string) bool { return slices.ContainsFunc(strings.Fields(line), calico) })
}

// of fills in a tenant's name and its namespace's uid.
func (a animal) of(t *testing.T, tenant, uid string) animal {
	t.Helper()
	raw, err := yaml.Marshal(a)
	require.NoError(t, err)
	var out animal
	require.NoError(t, yaml.UnmarshalStrict([]byte(strings.NewReplacer("TENANT", tenant, "UID", uid).Replace(string(raw))), &out))
	return out
}

// Everything that others may do to what Git says, in every way there is: it is
// seen, explained and attributed, and undone or left as it is.
func TestZoo(t *testing.T) {
	onEachFlavour(t, testZoo)
}

func testZoo(t *testing.T, calico controlplane.Calico) {
	for _, mode := range []Mode{Correct, Report} {
		t.Run(string(mode), func(t *testing.T) {
			tenants := (&zoo{calico: calico, daemon: &daemon{bench: &bench{T: t, namespace: "x"}}}).animals("testdata/zoo/tenants.yaml")
			z := newZoo(t, calico, mode, len(tenants))
			tenants = z.animals("testdata/zoo/tenants.yaml")
			cluster := z.animals("testdata/zoo/cluster.yaml")
			require.GreaterOrEqual(t, len(tenants)+len(cluster), z.atLeast(40))
			t.Run("cases", func(t *testing.T) {
				for i, a := range tenants {
					t.Run(a.Name, func(t *testing.T) {
						t.Parallel()
						name := z.names(len(tenants))[i]
						ns := z.visit(t).live(drift.ID{Kind: kinds.Namespace, Name: name})
						z.show(t, a.of(t, name, string(ns.GetUID())), name)
					})
				}
				t.Run("cluster", func(t *testing.T) {
					t.Parallel()
					for _, a := range cluster {
						t.Run(a.Name, func(t *testing.T) {
							z.show(t, a, clusterTenant)
							z.clear(t, clusterTenant)
						})
					}
				})
			})
			z.closing(t)
		})
	}
}

// atLeast is how many of so many cases there are where Calico's are left out.
func (z *zoo) atLeast(n int) int {
	if z.withCalico() {
		return n
	}
	return n / 2
}

// visit is the bench for a test of its own. What it writes the daemon learns from its watches alone.
func (z *zoo) visit(t *testing.T) *bench {
	return &bench{T: t, writer: &writer{dynamic: z.rogue, manager: z.manager, cluster: z.bench.cluster}, namespace: z.namespace, rogue: z.rogue}
}

// show lets it happen and checks what is said and done about it. Machines are
// shared, so the best of five tries in a quick enough time counts.
func (z *zoo) show(t *testing.T, a animal, tenant string) {
	t.Helper()
	for try := 1; ; try++ {
		seen, undone := z.happens(t, a, tenant)
		if seen < time.Second && undone < 2*time.Second {
			z.mu.Lock()
			z.seen, z.undone = append(z.seen, seen), append(z.undone, undone)
			z.mu.Unlock()
			return
		}
		t.Logf("try %d: seen after %v, undone after %v", try, seen, undone)
		require.Less(t, try, 5, "never seen within a second and undone within two")
		z.clear(t, tenant)
	}
}

// happens returns how long it took until everything was seen, and undone.
func (z *zoo) happens(t *testing.T, a animal, tenant string) (seen, undone time.Duration) {
	t.Helper()
	b := z.visit(t)
	gate := make(chan struct{})
	if a.Hold {
		z.held.Store(tenant, gate)
	}
	began := time.Now()
	last := began
	left := map[drift.ID]string{}
	for _, d := range a.Do {
		last = time.Now()
		u := b.does(d, tenant)
		if d.Do == "foreground" && z.calico == controlplane.CalicoAggregated {
			b.collect(b.idOf(d.To, tenant))
		}
		if u != nil {
			left[b.idOf(d.To, tenant)] = u.GetResourceVersion()
		} else {
			delete(left, b.idOf(d.To, tenant))
		}
	}
	if a.Hold {
		z.held.Delete(tenant)
		close(gate)
		last = time.Now()
	}
	want := a.Drift
	var entries []drift.Entry
	complete := func() bool {
		entries = z.since(tenant, began)
		return z.asWanted(entries, want, a.Passing, a.Hold)
	}
	for deadline := time.Now().Add(10 * time.Second); !complete() && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if !complete() {
		assert.Equal(t, sorted(want), linesOf(entries))
		require.FailNow(t, "not as it should be", "%+v", entries)
	}
	for _, e := range entries {
		seen = max(seen, e.Since.Sub(last))
		if !e.Corrected.IsZero() {
			undone = max(undone, e.Corrected.Sub(last))
		}
	}
	z.after(t, b, tenant, left, entries)
	return seen, undone
}

// since returns the tenant's entries of the ledger that began after a time.
func (z *zoo) since(tenant string, began time.Time) (out []drift.Entry) {
	for _, e := range z.Drift() {
		if e.Tenant == tenant && e.Since.After(began) {
			out = append(out, e)
		}
	}
	return out
}

func linesOf(entries []drift.Entry) (lines []string) {
	for _, e := range entries {
		lines = append(lines, lineOf(e.Difference))
	}
	return sorted(lines)
}

func sorted(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Sort(lines)
	return lines
}

// asWanted says whether exactly what is wanted was seen, and all is mended that will be.
func (z *zoo) asWanted(entries []drift.Entry, want, passing []string, hold bool) bool {
	correct := z.config.Mode == Correct
	for _, e := range entries {
		if mended := !e.Corrected.IsZero(); mended != (correct && e.Type != drift.Extra) || !correct && e.Held != drift.Report {
			return false
		}
	}
	lines := linesOf(entries)
	if correct && hold { // what we wrote last may have undone all that was never looked at
		return len(entries) > 0
	}
	lines = slices.DeleteFunc(lines, func(line string) bool { return slices.Contains(passing, line) })
	return len(entries) > 0 && slices.Equal(lines, sorted(want))
}

// after checks what is left in the cluster.
func (z *zoo) after(t *testing.T, b *bench, tenant string, left map[drift.ID]string, entries []drift.Entry) {
	t.Helper()
	if z.config.Mode == Correct {
		for _, w := range z.world.Load().targets[tenant].wanted {
			b.stands(w)
		}
	}
	for id, version := range left {
		extra := slices.ContainsFunc(entries, func(e drift.Entry) bool { return e.ID == id && e.Type == drift.Extra })
		if extra || z.config.Mode == Report {
			live := b.live(id)
			require.NotNil(t, live, "%s is gone", id)
			require.Equal(t, version, live.GetResourceVersion(), "%s is not left alone", id)
		}
	}
}

// clear takes away whatever stands against Git in a tenant.
func (z *zoo) clear(t *testing.T, tenant string) {
	t.Helper()
	b := z.visit(t)
	require.Eventually(t, func() bool {
		standing := 0
		for _, e := range z.Drift() {
			if e.Tenant != tenant || !e.Corrected.IsZero() {
				continue
			}
			standing++
			if e.Type == drift.Extra {
				_ = b.others(e.ID).Delete(t.Context(), e.ID.Name, metav1.DeleteOptions{})
			} else if z.config.Mode == Report {
				if _, err := b.apply(t.Context(), e.Want, b.live(e.ID)); err != nil {
					t.Logf("putting %s back: %v", e.ID, err)
				}
			}
		}
		return standing == 0
	}, 20*time.Second, 50*time.Millisecond)
}

// closing looks at the whole once all has happened.
func (z *zoo) closing(t *testing.T) {
	t.Helper()
	if z.config.Mode == Report {
		assert.Zero(t, z.writes.Load(), "nothing is written where drift is only reported")
	}
	slices.Sort(z.seen)
	slices.Sort(z.undone)
	for _, e := range z.Drift() {
		if z.config.Mode == Correct && e.Corrected.IsZero() {
			assert.Equal(t, drift.Extra, e.Type, "%s still stands", lineOf(e.Difference))
		}
	}
	if n := len(z.seen); n > 0 {
		t.Logf("%d cases: seen after %v (p50) and %v (longest), undone after %v and %v", n, z.seen[n/2], z.seen[n-1], z.undone[n/2], z.undone[n-1])
	}
}
