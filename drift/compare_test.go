package drift

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// comparison is one case of testdata/compare.
type comparison struct {
	Name string `json:"name"`
	// Git and Live are objects as they are written in YAML.
	Git  []map[string]any `json:"git"`
	Live []map[string]any `json:"live"`
	// Calico is the flavour; "" is of one that is not known.
	Calico string `json:"calico"`
	// Differences are the lines that describe must print.
	Differences []string `json:"differences"`
}

// What counts as a difference, and what does not: one file a topic.
func TestCompare(t *testing.T) {
	files, err := filepath.Glob("testdata/compare/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		for _, c := range readCases(t, file) {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml")+"/"+c.Name, func(t *testing.T) {
				ignored := func(o *Observed) bool { return BuiltIn(o, Flavour(c.Calico)) != "" }
				found, err := Compare(wantedOf(t, c.Git), observedOf(t, c.Live), ignored)
				require.NoError(t, err)
				assert.Equal(t, c.Differences, describe(found))
			})
		}
	}
}

func readCases(t *testing.T, file string) (cases []comparison) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(text, &cases), file)
	require.NotEmpty(t, cases, file)
	return cases
}

func describe(found []Difference) (lines []string) {
	for _, d := range found {
		line := string(d.Type) + " " + d.ID.String()
		for _, f := range d.Fields {
			line += fmt.Sprintf("; %s: want %s, got %s", f.Path, asJSON(f.Want), asJSON(f.Got))
		}
		lines = append(lines, line)
	}
	return lines
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func kindOf(t testing.TB, u *unstructured.Unstructured) kinds.Kind {
	t.Helper()
	k, ok := kinds.Find(u.GroupVersionKind().GroupKind())
	require.True(t, ok, "no guarded kind: %s", u.GroupVersionKind())
	return k
}

func wantedOf(t testing.TB, objects []map[string]any) (out []*Wanted) {
	t.Helper()
	for _, o := range objects {
		u := &unstructured.Unstructured{Object: o}
		out = append(out, NewWanted(kustomize.Object{Unstructured: u, Kind: kindOf(t, u)}))
	}
	return out
}

func observedOf(t testing.TB, objects []map[string]any) (out []*Observed) {
	t.Helper()
	for _, o := range objects {
		u := &unstructured.Unstructured{Object: o}
		out = append(out, &Observed{Unstructured: u, ID: IDOf(kustomize.Object{Unstructured: u, Kind: kindOf(t, u)})})
	}
	return out
}

func parse(t testing.TB, text string) map[string]any {
	t.Helper()
	var o map[string]any
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &o))
	return o
}

// The order of the live side, which comes out of maps, is not seen in the result.
func TestCompareOrderIsStable(t *testing.T) {
	var git, live []map[string]any
	for i := range 20 {
		git = append(git, parse(t, fmt.Sprintf(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: want-%02d, namespace: a}, spec: {podSelector: {}}}`, i)))
		live = append(live,
			parse(t, fmt.Sprintf(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: more-%02d, namespace: a}, spec: {podSelector: {}}}`, i)),
			parse(t, fmt.Sprintf(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: want-%02d, namespace: a, labels: {z: z, a: a, m: m}}, spec: {podSelector: {}}}`, i)))
	}
	wanted, observed := wantedOf(t, git), observedOf(t, live)
	var first []string
	for range 10 {
		rand.Shuffle(len(observed), func(i, j int) { observed[i], observed[j] = observed[j], observed[i] })
		found, err := Compare(wanted, observed, nil)
		require.NoError(t, err)
		if first == nil {
			first = describe(found)
			require.Len(t, first, 40)
			assert.Contains(t, first[0], "modified NetworkPolicy.networking.k8s.io a/want-00; metadata.labels: want null")
			assert.Equal(t, "extra NetworkPolicy.networking.k8s.io a/more-19", first[39])
		}
		assert.Equal(t, first, describe(found))
	}
}

// A comparison changes neither side: both are shared between goroutines.
func TestCompareChangesNothing(t *testing.T) {
	for _, file := range []string{"testdata/compare/kubernetes.yaml", "testdata/compare/calico.yaml"} {
		for _, c := range readCases(t, file) {
			before := asJSON(c.Git) + asJSON(c.Live)
			_, err := Compare(wantedOf(t, c.Git), observedOf(t, c.Live), nil)
			require.NoError(t, err)
			assert.Equal(t, before, asJSON(c.Git)+asJSON(c.Live), c.Name)
		}
	}
}

func TestSameAs(t *testing.T) {
	text := `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: n}, spec: {podSelector: {}}}`
	a, b := wantedOf(t, []map[string]any{parse(t, text)})[0], wantedOf(t, []map[string]any{parse(t, text)})[0]
	assert.True(t, a.SameAs(a))
	assert.True(t, a.SameAs(b))
	assert.False(t, a.SameAs(nil))
	other := wantedOf(t, []map[string]any{parse(t, strings.Replace(text, "name: a", "name: b", 1))})[0]
	assert.False(t, a.SameAs(other))
	opened := wantedOf(t, []map[string]any{parse(t, strings.Replace(text, "podSelector: {}", "podSelector: {}, ingress: [{}]", 1))})[0]
	assert.False(t, a.SameAs(opened))
}

func TestIDString(t *testing.T) {
	assert.Equal(t, "NetworkPolicy.networking.k8s.io a/b", ID{Kind: kinds.NetworkPolicy, Namespace: "a", Name: "b"}.String())
	assert.Equal(t, "Tier.projectcalico.org t", ID{Kind: kinds.Tier, Name: "t"}.String())
	assert.Equal(t, "Namespace n", ID{Kind: kinds.Namespace, Name: "n"}.String())
}
