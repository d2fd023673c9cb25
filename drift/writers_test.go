package drift

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/yaml"
)

func TestWriters(t *testing.T) {
	var cases []struct {
		Name     string                      `json:"name"`
		Managers []metav1.ManagedFieldsEntry `json:"managers"`
		Fields   []string                    `json:"fields"`
		Want     []string                    `json:"want"`
	}
	text, err := os.ReadFile("testdata/writers.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(text, &cases))
	require.NotEmpty(t, cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			u := &unstructured.Unstructured{Object: map[string]any{}}
			u.SetManagedFields(c.Managers)
			var fields []Field
			for _, path := range c.Fields {
				fields = append(fields, Field{Path: path})
			}
			got := []string{}
			for _, w := range writers(u, fields) {
				got = append(got, w.Name+" "+w.Operation)
			}
			assert.Equal(t, c.Want, got)
		})
	}
}

func TestSteps(t *testing.T) {
	assert.Equal(t, []string{"spec", "ingress", "ports", "port"}, steps("spec.ingress[0].ports[12].port"))
	assert.Equal(t, []string{"metadata", "labels", "a.b/c"}, steps(`metadata.labels["a.b/c"]`))
	assert.Equal(t, []string{"a", "b.c", "d"}, steps(`a["b.c"].d`))
	assert.Empty(t, steps(""))
	// Whatever join makes, steps reads.
	for _, key := range []string{"plain", "a.b", "a/b", "app.kubernetes.io/name", "", "with space"} {
		assert.Equal(t, []string{"metadata", key}, steps(join("metadata", key)), key)
	}
}

// What a manager holds is read as the API server's own library reads it.
func TestLeaves(t *testing.T) {
	many := 0
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom([]string{".", "f:a", "f:b", "f:a.b/c", `k:{"port":1}`, `k:{"port":2}`, `v:"x"`, "i:0"})
		fields := rapid.Just(map[string]any{})
		for range 4 {
			below := fields
			fields = rapid.Map(rapid.MapOfN(key, rapid.Map(below, toAny[map[string]any]), 0, 3), func(m map[string]any) map[string]any {
				if _, dot := m["."]; dot {
					m["."] = map[string]any{}
				}
				return m
			})
		}
		drawn := fields.Draw(t, "fields")
		delete(drawn, ".") // of nothing
		raw, err := json.Marshal(drawn)
		require.NoError(t, err)
		var set fieldpath.Set
		require.NoError(t, set.FromJSON(bytes.NewReader(raw)))
		var want, got []string
		set.Leaves().Iterate(func(p fieldpath.Path) {
			var names []string
			for _, element := range p {
				if element.FieldName != nil {
					names = append(names, *element.FieldName)
				}
			}
			want = append(want, strings.Join(names, "|"))
		})
		paths, ok := leaves(drawn, nil, nil)
		require.True(t, ok)
		for _, path := range paths {
			got = append(got, strings.Join(path, "|"))
		}
		require.ElementsMatch(t, want, got, "%s", raw)
		many = max(many, len(got))
	})
	assert.Greater(t, many, 3)
}
