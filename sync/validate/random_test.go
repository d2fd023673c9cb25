package validate

import (
	"encoding/json"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
)

// sound are objects that the API server accepts.
var sound = []string{
	`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: r, namespace: NS}, spec: {podSelector: {matchLabels: {app: x}, matchExpressions: [{key: a, operator: In, values: [b]}]}, policyTypes: [Ingress, Egress],
		ingress: [{from: [{podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{port: 80, endPort: 90, protocol: TCP}, {port: http}]}], egress: [{to: [{namespaceSelector: {}}]}]}}`,
	`{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: r, namespace: NS}, spec: {order: 1.5, selector: all(), types: [Ingress, Egress],
		ingress: [{action: Allow, protocol: TCP, ipVersion: 4, source: {nets: [10.0.0.0/8], ports: [80, "1:9"]}, icmp: {type: 8}, http: {methods: [GET], paths: [{exact: /x}]}}], egress: [{action: Deny, metadata: {annotations: {a: b}}}]}}`,
	`{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: r}, spec: {order: 10, defaultAction: Pass}}`,
	`{apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: r, namespace: NS}, spec: {nets: [10.0.0.0/8]}}`,
	`{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {name: r}, spec: {priority: 5, subject: {namespaces: {matchLabels: {a: b}}},
		ingress: [{name: x, action: Allow, from: [{namespaces: {}}], ports: [{portNumber: {protocol: TCP, port: 80}}, {portRange: {start: 1, end: 9}}]}], egress: [{action: Deny, to: [{pods: {namespaceSelector: {}, podSelector: {}}}]}]}}`,
	`{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: r}, spec: {tier: Admin, priority: 500, name: abc, port: http, weight: 3, rules: [{name: a, cidr: 10.0.0.0/8}, {name: b, domain: x, labels: {a: b}}]}}`,
}

// junk returns a value to be put somewhere.
func junk(t *rapid.T) any {
	return rapid.SampledFrom([]any{
		nil, true, "", "x", "X y", "Allow", "TCP", "Ingress", "10.0.0.0/8", "10.0.0.0/99", "fe80::/10", "80", "1:2", "9:1", int64(-1), int64(0), int64(1), int64(80), int64(70000),
		int64(1) << 40, 1.5,
		[]any{},
		[]any{"x"},
		[]any{"Ingress"},
		[]any{map[string]any{}},
		map[string]any{},
		map[string]any{"x": "y"},
		map[string]any{"a b": int64(1)},
	}).Draw(t, "junk")
}

// mutate changes one place of a value: takes something away, doubles it, names it otherwise, adds a field, or puts junk there.
func mutate(t *rapid.T, value any) any {
	switch v := value.(type) {
	case map[string]any:
		if len(v) > 0 && rapid.IntRange(0, 9).Draw(t, "deeper") > 1 {
			key := rapid.SampledFrom(slices.Sorted(maps.Keys(v))).Draw(t, "key")
			switch rapid.IntRange(0, 7).Draw(t, "do") {
			case 0:
				delete(v, key)
			case 1:
				v[key+"x"] = v[key]
				delete(v, key)
			default:
				v[key] = mutate(t, v[key])
			}
			return v
		}
	case []any:
		if len(v) > 0 && rapid.IntRange(0, 9).Draw(t, "deeper") > 1 {
			i := rapid.IntRange(0, len(v)-1).Draw(t, "item")
			switch rapid.IntRange(0, 5).Draw(t, "do") {
			case 0:
				return append(v[:i:i], v[i+1:]...)
			case 1:
				return append(v, v[i])
			default:
				v[i] = mutate(t, v[i])
			}
			return v
		}
	}
	if m, ok := value.(map[string]any); ok && rapid.Bool().Draw(t, "add") {
		m[rapid.SampledFrom([]string{"spec", "ports", "action", "color", "podSelector", "protocol", "name", "order"}).Draw(t, "new")] = junk(t)
		return m
	}
	return junk(t)
}

// without drops nulls, as rendering does.
func without(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, below := range v {
			if below == nil {
				delete(v, key)
				continue
			}
			v[key] = without(below)
		}
	case []any:
		for i := range v {
			v[i] = without(v[i])
		}
	}
	return value
}

// What schemas and rules say of an object without asking, against what the API server says of it: they refuse nothing that
// it accepts.
func TestAgainstTheServer(t *testing.T) {
	b := newBench(t)
	b.define()
	var refused, foreseen, accepted atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		u := b.want(rapid.SampledFrom(sound).Draw(rt, "sound")).DeepCopy()
		spec := map[string]any{"spec": u.Object["spec"]}
		if spec["spec"] == nil {
			delete(spec, "spec")
		}
		for range rapid.IntRange(0, 3).Draw(rt, "mutations") {
			if m, ok := mutate(rt, spec).(map[string]any); ok && m != nil {
				spec = m
			}
		}
		raw, err := json.Marshal(without(spec))
		require.NoError(rt, err)
		var body map[string]any
		require.NoError(rt, json.Unmarshal(raw, &body))
		for key, value := range body {
			u.Object[key] = value
		}
		if _, ok := body["spec"]; !ok {
			delete(u.Object, "spec")
		}
		raw, err = u.MarshalJSON()
		require.NoError(rt, err)
		again := &unstructured.Unstructured{}
		require.NoError(rt, again.UnmarshalJSON(raw))
		w := wanted(t, again)
		s, err := b.schemas.of(t.Context(), w.ID.Kind)
		require.NoError(rt, err)
		require.NotNil(rt, s.structural)
		faults := s.check(t.Context(), w)
		err = b.apply(t.Context(), w, b.namespace)
		switch {
		case err == nil && len(faults) > 0:
			rt.Fatalf("the API server accepts what is refused without asking:\n%s\n%v", raw, lines(faults))
		case err == nil:
			accepted.Add(1)
		case passing(err):
			rt.Fatalf("a refusal that is taken for none: %s\n%v", raw, err)
		default:
			require.NotEmpty(rt, faultsOf(w, err))
			if refused.Add(1); len(faults) > 0 {
				foreseen.Add(1)
			}
		}
	})
	t.Logf("random objects: %d accepted, none of which is refused without asking; %d refused, of which %d without asking", accepted.Load(), refused.Load(), foreseen.Load())
	if !t.Failed() {
		require.Positive(t, accepted.Load())
		require.Positive(t, foreseen.Load())
	}
}
