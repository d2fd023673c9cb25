package kustomize

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// parts are lines that overlays may share; NS stands for the overlay's namespace, or for the one of the first overlay.
var parts = []string{
	"resources: [../../base/tenant]\n",
	"resources: [../../base/tenant, own.yaml]\n",
	"resources: [own.yaml]\ncomponents: [../../base/part]\n",
	"resources: [../../base/tenant]\nnamePrefix: NS-\n",
	"resources: [../../base/tenant]\nnamePrefix: x-\nlabels: [{pairs: {team: blue}, includeSelectors: true}]\n",
	"resources: [../../base/tenant]\nlabels: [{pairs: {tenant: NS}}]\n",
	"resources: [../../base/tenant]\npatches: [{target: {namespace: NS}, patch: '[{op: remove, path: /spec/policyTypes}]'}]\n",
	"resources: [../../base/tenant]\npatches: [{target: {name: tenant}, patch: '[{op: add, path: /metadata/labels, value: {a: b}}]'}]\n",
	"resources: [../../base/tenant]\npatches: [{path: own.yaml}]\n",
	"resources: [../../base/tenant]\npatches: [{patch: \"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web, namespace: \\\"N\\\\x53\\\"}, spec: {podSelector: {}}}\"}]\n",
	"resources: [../../base/tenant]\nreplacements: [{source: {kind: Namespace, fieldPath: metadata.name, options: {delimiter: '-', index: 0}}, targets: [{select: {kind: NetworkPolicy}, fieldPaths: [metadata.annotations.x], options: {create: true}}]}]\n",
	"resources: [../../base/twice]\n",
}

// owns are contents of an overlay's own file.
var owns = []string{
	policy,
	strings.Replace(policy, "name: web", "name: web, namespace: NS", 1),
	strings.Replace(policy, "name: web", "name: web, namespace: \"\\x63aas-b\"", 1),
	strings.Replace(policy, "name: web", "name: NS", 1),
	strings.Replace(policy, "name: web", "name: web, annotations: {about: "+templateNamespace+"}", 1),
	strings.Replace(policy, "[Ingress]", "[Egress]", 1),
}

// TestStencilEqualsRender renders overlays of a few kinds side by side: what is cut from a stencil is what kustomize makes
// of the overlay itself.
func TestStencilEqualsRender(t *testing.T) {
	cut, shared := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		tree := fstest.MapFS{}
		add := func(name, text string) { tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
		add("base/tenant/kustomization.yaml", "resources: [namespace.yaml, web.yaml]\n"+rapid.SampledFrom([]string{"", "namespace: caas-b\n", "namespace: tenant\n"}).Draw(t, "base"))
		add("base/tenant/namespace.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+rapid.SampledFrom([]string{"tenant", "caas-a"}).Draw(t, "name")+"}\n")
		add("base/tenant/web.yaml", policy)
		add("base/part/kustomization.yaml", "kind: Component\nresources: [part.yaml]\n")
		add("base/part/part.yaml", strings.Replace(policy, "name: web", "name: part", 1))
		add("base/twice/kustomization.yaml", "resources: [a.yaml, b.yaml]\n")
		add("base/twice/a.yaml", strings.Replace(policy, "name: web", "name: web, namespace: x", 1))
		add("base/twice/b.yaml", strings.Replace(policy, "name: web", "name: web, namespace: y", 1))
		folders := []string{"a", "b", "c"}
		for _, name := range folders {
			part := rapid.SampledFrom(parts[:rapid.IntRange(1, len(parts)).Draw(t, "few")]).Draw(t, name)
			own := rapid.SampledFrom(owns).Draw(t, name)
			means := rapid.SampledFrom([]string{"caas-" + name, "caas-a"}).Draw(t, "NS of "+name)
			add("overlays/"+name+"/kustomization.yaml", "namespace: caas-"+name+"\n"+strings.ReplaceAll(part, "NS", means))
			add("overlays/"+name+"/own.yaml", strings.ReplaceAll(own, "NS", means))
		}
		r, err := New(Config{})
		require.NoError(t, err)
		files, patterns := newTree(identified(tree), r.cfg.Limits), map[*Pattern]map[string]any{}
		for _, name := range folders {
			f := newPreflight(files)
			dir := "overlays/" + name
			f.overlay(dir, "")
			if len(f.problems) > 0 {
				continue
			}
			want, wantErr := build(context.Background(), f.served, dir, 0)
			got, gotErr := r.stencils.build(context.Background(), r, f, dir)
			require.Equal(t, fmt.Sprint(wantErr), fmt.Sprint(gotErr))
			for i, b := range got {
				if b.pattern != nil {
					like, known := patterns[b.pattern]
					if shared++; !known {
						like = placedIn(b.Unstructured, "")
						patterns[b.pattern] = like
					}
					require.Equal(t, like, placedIn(b.Unstructured, ""), "of one pattern")
				}
				got[i].pattern = nil
			}
			require.Equal(t, want, got, dir)
		}
		cut, shared = cut+len(r.stencils.known), shared-len(patterns)
	})
	assert.Positive(t, cut, "some were cut")
	assert.Positive(t, shared, "some have a pattern in common")
}

// Overlays of one kind are rendered once, and each of them says its own files and namespace.
func TestStencilOfManyTenants(t *testing.T) {
	r, err := New(Config{Workers: 4})
	require.NoError(t, err)
	got, err := r.Render(context.Background(), manyTenants(20))
	require.NoError(t, err)
	require.Len(t, r.stencils.known, 2, "the overlays' and the guard's")
	for i, tenant := range got.Tenants {
		namespace := fmt.Sprintf("caas-t%04d", i)
		require.Equal(t, namespace, tenant.Name)
		require.Len(t, tenant.Objects, 5)
		for _, o := range tenant.Objects {
			require.Equal(t, namespace, o.GetNamespace())
			if o.GetName() == "web" {
				require.Equal(t, fmt.Sprintf("overlays/t%04d/web.yaml", i), o.Origin.File)
			}
		}
	}
}
