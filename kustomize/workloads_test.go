package kustomize

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// What a policy test names is the tenant's, with the place where it is written; the guard's comes first.
func TestWorkloadsOfPolicyTests(t *testing.T) {
	test := func(name, workloads string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("# a comment\napiVersion: ringfence.dev/v1\nkind: PolicyTest\nmetadata: {name: " + name + "}\nspec: {workloads: {" + workloads + "}}\n")}
	}
	files := fstest.MapFS{
		"base/guard/kustomization.yaml": {Data: []byte("resources: [test.yaml]\n")},
		"base/guard/test.yaml":          test("z", `dns: {namespace: kube-system, labels: {k8s-app: kube-dns}}`),
		"overlays/a/kustomization.yaml": {Data: []byte("namespace: a\nresources: [test.yaml]\n")},
		"overlays/a/test.yaml":          test("app", `web: {labels: {app: web}}, db: {labels: {app: db}}`),
	}
	r, err := New(Config{})
	require.NoError(t, err)
	rendering, err := r.Render(t.Context(), files)
	require.NoError(t, err)
	require.Empty(t, rendering.Tenants[0].Problems)
	require.Equal(t, []Workload{
		{"dns", "kube-system", map[string]string{"k8s-app": "kube-dns"}, "z", Origin{"base/guard/test.yaml", 2}},
		{"db", "a", map[string]string{"app": "db"}, "app", Origin{"overlays/a/test.yaml", 2}},
		{"web", "a", map[string]string{"app": "web"}, "app", Origin{"overlays/a/test.yaml", 2}},
	}, rendering.Tenants[0].Workloads())
}
