package kustomize

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// identified gives each file of a tree its content's hash as identity.
func identified(tree fstest.MapFS) fstest.MapFS {
	out := fstest.MapFS{}
	for name, f := range tree {
		copied := *f
		copied.Sys = sha256.Sum256(f.Data)
		out[name] = &copied
	}
	return out
}

// whole writes down everything of a rendering.
func whole(t require.TestingT, r *Rendering) string {
	var b bytes.Buffer
	b.WriteString(summary(r))
	tenants := r.Tenants
	if r.Cluster != nil {
		tenants = append(tenants, r.Cluster)
	}
	for _, tenant := range tenants {
		fmt.Fprintln(&b, tenant.Files)
		require.NoError(t, WriteYAML(&b, tenant.Objects))
		require.NoError(t, WriteYAML(&b, tenant.Settings))
	}
	fmt.Fprintln(&b, r.Overlays)
	return b.String()
}

// edits are contents that files may get; "" removes the file.
var edits = map[string][]string{
	"overlays/a/kustomization.yaml":      {"", "namespace: caas-a\nresources: [web.yaml]\n", "namespace: caas-b\nresources: [../../base/x]\n", "namespace: caas-a\ncomponents: [../../base/y]\n", "bad: [\n"},
	"overlays/a/Kustomization":           {"", "", "", "namespace: caas-a\n"},
	"overlays/a/web.yaml":                {"", policy, strings.Replace(policy, "web", "deny-all", 1), "x: [\n"},
	"overlays/b/kustomization.yaml":      {"namespace: caas-b\nresources: [../../base/x]\n", "namespace: caas-b\npatches: [{path: p.yaml}]\nresources: [../../base/x]\n", "resources: [../a]\nnamespace: caas-b\n"},
	"overlays/b/p.yaml":                  {"", policy, strings.Replace(policy, "[Ingress]", "[Egress]", 1), "[]\n"},
	"overlays/cluster/kustomization.yml": {"", "resources: [../../base/x]\n", "namePrefix: x\n"},
	"base/x/kustomization.yaml":          {"", "resources: [web.yaml]\n", "resources: [web]\n", "resources: [web.yaml]\nnamePrefix: x-\n"},
	"base/x/web.yaml":                    {"", policy, strings.Replace(policy, "[Ingress]", "[Egress]", 1)},
	"base/x/web/kustomization.yaml":      {"", "resources: [w.yaml]\n"},
	"base/x/web/w.yaml":                  {policy},
	"base/x/web":                         {"", "", "", policy},
	"base/y/kustomization.yaml":          {"", "kind: Component\nnamePrefix: y-\n", "namePrefix: y-\n"},
	"base/guard/kustomization.yaml":      {"", "resources: [g.yaml]\n", "resources: [g.yaml]\nreplacements:\n- source: {kind: NetworkPolicy, fieldPath: metadata.namespace}\n  targets: [{select: {kind: NetworkPolicy}, fieldPaths: [metadata.annotations.x], options: {create: true}}]\n"},
	"base/guard/g.yaml":                  {"", strings.Replace(policy, "web", "deny-all", 1), "kind: x\n"},
}

// TestReuseEqualsFresh edits a tree at random: a renderer that has seen every earlier state
// must say the same as one that sees the tree for the first time.
func TestReuseEqualsFresh(t *testing.T) {
	names := sortedKeys(edits)
	rapid.Check(t, func(t *rapid.T) {
		tree := fstest.MapFS{}
		set := func(name, data string) {
			delete(tree, name)
			if data != "" {
				tree[name] = &fstest.MapFile{Data: []byte(data), Mode: 0o644}
			}
		}
		for _, name := range names {
			set(name, rapid.SampledFrom(edits[name]).Draw(t, name))
		}
		old, err := New(Config{Workers: 2})
		require.NoError(t, err)
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			name := rapid.SampledFrom(names).Draw(t, "edited")
			set(name, rapid.SampledFrom(edits[name]).Draw(t, "content"))
			fresh, err := New(Config{})
			require.NoError(t, err)
			want, wantErr := fresh.Render(context.Background(), identified(tree))
			got, gotErr := old.Render(context.Background(), identified(tree))
			require.Equal(t, wantErr, gotErr)
			if wantErr == nil {
				require.Equal(t, whole(t, want), whole(t, got))
			}
		}
	})
}

