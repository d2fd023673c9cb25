package ringfence_test

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

var exampleTenants = []string{"caas-acme", "caas-globex", "caas-initech"}

// exampleLayout is what the tests need of ringfence.yaml; package config holds its whole.
type exampleLayout struct {
	Layout struct {
		Guard      string
		Namespaces []string
	}
}

// renderExample renders the embedded example with the layout of its own ringfence.yaml.
func renderExample(t *testing.T) *kustomize.Rendering {
	t.Helper()
	data, err := fs.ReadFile(ringfence.Example(), "ringfence.yaml")
	require.NoError(t, err)
	var layout exampleLayout
	require.NoError(t, yaml.Unmarshal(data, &layout))
	renderer, err := kustomize.New(kustomize.Config{Guard: layout.Layout.Guard, Namespaces: layout.Layout.Namespaces})
	require.NoError(t, err)
	rendering, err := renderer.Render(t.Context(), ringfence.Example())
	require.NoError(t, err)
	return rendering
}

func renderedTenant(t *testing.T, name string) *kustomize.Tenant {
	t.Helper()
	for _, tenant := range renderExample(t).Tenants {
		if tenant.Name == name {
			return tenant
		}
	}
	require.Fail(t, "no such tenant", name)
	return nil
}

// renderedPolicies returns the Kubernetes policies of a tenant, the guard's among them.
func renderedPolicies(t *testing.T, tenant string) (policies []networkingv1.NetworkPolicy) {
	t.Helper()
	for _, object := range renderedTenant(t, tenant).Objects {
		if object.Kind == kinds.NetworkPolicy {
			policies = append(policies, policyOf(t, object.Object))
		}
	}
	require.NotEmpty(t, policies)
	return policies
}

func policyOf(t *testing.T, object map[string]any) (policy networkingv1.NetworkPolicy) {
	t.Helper()
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object, &policy, true))
	return policy
}

// The example holds three tenants and a cluster overlay, and nothing of it is refused.
func TestExampleRenders(t *testing.T) {
	rendering := renderExample(t)
	assert.Empty(t, rendering.Problems)
	assert.Empty(t, rendering.Unplaced)
	var names []string
	for _, tenant := range rendering.Tenants {
		names = append(names, tenant.Name)
		assert.Empty(t, tenant.Problems, tenant.Name)
		var guard []string
		for _, object := range tenant.Objects {
			if object.Kind != kinds.Namespace {
				assert.Equal(t, tenant.Name, object.GetNamespace(), object.GetName())
			}
			if object.Guard {
				guard = append(guard, object.GetName())
			}
		}
		assert.Equal(t, kinds.Namespace, tenant.Objects[0].Kind, "%s has no Namespace", tenant.Name)
		assert.Equal(t, tenant.Name, tenant.Objects[0].GetName())
		assert.ElementsMatch(t, []string{"deny-all", "ringfence.other-tenants"}, guard, tenant.Name)
	}
	assert.Equal(t, exampleTenants, names)

	require.NotNil(t, rendering.Cluster)
	assert.Empty(t, rendering.Cluster.Problems)
	var cluster []string
	for _, object := range rendering.Cluster.Objects {
		assert.Empty(t, object.GetNamespace(), object.GetName())
		cluster = append(cluster, object.GetKind()+"/"+object.GetName())
	}
	assert.ElementsMatch(t, []string{
		"Tier/ringfence", "GlobalNetworkPolicy/ringfence.metadata-service", "GlobalNetworkPolicy/ringfence.unfenced",
	}, cluster)
}

// A tenant is a pull request that a person reads at a glance.
func TestOverlaysAreShort(t *testing.T) {
	total := map[string]int{}
	walkExample(t, func(name string, data []byte) {
		if folder, ok := strings.CutPrefix(name, "overlays/"); ok {
			total[path.Dir(folder)] += bytes.Count(data, []byte("\n"))
		}
	})
	assert.Len(t, total, 4)
	for overlay, lines := range total {
		assert.LessOrEqual(t, lines, 10, "overlays/%s is longer than 10 lines", overlay)
	}
}

// Every file begins with a comment that says why it is there; dashboards, as JSON, have a description.
func TestExampleFilesSayWhy(t *testing.T) {
	walkExample(t, func(name string, data []byte) {
		if matched, err := path.Match("base/ringfence/dashboards/*.json", name); err == nil && matched {
			return
		}
		assert.Equal(t, ".yaml", path.Ext(name), name)
		var comment []string
		for scanner := bufio.NewScanner(bytes.NewReader(data)); scanner.Scan() && strings.HasPrefix(scanner.Text(), "#"); {
			comment = append(comment, strings.TrimSpace(strings.TrimPrefix(scanner.Text(), "#")))
		}
		text := strings.Join(comment, " ")
		assert.Greater(t, len(strings.Fields(text)), 6, "%s does not begin with a comment that says why", name)
		assert.True(t, strings.HasSuffix(text, ".") || strings.HasSuffix(text, ")"), "%s: the comment does not end in a full stop: %q", name, text)
	})
}

// What is embedded is what a team copies: no file is there that a kustomization does not use.
func TestExampleFilesAreUsed(t *testing.T) {
	used := map[string]bool{"ringfence.yaml": true}
	rendering := renderExample(t)
	for _, tenant := range append(rendering.Tenants, rendering.Cluster) {
		for _, file := range tenant.Files {
			used[file] = true
		}
	}
	byHand := []string{"base/calico/install/", "base/ringfence/"} // applied beside the tenants, not by them
	walkExample(t, func(name string, _ []byte) {
		if !slices.ContainsFunc(byHand, func(folder string) bool { return strings.HasPrefix(name, folder) }) {
			assert.True(t, used[name], "%s is used by nobody", name)
		}
	})
}

func walkExample(t *testing.T, visit func(name string, data []byte)) {
	t.Helper()
	example := ringfence.Example()
	err := fs.WalkDir(example, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(example, name)
		visit(name, data)
		return err
	})
	require.NoError(t, err)
}
