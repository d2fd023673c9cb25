package ringfence_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ringfence/ringfence/kustomize"
)

// The mistakes of the published guide, as checks: each finds its own in article_test.go, which
// rebuilds them, and nothing in the example.
var mistakes = []struct {
	name  string
	check func(t *testing.T, policy networkingv1.NetworkPolicy) (found []string)
}{
	{"special ranges stay reachable", specialStaysReachable},
	{"types are not written", typesNotWritten},
	{"egress names no peer", egressWithoutPeer},
	{"ingress names no peer", ingressWithoutPeer},
}

func TestMistakesOfTheArticle(t *testing.T) {
	objects, err := documents([]byte(articlePolicies))
	require.NoError(t, err)
	for _, mistake := range mistakes {
		t.Run(mistake.name, func(t *testing.T) {
			var found []string
			for _, object := range objects {
				found = append(found, mistake.check(t, policyOf(t, object))...)
			}
			require.NotEmpty(t, found, "the check does not find the mistake where it is")
			for _, tenant := range exampleTenants {
				for _, policy := range renderedPolicies(t, tenant) {
					assert.Empty(t, mistake.check(t, policy), "%s/%s", tenant, policy.Name)
				}
			}
		})
	}
}

// The fifth: a key twice in one mapping, which loses the first silently.
func TestNoKeyTwice(t *testing.T) {
	_, err := documents([]byte(articleDuplicateKey))
	require.ErrorContains(t, err, `mapping key "port" already defined`)
	walkExample(t, func(name string, data []byte) {
		_, err := documents(data)
		assert.NoError(t, err, name)
	})
}

// What the mistake lost: the queue is open to the manager on all four of its ports, and so is
// the manager's side.
func TestEveryPortOfTheQueue(t *testing.T) {
	want := []int{5671, 5672, 15671, 15672}
	for _, tenant := range exampleTenants {
		queue := policyNamed(t, tenant, "rabbitmq").Spec.Ingress
		require.Len(t, queue, 1)
		assert.Equal(t, want, portNumbers(t, queue[0].Ports))
		manager := policyNamed(t, tenant, "cloudify-manager").Spec.Egress
		require.Len(t, manager, 2)
		assert.Equal(t, want, portNumbers(t, manager[1].Ports))
	}
}

func policyNamed(t *testing.T, tenant, name string) networkingv1.NetworkPolicy {
	t.Helper()
	policies := renderedPolicies(t, tenant)
	i := slices.IndexFunc(policies, func(p networkingv1.NetworkPolicy) bool { return p.Name == name })
	require.GreaterOrEqual(t, i, 0, "%s has no policy %s", tenant, name)
	return policies[i]
}

func specialStaysReachable(t *testing.T, policy networkingv1.NetworkPolicy) (found []string) {
	t.Helper()
	open := reachable(t, []networkingv1.NetworkPolicy{policy})
	for _, r := range specialRanges {
		s := spanOf(netip.MustParsePrefix(r.cidr))
		if !slices.Equal(s.minus(open), []span{s}) {
			found = append(found, r.cidr)
		}
	}
	return found
}

// typesNotWritten also wants both types of the pods of which the guide says "no egress".
func typesNotWritten(_ *testing.T, policy networkingv1.NetworkPolicy) (found []string) {
	types := policy.Spec.PolicyTypes
	if len(types) == 0 {
		found = append(found, policy.Name+" has no policyTypes")
	}
	if slices.Contains([]string{"deny-all", "postgres", "rabbitmq"}, policy.Name) && len(types) != 2 {
		found = append(found, policy.Name+" does not close both directions")
	}
	return found
}

func egressWithoutPeer(_ *testing.T, policy networkingv1.NetworkPolicy) (found []string) {
	for i, rule := range policy.Spec.Egress {
		found = append(found, looseIn(fmt.Sprintf("egress[%d]", i), rule.To)...)
	}
	return found
}

func ingressWithoutPeer(_ *testing.T, policy networkingv1.NetworkPolicy) (found []string) {
	for i, rule := range policy.Spec.Ingress {
		found = append(found, looseIn(fmt.Sprintf("ingress[%d]", i), rule.From)...)
	}
	return found
}

// looseIn returns the peers that are anyone, a whole namespace, or a namespace by a label that
// people can set.
func looseIn(rule string, peers []networkingv1.NetworkPolicyPeer) (found []string) {
	if len(peers) == 0 {
		return []string{rule + " names no peer"}
	}
	for _, peer := range peers {
		switch {
		case peer.IPBlock != nil:
		case peer.PodSelector == nil || len(peer.PodSelector.MatchLabels) == 0:
			found = append(found, rule+" names no pods")
		case peer.NamespaceSelector != nil && peer.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] == "":
			found = append(found, rule+" does not name the namespace")
		}
	}
	return found
}

func portNumbers(t *testing.T, ports []networkingv1.NetworkPolicyPort) (numbers []int) {
	t.Helper()
	for _, port := range ports {
		require.NotNil(t, port.Port)
		numbers = append(numbers, port.Port.IntValue())
	}
	return numbers
}

// documents decodes each document of a file; a key that is there twice is an error.
func documents(data []byte) (objects []map[string]any, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var object map[string]any
		switch err := decoder.Decode(&object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("decoding document %d: %w", len(objects)+1, err)
		}
		objects = append(objects, object)
	}
}

// The guard's Calico policy holds whatever an overlay says: it is asked first, tells the own
// namespace from other tenants by what no user can set, and has a verdict for everything.
func TestGuardAgainstOtherTenants(t *testing.T) {
	for _, tenant := range exampleTenants {
		objects := renderedTenant(t, tenant).Objects
		i := slices.IndexFunc(objects, func(o kustomize.Object) bool { return o.GetName() == "ringfence.other-tenants" })
		require.GreaterOrEqual(t, i, 0, tenant)
		assert.True(t, objects[i].Guard, tenant)
		assert.Equal(t, map[string]any{
			"tier":     "ringfence",
			"order":    int64(100),
			"selector": "all()",
			"types":    []any{"Ingress", "Egress"},
			"ingress":  guardRules("source"),
			"egress":   guardRules("destination"),
		}, objects[i].Object["spec"], tenant)
	}
}

func guardRules(side string) []any {
	const pods = `projectcalico.org/orchestrator == "k8s"`
	return []any{
		map[string]any{"action": "Pass", side: map[string]any{"selector": pods}},
		map[string]any{"action": "Deny", side: map[string]any{
			"namespaceSelector": `projectcalico.org/name starts with "caas-"`, "selector": pods,
		}},
		map[string]any{"action": "Pass"},
	}
}

// A tenant's policies name the prefix of tenants' namespaces in three places; it is the layout's.
func TestTenantsPrefixIsTheSameEverywhere(t *testing.T) {
	count := 0
	walkExample(t, func(name string, data []byte) {
		for line := range strings.Lines(string(data)) {
			if strings.Contains(line, "starts with") && !strings.HasPrefix(line, "#") {
				count++
				assert.Contains(t, line, `projectcalico.org/name starts with "caas-"`, name)
			}
		}
	})
	assert.Equal(t, 3, count)
}
