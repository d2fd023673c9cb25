package exposure

import (
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// trial is one case of testdata.
type trial struct {
	Name string `json:"name"`
	// Namespace is the scene's; "" for the cluster-scoped objects.
	Namespace string `json:"namespace"`
	// Git and Live are what both sides hold there.
	Git  []map[string]any `json:"git"`
	Live []map[string]any `json:"live"`
	// Cluster is what the cluster overlay says.
	Cluster []map[string]any `json:"cluster"`
	// Namespaces are those of the cluster, with their labels.
	Namespaces map[string]map[string]string `json:"namespaces"`
	// Tenants are the other tenants: every object by its namespace.
	Tenants []map[string]any `json:"tenants"`
	// Want are the lines of describe.
	Want []string `json:"want"`
}

func TestJudge(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var trials []trial
		require.NoError(t, yaml.UnmarshalStrict(text, &trials), file)
		require.NotEmpty(t, trials)
		for _, c := range trials {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml")+"/"+c.Name, func(t *testing.T) {
				scene, found := c.scene(t)
				_, err := New().Judge(scene, found)
				require.NoError(t, err)
				require.NotEmpty(t, c.Want)
				assert.Equal(t, c.Want, describe(found))
			})
		}
	}
}

func (c trial) scene(t testing.TB) (*Scene, []drift.Difference) {
	t.Helper()
	git := wantedOf(t, c.Git)
	found, err := drift.Compare(git, observedOf(t, c.Live), nil)
	require.NoError(t, err)
	tenants := map[string][]*drift.Wanted{}
	for _, w := range wantedOf(t, c.Tenants) {
		tenants[w.GetNamespace()] = append(tenants[w.GetNamespace()], w)
	}
	return &Scene{
		Network:   Network{PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		Namespace: c.Namespace, Wanted: git, Cluster: wantedOf(t, c.Cluster),
		Namespaces: drift.NewNamespaces(c.Namespaces), Tenants: sorted(tenants),
	}, found
}

func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}

func describe(found []drift.Difference) (lines []string) {
	for _, d := range found {
		lines = append(lines, string(d.Type)+" "+d.ID.String()+": "+string(d.Effect))
		for _, c := range d.Exposure.Opens {
			lines = append(lines, "+ "+c.String())
		}
		for _, c := range d.Exposure.Closes {
			lines = append(lines, "- "+c.String())
		}
		for _, c := range d.Exposure.Unsure {
			lines = append(lines, "? "+c.String())
		}
	}
	return lines
}

func unstructuredOf(t testing.TB, content map[string]any) (*unstructured.Unstructured, kinds.Kind) {
	t.Helper()
	u := &unstructured.Unstructured{Object: content}
	asked := u.GroupVersionKind().GroupKind()
	kept := asked.Group == kinds.GroupStored
	if kept {
		asked.Group = kinds.GroupCalico
	}
	k, ok := kinds.Find(asked)
	if kept {
		k, ok = kinds.Stored(k)
	}
	require.True(t, ok, "%v", u.GroupVersionKind())
	return u, k
}

func wantedOf(t testing.TB, contents []map[string]any) (out []*drift.Wanted) {
	t.Helper()
	for _, content := range contents {
		u, k := unstructuredOf(t, content)
		out = append(out, drift.NewWanted(kustomize.Object{Unstructured: u, Kind: k}))
	}
	return out
}

func observedOf(t testing.TB, contents []map[string]any) (out []*drift.Observed) {
	t.Helper()
	for _, content := range contents {
		u, k := unstructuredOf(t, content)
		id := drift.ID{Kind: k, Name: u.GetName()}
		if k.Namespaced {
			id.Namespace = u.GetNamespace()
		}
		out = append(out, &drift.Observed{Unstructured: u, ID: id})
	}
	return out
}

