package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const policy = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec: {podSelector: {}, policyTypes: [Ingress]}
`

// small is a tree of one tenant with a guard.
func small() fstest.MapFS {
	return archiveText(`
-- base/guard/kustomization.yaml --
resources: [deny.yaml]
-- base/guard/deny.yaml --
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny-all}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
-- overlays/acme/kustomization.yaml --
namespace: caas-acme
resources: [web.yaml]
-- overlays/acme/web.yaml --
` + policy)
}

func TestLinksAndSubmodulesAreNeverFollowed(t *testing.T) {
	link := func(to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
	}
	for _, c := range []struct {
		name, want string
		change     func(fstest.MapFS)
	}{
		{
			"file", `overlays/acme/kustomization.yaml:2:13: "web.yaml" is a symbolic link (overlays/acme/web.yaml), and those are never followed (hint: put the file itself there)`,
			func(m fstest.MapFS) {
				m["real.yaml"] = m["overlays/acme/web.yaml"]
				m["overlays/acme/web.yaml"] = link("../../real.yaml")
			},
		},
		{
			"folder on the way", `overlays/acme/kustomization.yaml:2:13: "web.yaml/../in/a.yaml" is a symbolic link (overlays/acme/in), and those are never followed (hint: put the file itself there)`,
			func(m fstest.MapFS) {
				m["real/a.yaml"] = m["overlays/acme/web.yaml"]
				m["overlays/acme/in"] = link("../../real")
				m["overlays/acme/kustomization.yaml"].Data = []byte("namespace: caas-acme\nresources: [web.yaml/../in/a.yaml]\n")
			},
		},
		{
			"kustomization", `overlays/acme/kustomization.yaml: "overlays/acme/kustomization.yaml" is a symbolic link (overlays/acme/kustomization.yaml), and those are never followed (hint: put the file itself there)`,
			func(m fstest.MapFS) {
				m["real.yaml"] = m["overlays/acme/kustomization.yaml"]
				m["overlays/acme/kustomization.yaml"] = link("../../real.yaml")
			},
		},
		{
			"overlay", `overlays/linked: "overlays/linked" is a symbolic link (overlays/linked), and those are never followed (hint: put the file itself there)`,
			func(m fstest.MapFS) { m["overlays/linked"] = link("acme") },
		},
		{
			"all overlays", `looking for overlays: "overlays" is a symbolic link (overlays), and those are never followed`,
			func(m fstest.MapFS) { m["overlays"] = link("elsewhere") },
		},
		{
			"submodule", `overlays/acme/kustomization.yaml:2:13: "web.yaml" is neither a file nor a folder; submodules are never followed (hint: copy its files into the repository)`,
			func(m fstest.MapFS) { m["overlays/acme/web.yaml"] = &fstest.MapFile{Mode: fs.ModeIrregular} },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := small()
			c.change(tree)
			r, err := New(Config{})
			require.NoError(t, err)
			got, err := r.Render(context.Background(), tree)
			if got == nil {
				require.EqualError(t, err, c.want)
				return
			}
			require.NoError(t, err)
			assert.Contains(t, summary(got), c.want)
		})
	}
}

func TestManyObjects(t *testing.T) {
	tree := small()
	var b strings.Builder
	for i := range 10_000 {
		b.WriteString("---\n" + strings.Replace(policy, "web", fmt.Sprintf("web-%d", i), 1))
	}
	tree["overlays/acme/web.yaml"].Data = []byte(b.String())
	got := render(t, Config{Limits: Limits{FileBytes: 100 << 20}}, tree)
	require.Len(t, got.Tenants, 1)
	assert.Equal(t, []Problem{{
		Overlay: "overlays/acme", File: "overlays/acme/kustomization.yaml", Line: 1,
		Message: "the overlay has 10000 objects, and the limit is 500", Hint: "split it, or raise limits.objectsPerTenant",
	}}, got.Tenants[0].Problems)
	assert.Len(t, got.Tenants[0].Objects, 1, "the guard alone")
}

// TestManyObjectsByOneFile has few objects in its files, and many once a base is used over
// and over.
func TestManyObjectsByOneFile(t *testing.T) {
	got := render(t, Config{Limits: Limits{ObjectsPerTenant: 7}}, diamonds(3))
	require.Len(t, got.Tenants, 1)
	assert.Equal(t, `overlays/acme/kustomization.yaml:1: the overlay has 8 objects, and the limit is 7 (hint: split it, or raise limits.objectsPerTenant)`, got.Tenants[0].Problems[0].Error())
}

// diamonds returns an overlay whose kustomizations use each other twice per level, 2^levels
// times the lowest.
func diamonds(levels int) fstest.MapFS {
	tree := small()
	add := func(dir, text string) {
		tree[dir+"/kustomization.yaml"] = &fstest.MapFile{Data: []byte(text)}
	}
	add("overlays/acme", "namespace: caas-acme\nresources: [../../base/d0a, ../../base/d0b]\n")
	for i := range levels {
		for _, side := range []string{"a", "b"} {
			text := fmt.Sprintf("namePrefix: %s\nresources: [../d%da, ../d%db]\n", side, i+1, i+1)
			if i == levels-1 {
				text = fmt.Sprintf("namePrefix: %s\nresources: [web.yaml]\n", side)
				tree[fmt.Sprintf("base/d%d%s/web.yaml", i, side)] = &fstest.MapFile{Data: []byte(policy)}
			}
			add(fmt.Sprintf("base/d%d%s", i, side), text)
		}
	}
	return tree
}

func TestRenderTime(t *testing.T) {
	tree := diamonds(20)
	tree["overlays/zulu/kustomization.yaml"] = &fstest.MapFile{Data: []byte("namespace: caas-zulu\n")}
	start := time.Now()
	got := render(t, Config{Limits: Limits{RenderTime: 300 * time.Millisecond}}, tree)
	assert.Less(t, time.Since(start), 20*time.Second)
	assert.Equal(t, `tenant caas-acme: overlays/acme
  object networking.k8s.io/v1/NetworkPolicy caas-acme/deny-all base/guard/deny.yaml:1 guard isolates(true,true)
  problem overlays/acme/kustomization.yaml:1: rendering takes longer than 300ms (hint: simplify it, or raise limits.renderTime)
