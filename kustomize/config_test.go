package kustomize

import (
	"bytes"
	"context"
	"os"
	"testing"
	"testing/fstest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNewNamesEveryFault(t *testing.T) {
	_, err := New(Config{
		Tenants: "overlays/**", Cluster: "overlays/*", Guard: "/base", Namespaces: []string{"a[", ""},
		NamespaceLabels: []string{"[-]"}, TenantTiers: []string{"a.b", ""},
	})
	assert.EqualError(t, err, `checking the layout: layout.tenants: "overlays/**": "**" is not known; write one "*" for each folder
layout.cluster: "overlays/*" names one folder and cannot be a glob
layout.guard: "/base" is not a path relative to the repository, with slashes
layout.namespaces[0]: "a[": syntax error in pattern
layout.namespaces[1]: a glob cannot be empty
layout.namespaceLabels[0]: "[-]": syntax error in pattern
layout.tenantTiers[0]: "a.b" is not the name of a tier
layout.tenantTiers[1]: "" is not the name of a tier`)

	for _, folder := range []string{"../x", "a/../b", "./a", "a/", ".", "..", `a\b`} {
		_, err := New(Config{Guard: folder})
		require.Error(t, err, folder)
	}
	_, err = New(Config{Cluster: "x", Guard: "x"})
	require.EqualError(t, err, `checking the layout: layout.guard: "x" is the cluster overlay`)
}

func TestGuard(t *testing.T) {
	r, err := New(Config{})
	require.NoError(t, err)
	objects, err := r.Guard(context.Background(), small(), "caas-gone")
	require.NoError(t, err)
	require.Len(t, objects, 1)
	assert.Equal(t, "caas-gone", objects[0].GetNamespace())
	assert.Equal(t, map[string]string{LabelManagedBy: "ringfence", LabelTenant: "caas-gone"}, objects[0].GetLabels())
	assert.Equal(t, Origin{"base/guard/deny.yaml", 1}, objects[0].Origin)

	_, err = r.Guard(context.Background(), small(), "kube-system")
	require.ErrorContains(t, err, `the namespace "kube-system" can be no tenant's`)

	tree := small()
	tree["base/guard/deny.yaml"].Data = []byte("kind: x\n")
	_, err = r.Guard(context.Background(), tree, "caas-gone")
	var p Problem
	require.ErrorAs(t, err, &p)
	assert.Equal(t, "base/guard/deny.yaml", p.File)

	objects, err = r.Guard(context.Background(), fstest.MapFS{}, "caas-gone")
	require.NoError(t, err)
	assert.Empty(t, objects)
}

func TestWriteYAML(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/render/plain.txtar")
	require.NoError(t, err)
	got := render(t, configOf(t, archive), treeOf(archive))
	var b bytes.Buffer
	require.NoError(t, WriteYAML(&b, got.Tenants[0].Objects))
	if *update {
		require.NoError(t, os.WriteFile("testdata/plain.yaml", b.Bytes(), 0o644))
	}
	want, err := os.ReadFile("testdata/plain.yaml")
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String())
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	for _, result := range []string{resultRendered, resultReused, resultFailed} {
		assert.Zero(t, testutil.ToFloat64(m.overlays.WithLabelValues(result)), "there from the first scrape")
	}
	tree := small()
	tree["overlays/bad/kustomization.yaml"] = &fstest.MapFile{Data: []byte("x: y\n")}
	render(t, Config{Metrics: m}, tree)
	assert.InDelta(t, 1, testutil.ToFloat64(m.overlays.WithLabelValues(resultRendered)), 0)
	assert.InDelta(t, 1, testutil.ToFloat64(m.overlays.WithLabelValues(resultFailed)), 0)
	n, err := testutil.GatherAndCount(registry, "ringfence_render_seconds", "ringfence_render_overlays_total")
	require.NoError(t, err)
	assert.Equal(t, 4, n)
}