func TestReuse(t *testing.T) {
	m := NewMetrics(nil)
	r, err := New(Config{Metrics: m})
	require.NoError(t, err)
	tree := small()
	tree["overlays/beta/kustomization.yaml"] = &fstest.MapFile{Data: []byte("namespace: caas-beta\n")}
	counts := func() [2]float64 {
		return [2]float64{testutil.ToFloat64(m.overlays.WithLabelValues(resultRendered)), testutil.ToFloat64(m.overlays.WithLabelValues(resultReused))}
	}
	renderTree := func(tree fs.FS) *Rendering {
		got, err := r.Render(context.Background(), tree)
		require.NoError(t, err)
		return got
	}
	renderTree(identified(tree))
	assert.Equal(t, [2]float64{2, 0}, counts())
	renderTree(identified(tree))
	assert.Equal(t, [2]float64{2, 2}, counts(), "nothing has changed")

	tree["overlays/acme/web.yaml"].Data = []byte(strings.Replace(policy, "[Ingress]", "[Egress]", 1))
	got := renderTree(identified(tree))
	assert.Equal(t, [2]float64{3, 3}, counts(), "one overlay has changed")
	assert.Equal(t, "map[podSelector:map[] policyTypes:[Egress]]", fmt.Sprint(got.Tenants[0].Objects[1].Object["spec"]))

	tree["overlays/beta/Kustomization"] = tree["overlays/beta/kustomization.yaml"]
	got = renderTree(identified(tree))
	require.Len(t, got.Problems, 1, "a file that was looked for in vain has appeared")
	assert.Contains(t, got.Problems[0].Message, "two kustomizations")

	delete(tree, "overlays/beta/Kustomization")
	before := counts()
	renderTree(tree)
	assert.Equal(t, [2]float64{before[0] + 2, before[1]}, counts(), "without identities nothing is reused")
}

// TestConcurrent renders many overlays on many workers, from several goroutines; it is for
// the race detector.
func TestConcurrent(t *testing.T) {
	tree := manyTenants(40)
	r, err := New(Config{Workers: 8})
	require.NoError(t, err)
	results := make([]string, 3)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			got, err := r.Render(context.Background(), tree)
			if assert.NoError(t, err) {
				results[i] = whole(t, got)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, results[0], results[1])
	assert.Equal(t, results[0], results[2])
	assert.NotContains(t, results[0], "problem")
	one, err := New(Config{Workers: 1})
	require.NoError(t, err)
	got, err := one.Render(context.Background(), tree)
	require.NoError(t, err)
	assert.Equal(t, results[0], whole(t, got))
}

// manyTenants is a repository of n tenants of five objects each: one of its own, the
// guard's, a base's two and a component's.
func manyTenants(n int) fstest.MapFS {
	tree := small()
	delete(tree, "overlays/acme/kustomization.yaml")
	delete(tree, "overlays/acme/web.yaml")
	add := func(name, text string) { tree[name] = &fstest.MapFile{Data: []byte(text)} }
	add("base/tenant/kustomization.yaml", "resources: [dns.yaml, db.yaml]\n")
	add("base/tenant/dns.yaml", strings.Replace(policy, "web", "dns", 1))
	add("base/tenant/db.yaml", strings.Replace(policy, "web", "db", 1))
	add("base/components/in/kustomization.yaml", "kind: Component\nresources: [in.yaml]\n")
	add("base/components/in/in.yaml", strings.Replace(policy, "web", "in", 1))
	for i := range n {
		dir := fmt.Sprintf("overlays/t%04d/", i)
		add(dir+"kustomization.yaml", fmt.Sprintf("namespace: caas-t%04d\nresources: [web.yaml, ../../base/tenant]\ncomponents: [../../base/components/in]\n", i))
		add(dir+"web.yaml", policy)
	}
	return identified(tree)
}

// BenchmarkRender measures a first render, and one after one overlay has changed.
func BenchmarkRender(b *testing.B) {
	for _, n := range []int{200, 1000} {
		tree := manyTenants(n)
		b.Run(fmt.Sprintf("first/%d", n), func(b *testing.B) {
			for b.Loop() {
				got := render(b, Config{}, tree)
				require.Len(b, got.Tenants, n)
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/float64(n), "ms/overlay")
		})
		b.Run(fmt.Sprintf("one-changed/%d", n), func(b *testing.B) {
			r, err := New(Config{})
			require.NoError(b, err)
			_, err = r.Render(context.Background(), tree)
			require.NoError(b, err)
			for i := 0; b.Loop(); i++ {
				f := *tree["overlays/t0001/web.yaml"]
				f.Sys = i
				tree["overlays/t0001/web.yaml"] = &f
				_, err := r.Render(context.Background(), tree)
				require.NoError(b, err)
			}
		})
	}
}
