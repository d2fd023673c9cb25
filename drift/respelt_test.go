package drift

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Where both spellings of a name are one, what stands under the other one is no other object.
func TestRespelt(t *testing.T) {
	const spec = "spec: {tier: default, types: [Ingress]}"
	policy := func(name, more string) map[string]any {
		return parse(t, "{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: "+name+", namespace: a}, "+spec[:len(spec)-1]+more+"}}")
	}
	for _, c := range []struct {
		name      string
		spellings bool
		git, live []map[string]any
		want      []string
	}{
		{
			"the name alone", true,
			[]map[string]any{policy("p", "")},
			[]map[string]any{policy("default.p", "")},
			[]string{`modified NetworkPolicy.projectcalico.org a/p; metadata.name: want "p", got "default.p"`},
		},
		{
			"and a field", true,
			[]map[string]any{policy("default.p", "")},
			[]map[string]any{policy("p", ", order: 5")},
			[]string{`modified NetworkPolicy.projectcalico.org a/default.p; metadata.name: want "default.p", got "p"; spec.order: want null, got 5`},
		},
		{
			"Git has both", true,
			[]map[string]any{policy("p", ""), policy("default.p", "")},
			[]map[string]any{policy("p", "")},
			[]string{"missing NetworkPolicy.projectcalico.org a/default.p"},
		},
		{
			"both are there", true,
			[]map[string]any{policy("p", "")},
			[]map[string]any{policy("p", ""), policy("default.p", "")},
			[]string{"extra NetworkPolicy.projectcalico.org a/default.p"},
		},
		{
			"two objects, as definitions serve them", false,
			[]map[string]any{policy("p", "")},
			[]map[string]any{policy("default.p", "")},
			[]string{"missing NetworkPolicy.projectcalico.org a/p", "extra NetworkPolicy.projectcalico.org a/default.p"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(calicoPolicies, func(string) {})
			s.spellings = c.spellings
			var live []*Observed
			for _, o := range c.live {
				live = append(live, s.observe(&unstructured.Unstructured{Object: o}, time.Time{}))
			}
			found, err := Compare(wantedOf(t, c.git), live, nil)
			require.NoError(t, err)
			assert.Equal(t, c.want, describe(found))
		})
	}
}
