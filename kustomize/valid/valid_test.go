package valid

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// rules have a grammar of their own: what has a single = is no selector.
var rules = Config{TierPrefix: true, Selector: func(text string) error {
	if strings.Contains(text, " = ") {
		return errors.New("a single =")
	}
	return nil
}}

// typed reads one object, of the kind that it says.
func typed(t *testing.T, text []byte) any {
	t.Helper()
	var kind struct{ Kind string }
	require.NoError(t, yaml.Unmarshal(text, &kind))
	object := map[string]any{
		"NetworkPolicy": &calico.NetworkPolicy{}, "GlobalNetworkPolicy": &calico.GlobalNetworkPolicy{},
		"StagedNetworkPolicy": &calico.StagedNetworkPolicy{}, "StagedGlobalNetworkPolicy": &calico.StagedGlobalNetworkPolicy{},
		"StagedKubernetesNetworkPolicy": &calico.StagedKubernetesNetworkPolicy{},
		"NetworkSet":                    &calico.NetworkSet{}, "GlobalNetworkSet": &calico.GlobalNetworkSet{}, "Tier": &calico.Tier{},
		"HostEndpoint": &calico.HostEndpoint{},
	}[kind.Kind]
	require.NoError(t, yaml.UnmarshalStrict(text, object))
	return object
}

// What is said of each fault, and where. Which objects have any is shown against Calico in drift/reach/oracle/valid.
func TestFaults(t *testing.T) {
	text, err := os.ReadFile("testdata/faults.yaml")
	require.NoError(t, err)
	var rows []struct {
		Object map[string]any `json:"object"`
		Want   []string       `json:"want"`
	}
	require.NoError(t, yaml.UnmarshalStrict(text, &rows))
	for _, row := range rows {
		object, err := yaml.Marshal(row.Object)
		require.NoError(t, err)
		var got []string
		for _, fault := range rules.Calico(typed(t, object)) {
			steps := strings.TrimSpace(strings.ReplaceAll(fmt.Sprintln(fault.Path...), " ", "."))
			got = append(got, steps+" "+fault.Message)
		}
		assert.Equal(t, row.Want, got, "%s", object)
	}
}

func TestWithoutAGrammar(t *testing.T) {
	policy := &calico.NetworkPolicy{}
	policy.Name, policy.Spec.Selector = "p", "a = 'b'"
	assert.Empty(t, Config{}.Calico(policy))
	policy.Name, policy.Spec.Tier = "p", "security"
	assert.Empty(t, Config{}.Calico(policy), "from 3.32 on a name says nothing of the tier")
}
