package drift

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