// What one tenant was told holds for its twin, with its own name; what differs in anything else is asked anew.
func TestMemory(t *testing.T) {
	judge := New()
	exposed := map[string]string{}
	for _, name := range []string{"caas-acme", "caas-twin"} {
		c := trial{
			Namespace: name, Namespaces: map[string]map[string]string{"caas-acme": {}, "caas-twin": {}, "kube-system": {}},
			Git: []map[string]any{policy(name, "deny-all", nil)}, Live: []map[string]any{policy(name, "deny-all", []any{map[string]any{}})},
		}
		scene, found := c.scene(t)
		together, err := judge.Judge(scene, found)
		require.NoError(t, err)
		require.Equal(t, drift.Opens, together.Effect())
		exposed[name] = strings.Join(describe(found), "\n")
	}
	assert.Equal(t, exposed["caas-twin"], strings.ReplaceAll(exposed["caas-acme"], "caas-acme", "caas-twin"))
	assert.Len(t, judge.memory.answers.values, 1, "the twin was judged from memory")

	c := trial{Namespace: "caas-acme", Git: []map[string]any{policy("caas-acme", "deny-all", nil)}, Live: []map[string]any{}}
	scene, found := c.scene(t)
	_, err := judge.Judge(scene, found)
	require.NoError(t, err)
	assert.Len(t, judge.memory.answers.values, 2)
}

func policy(namespace, name string, ingress any) map[string]any {
	spec := map[string]any{"podSelector": map[string]any{}, "policyTypes": []any{"Ingress", "Egress"}}
	if ingress != nil {
		spec["ingress"] = ingress
	}
	return map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"metadata": map[string]any{"namespace": namespace, "name": name, "labels": map[string]any{kustomize.LabelTenant: namespace}}, "spec": spec,
	}
}

func BenchmarkJudge(b *testing.B) {
	for _, name := range []string{"fresh", "remembered"} {
		b.Run(name, func(b *testing.B) {
			spaces := map[string]map[string]string{}
			for i := range 1000 {
				spaces["caas-"+strings.Repeat("x", i%7)+string(rune('a'+i%26))] = map[string]string{"n": "x"}
			}
			git := []map[string]any{policy("caas-acme", "deny-all", nil)}
			for _, app := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
				p := policy("caas-acme", app, []any{map[string]any{"from": []any{map[string]any{"podSelector": map[string]any{"matchLabels": map[string]any{"app": "x" + app}}}}}})
				p["spec"].(map[string]any)["podSelector"] = map[string]any{"matchLabels": map[string]any{"app": app}}
				git = append(git, p)
			}
			c := trial{Namespace: "caas-acme", Namespaces: spaces, Git: git, Live: append([]map[string]any{policy("caas-acme", "deny-all", []any{map[string]any{}})}, git[1:]...)}
			scene, found := c.scene(b)
			judge := New()
			for b.Loop() {
				if name == "fresh" {
					judge = New()
				}
				_, err := judge.Judge(scene, found)
				require.NoError(b, err)
			}
		})
	}
}

// Where there are more kinds of tenants than are looked at, nothing is said to be harmless.
func TestManyKindsOfTenants(t *testing.T) {
	tier := func(order float64) map[string]any {
		return map[string]any{"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": map[string]any{"name": "t"}, "spec": map[string]any{"order": order, "defaultAction": "Pass"}}
	}
	for tenants, want := range map[int]drift.Effect{templates: drift.None, templates + 1: drift.EffectUnknown} {
		c := trial{Git: []map[string]any{tier(1)}, Live: []map[string]any{tier(2)}, Namespaces: map[string]map[string]string{}}
		for i := range tenants {
			name := fmt.Sprintf("caas-%03d", i)
			c.Namespaces[name] = map[string]string{}
			c.Tenants = append(c.Tenants, policy(name, fmt.Sprint("deny-", i), nil))
		}
		scene, found := c.scene(t)
		_, err := New().Judge(scene, found)
		require.NoError(t, err)
		assert.Equal(t, want, found[0].Effect, "%d tenants", tenants)
	}
}
