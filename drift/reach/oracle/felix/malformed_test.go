package felix

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/drift/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// What an API server refuses is a problem to drift/reach, and nothing else is: kube-apiserver's validation of
// NetworkPolicy, and that of Calico's client, which stands behind Calico's API server.
func TestMalformed(t *testing.T) {
	for file, policies := range map[string]func(row any) []dict{
		"calico-rules.yaml":    func(row any) []dict { return inBoth(calicoPolicy, row, nil) },
		"calico-policies.yaml": func(row any) []dict { return []dict{calicoPolicy(row.(dict))} },
		"calico-global.yaml": func(row any) []dict {
			return []dict{object("projectcalico.org/v3", "GlobalNetworkPolicy", "", "p", nil, row.(dict))}
		},
		"calico-sets.yaml": func(row any) []dict {
			return []dict{object("projectcalico.org/v3", "NetworkSet", "x", "s", nil, row.(dict)), object("projectcalico.org/v3", "GlobalNetworkSet", "", "s", nil, row.(dict))}
		},
		"calico-tiers.yaml": func(row any) []dict {
			return []dict{object("projectcalico.org/v3", "Tier", "", "default", nil, row.(dict))}
		},
		"kubernetes-ports.yaml":    func(row any) []dict { return inBoth(kubernetesPolicy, row, []string{"ports", "ports"}) },
		"kubernetes-peers.yaml":    func(row any) []dict { return inBoth(kubernetesPolicy, row, []string{"from", "to"}) },
		"kubernetes-policies.yaml": func(row any) []dict { return []dict{kubernetesPolicy(row.(dict))} },
	} {
		text, err := os.ReadFile(filepath.Join("testdata", "malformed", file))
		require.NoError(t, err)
		var rows []any
		require.NoError(t, yaml.Unmarshal(text, &rows))
		refused, taken := 0, 0
		for _, row := range rows {
			for _, policy := range policies(row) {
				problems, refusal := judged(t, policy)
				assert.Equal(t, refusal != nil, len(problems) > 0, "%s: %v\nCalico: %v\ndrift/reach: %v", file, row, refusal, problems)
				if refusal != nil {
					refused++
				} else {
					taken++
				}
			}
		}
		assert.NotZero(t, refused, file)
		assert.NotZero(t, taken, file)
	}
}

func calicoPolicy(spec dict) dict {
	return object("projectcalico.org/v3", "NetworkPolicy", "x", "p", nil, spec)
}

func kubernetesPolicy(spec dict) dict {
	if spec["podSelector"] == nil {
		spec["podSelector"] = dict{}
	}
	return object("networking.k8s.io/v1", "NetworkPolicy", "x", "p", nil, spec)
}

// inBoth makes a policy for each direction with one rule, which is the row, or has it as the only item of a list.
func inBoth(policy func(spec dict) dict, row any, lists []string) []dict {
	var out []dict
	for i, direction := range []string{"ingress", "egress"} {
		rule := row
		if lists != nil {
			rule = dict{lists[i]: []any{row}}
		}
		out = append(out, policy(dict{direction: []any{rule}}))
	}
	return out
}

func judged(t *testing.T, policy dict) (problems []*reach.Problem, refusal error) {
	t.Helper()
	w, err := reach.New(reach.Config{Objects: []reach.Object{{Content: policy}}, WholeWorld: true})
	require.NoError(t, err)
	return w.Problems(), Validate(policy)
}

// Where drift/reach reports what no API server refuses.
func TestStricter(t *testing.T) {
	block := func(cidr string) dict {
		return kubernetesPolicy(dict{"ingress": []any{dict{"from": []any{dict{"ipBlock": dict{"cidr": cidr}}}}}})
	}
	nets := func(cidr string) dict {
		return calicoPolicy(dict{"ingress": []any{dict{"action": "Allow", "source": dict{"nets": []any{cidr}}}}})
	}
	for why, policies := range map[string][]dict{
		"Calico's conversion cannot read it, and lets the rule match every address (TestUnreadableBlock)": {block("010.0.0.0/8")},
		"nobody writes the number of bits so but by mistake":                                              {block("10.0.0.0/08"), nets("10.0.0.0/08")},
		"whether it means IPv4 or IPv6 differs from reader to reader":                                     {block("::ffff:10.0.0.0/104"), nets("::ffff:10.0.0.0/104")},
		"Calico's agent looks for the Service in no namespace (TestServiceWithoutNamespace)": {
			calicoPolicy(dict{"ingress": []any{dict{"action": "Allow", "source": dict{"services": dict{"name": "s"}}}}}),
		},
		"Calico's syncer crashes on it in a NetworkSet (updateprocessors/networksetprocessor.go)": {
			object("projectcalico.org/v3", "NetworkSet", "x", "s", nil, dict{"nets": []any{""}}),
		},
		"Calico looks for the text global() alone; with a space in it it selects everything all the same": {calicoPolicy(dict{"selector": "global( )"})},
	} {
		for _, policy := range policies {
			problems, refusal := judged(t, policy)
			require.NoError(t, refusal, why)
			assert.NotEmpty(t, problems, why)
		}
	}
}

// Where drift/reach does not report what Calico's API server refuses up to 3.31: a name without its tier. The lint says
// it, since later versions take it.
func TestNamesAreNotJudged(t *testing.T) {
	problems, refusal := judged(t, calicoPolicy(dict{"tier": "other"}))
	assert.ErrorContains(t, refusal, "Incorrectly formatted policy name")
	assert.Empty(t, problems)
}
