package kustomize

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

func TestIsolates(t *testing.T) {
	calicoPolicy, _ := kinds.Find(calicoNetworkPolicy)
	staged, _ := kinds.Find(calicoKind("StagedNetworkPolicy"))
	for _, c := range []struct {
		kind            kinds.Kind
		spec            string
		ingress, egress bool
	}{
		{kinds.NetworkPolicy, "{podSelector: {}, policyTypes: [Ingress, Egress]}", true, true},
		{kinds.NetworkPolicy, "{podSelector: {}}", true, false},
		{kinds.NetworkPolicy, "{podSelector: {matchLabels: {}}, policyTypes: [Egress]}", false, true},
		{kinds.NetworkPolicy, "{podSelector: {matchLabels: {a: b}}, policyTypes: [Ingress]}", false, false},
		{kinds.NetworkPolicy, "{podSelector: {matchExpressions: [{key: a, operator: Exists}]}}", false, false},
		{kinds.NetworkPolicy, "{podSelector: {}, policyTypes: [Ingress, Egress], egress: [{}]}", true, false},
		{kinds.NetworkPolicy, "{podSelector: {}, ingress: [{}]}", false, false},
		{calicoPolicy, "{types: [Ingress, Egress]}", true, true},
		{calicoPolicy, "{selector: ' all( ) ', types: [Egress]}", false, true},
		{calicoPolicy, "{}", true, false},
		{calicoPolicy, "{egress: [{action: Allow}]}", false, false},
		{calicoPolicy, "{selector: a == 'b', types: [Ingress]}", false, false},
		{calicoPolicy, "{tier: security, types: [Ingress]}", false, false},
		{calicoPolicy, "{serviceAccountSelector: has(x), types: [Ingress]}", false, false},
		{staged, "{types: [Ingress, Egress]}", false, false},
	} {
		var spec map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(c.spec), &spec))
		o := Object{Kind: c.kind, Unstructured: &unstructured.Unstructured{Object: map[string]any{"spec": spec}}}
		ingress, egress := o.Isolates()
		assert.Equal(t, [2]bool{c.ingress, c.egress}, [2]bool{ingress, egress}, "%s %s", c.kind.Kind, c.spec)
	}
}
