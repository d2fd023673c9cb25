package drift

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// What may be written while other kinds cannot be seen.
func TestNarrower(t *testing.T) {
	const (
		denyAll = `{podSelector: {}, policyTypes: [Ingress, Egress]}`
		web     = `{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{ports: [{port: 443}]}, {from: [{podSelector: {}}]}]}`
	)
	for _, c := range []struct {
		name, want, live string
		narrower         bool
	}{
		{"isolation that is gone", denyAll, "", true},
		{"an allowance that is gone", web, "", false},
		{"isolation opened by a rule", denyAll, `{podSelector: {}, policyTypes: [Ingress, Egress], egress: [{}]}`, true},
		{"isolation in one direction", denyAll, `{podSelector: {}, policyTypes: [Ingress]}`, true},
		{"isolation in one direction, with rules that mean nothing yet", denyAll, `{podSelector: {}, policyTypes: [Ingress], egress: [{}]}`, false},
		{"isolation of some", denyAll, `{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress]}`, true},
		{"isolation of some, and opened", denyAll, `{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress], egress: [{}]}`, false},
		{"a rule more", web, `{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}, {}, {ports: [{port: 443, protocol: TCP}]}]}`, true},
		{"a rule less", web, `{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{ports: [{port: 443, protocol: TCP}]}]}`, false},
		{"a wider rule in the place of two", web, `{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{}]}`, false},
		{"other pods", web, `{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{ports: [{port: 443}]}, {from: [{podSelector: {}}]}]}`, false},
		{"more pods", web, `{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 443}]}, {from: [{podSelector: {}}]}]}`, false},
		{"more pods, with a rule, over isolation of some", `{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}`, `{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}`, false},
		{"more isolation than is wanted", web, `{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress], ingress: [{ports: [{port: 443}]}, {from: [{podSelector: {}}]}]}`, false},
		{"equal", web, web, true},
		{"types that follow from the rules", `{podSelector: {}, egress: [{}]}`, `{podSelector: {}, egress: [{}, {ports: [{port: 1}]}], policyTypes: [Ingress, Egress]}`, true},
		{"an unknown field", denyAll, `{podSelector: {}, policyTypes: [Ingress, Egress], egress: [{}], sieve: 1}`, false},
		{"an unknown field in Git", `{podSelector: {}, policyTypes: [Ingress, Egress], sieve: 1}`, "", false},
		{"of another type", denyAll, `{podSelector: all, policyTypes: [Ingress, Egress]}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := policyOf(t, c.want)
			if c.live == "" {
				assert.Equal(t, c.narrower, Narrower(want, nil))
				return
			}
			live := policyOf(t, c.live).Unstructured
			assert.Equal(t, c.narrower, Narrower(want, live))
			live.SetFinalizers([]string{"example.com/stay"})
			assert.False(t, Narrower(want, live), "it would be made anew")
		})
	}
	set := &Wanted{ID: ID{Kind: kinds.Tier}}
	assert.False(t, Narrower(set, nil), "another kind")
	hangs := policyOf(t, denyAll)
	hangs.SetFinalizers([]string{"example.com/stay"})
	assert.False(t, Narrower(hangs, nil))
}

func policyOf(t *testing.T, spec string) *Wanted {
	t.Helper()
	u := &unstructured.Unstructured{Object: parse(t, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: n}, spec: `+spec+`}`)}
	return NewWanted(kustomize.Object{Unstructured: u, Kind: kinds.NetworkPolicy})
}