tenant caas-zulu: overlays/zulu
  object networking.k8s.io/v1/NetworkPolicy caas-zulu/deny-all base/guard/deny.yaml:1 guard isolates(true,true)
`, summary(got))
}

func TestContextDone(t *testing.T) {
	r, err := New(Config{})
	require.NoError(t, err)
	why := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	_, err = r.Render(ctx, small())
	require.ErrorIs(t, err, why)
	_, err = r.Guard(ctx, small(), "caas-acme")
	require.ErrorIs(t, err, why)
}

func TestNothingToRender(t *testing.T) {
	r, err := New(Config{})
	require.NoError(t, err)
	_, err = r.Render(context.Background(), fstest.MapFS{"README.md": {}})
	require.ErrorIs(t, err, ErrNoOverlays)
	assert.EqualError(t, err, `looking for overlays: no overlay: no folder matches "overlays/*", and there is no "overlays/cluster"`)
}

// failing is a tree that cannot be read below a path.
type failing struct {
	fstest.MapFS
	below string
}

var errDisk = errors.New("the disk is gone")

func (f failing) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, f.below) {
		return nil, errDisk
	}
	return f.MapFS.Open(name)
}

func (f failing) Lstat(name string) (fs.FileInfo, error) {
	if strings.HasPrefix(name, f.below) {
		return nil, errDisk
	}
	return f.MapFS.Lstat(name)
}

func TestUnreadable(t *testing.T) {
	r, err := New(Config{})
	require.NoError(t, err)
	_, err = r.Render(context.Background(), failing{small(), "overlays"})
	require.ErrorIs(t, err, errDisk)

	got, err := r.Render(context.Background(), failing{small(), "overlays/acme/web"})
	require.NoError(t, err)
	assert.Contains(t, summary(got), `problem overlays/acme/kustomization.yaml:2:13: "web.yaml" cannot be read: the disk is gone`)
}

func TestRelativeNeverLooksRemote(t *testing.T) {
	for _, c := range []struct{ dir, to, want string }{
		{"a", "a/b.yaml", "./b.yaml"},
		{"a", "github.com/x", "../github.com/x"},
		{".", "github.com/x/y", "./github.com/x/y"},
		{"a/b", "a", ".."},
		{"a/b", "a/b", "."},
		{"a/b", ".", "../.."},
		{"a", "a/git@x:y", "./git@x:y"},
	} {
		got := relative(c.dir, c.to)
		assert.Equal(t, c.want, got)
		assert.True(t, strings.HasPrefix(got, "."), got)
	}
}

// FuzzRender feeds an overlay's files to the whole rendering: it must never panic, never
// hand on what breaks the rules, and say the same each time.
func FuzzRender(f *testing.F) {
	f.Add("namespace: caas-acme\nresources: [web.yaml]\n", policy)
	f.Add("namespace: caas-acme\nresources: [web.yaml]\npatches:\n- patch: |\n    - {op: remove, path: /spec}\n  target: {kind: NetworkPolicy}\n", policy)
	f.Add("resources: [web.yaml, https://example.com, ../.., .]\n", "a: &a [*a]\n")
	f.Add("namespace: kube-system\nresources: [web.yaml]\n", "---\n---\n- 1\n")
	f.Add("namePrefix: x\nresources: [web.yaml]\ncommonLabels: {a: b}\nreplacements: [{}]\n", policy+"---\n"+policy)
	f.Add("namespace: [\n", "apiVersion: v1\nkind: List\nitems: [{kind: NetworkPolicy}]\n")
	f.Add("namespace: caas-acme\nresources: [web.yaml]\nvars: [{name: A, objref: {kind: NetworkPolicy, name: web, apiVersion: networking.k8s.io/v1}}]\n", strings.Replace(policy, "web", "$(A)", 1))
	f.Add("namespace: caas-acme\nresources: [web.yaml]\n", "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: default.x}\nspec: {ingress: [null, {action: 3}], order: 1e400}\n")
	f.Fuzz(func(t *testing.T, kustomization, file string) {
		tree := small()
		tree["overlays/acme/kustomization.yaml"].Data = []byte(kustomization)
		tree["overlays/acme/web.yaml"].Data = []byte(file)
		cfg := Config{Limits: Limits{RenderTime: 2 * time.Second}}
		got := render(t, cfg, tree)
		for _, tenant := range got.Tenants {
			checkTenant(t, tenant)
		}
		if len(got.Tenants) == 0 && len(got.Problems) == 0 {
			t.Fatal("an overlay vanished without a problem")
		}
	})
}

// checkTenant holds a tenant against what doc.go guarantees.
func checkTenant(t *testing.T, tenant *Tenant) {
	t.Helper()
	names := map[objectKey]bool{}
	for _, o := range tenant.Objects {
		if o.GetKind() == "Namespace" {
			assert.Equal(t, tenant.Name, o.GetName())
		} else {
			assert.True(t, o.Kind.Namespaced, o.GetKind())
			assert.Equal(t, tenant.Name, o.GetNamespace())
		}
		assert.False(t, names[keyOf(o.Kind, o.GetName())], "twice: %s", o.GetName())
		names[keyOf(o.Kind, o.GetName())] = true
		assert.Equal(t, managedBy, o.GetLabels()[LabelManagedBy])
		assert.Equal(t, tenant.Name, o.GetLabels()[LabelTenant])
		assert.NotContains(t, o.GetAnnotations(), originAnnotation)
		if len(tenant.Problems) > 0 {
			assert.True(t, o.Guard, "a refused overlay's object %s", o.GetName())
		}
	}
}
