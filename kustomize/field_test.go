package kustomize

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Fields are found after rendering too: in bases, in lists of several objects, in patches, in the guard.
func TestField(t *testing.T) {
	tree := fstest.MapFS{}
	for name, text := range map[string]string{
		"base/guard/kustomization.yaml": "resources: [deny.yaml]\n",
		"base/guard/deny.yaml":          "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\nspec:\n  podSelector: {}\n",
		"base/app/kustomization.yaml":   "resources: [two.yaml]\n",
		"base/app/two.yaml": "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: one}\nspec:\n  podSelector: {}\n---\n" +
			"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: two}\nspec:\n  podSelector: {}\n  ingress:\n  - ports:\n    - {protocol: TCP, port: 80}\n",
		"overlays/acme/kustomization.yaml": "namespace: acme\nnamePrefix: my-\nresources: [../../base/app]\npatches: [path: patch.yaml]\n",
		"overlays/acme/patch.yaml":         "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: two}\nspec:\n  egress:\n  - {}\n",
	} {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	r, err := New(Config{})
	require.NoError(t, err)
	rendering, err := r.Render(t.Context(), tree)
	require.NoError(t, err)
	require.Len(t, rendering.Tenants, 1)
	objects := map[string]Object{}
	for _, o := range rendering.Tenants[0].Objects {
		objects[o.GetName()] = o
	}
	tests := []struct {
		object string
		way    []any
		want   string
	}{
		{"my-one", nil, "base/app/two.yaml:1:1"},
		{"my-one", []any{"spec", "podSelector"}, "base/app/two.yaml:5:3"},
		{"my-two", []any{"spec", "ingress", 0, "ports", 0, "port"}, "base/app/two.yaml:14:23"},
		{"my-two", []any{"spec", "ingress", 7}, "base/app/two.yaml:12:3"},
		{"my-two", []any{"spec", "egress", 0}, "overlays/acme/patch.yaml:6"},
		{"deny", []any{"spec", "podSelector", "x"}, "base/guard/deny.yaml:5:3"},
	}
	for _, tt := range tests {
		require.Contains(t, objects, tt.object)
		p := r.Field(tree, "overlays/acme", objects[tt.object], tt.way...)
		assert.Equal(t, tt.want+": ", p.Error(), fmt.Sprint(tt.object, tt.way))
		assert.Equal(t, "overlays/acme", p.Overlay)
	}
	assert.Equal(t, Problem{Overlay: "overlays/acme"}, r.Field(tree, "overlays/acme", Object{Unstructured: objects["deny"].Unstructured}))
}
