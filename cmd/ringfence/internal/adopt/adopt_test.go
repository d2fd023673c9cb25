package adopt

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync"
)

func calico(t *testing.T, kind string) kinds.Kind {
	t.Helper()
	k, ok := kinds.Find(schema.GroupKind{Group: kinds.GroupCalico, Kind: kind})
	require.True(t, ok)
	return k
}

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &u.Object))
	return u
}

// What the server and other tools have added to an object does not come into Git; what people wrote does.
func TestClean(t *testing.T) {
	added := `uid: a, resourceVersion: "1", generation: 3, creationTimestamp: "2026-01-01T00:00:00Z", namespace: caas-acme, managedFields: [{manager: m}], finalizers: [a/b]`
	for name, test := range map[string]struct {
		kind       kinds.Kind
		live, want string
	}{
		"Kubernetes": {kinds.NetworkPolicy, `
metadata: {name: web, ` + added + `, labels: {team: web, app.kubernetes.io/managed-by: Helm, app.kubernetes.io/instance: x, kustomize.toolkit.fluxcd.io/name: tenants, ringfence.dev/tenant: z},
  annotations: {note: why, kubectl.kubernetes.io/last-applied-configuration: "{}", argocd.argoproj.io/tracking-id: x}}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}
status: {conditions: []}`, `
metadata: {name: web, labels: {team: web}, annotations: {note: why}}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}`},
		"Calico": {calico(t, "NetworkPolicy"), `
metadata: {name: default.web, labels: {projectcalico.org/tier: default}}
spec: {tier: default, order: 5, types: [Ingress], ingress: [{action: Allow, source: {}, destination: {ports: [80]}}, {action: Deny, source: {}, destination: {}}]}`, `
metadata: {name: default.web}
spec: {order: 5, types: [Ingress], ingress: [{action: Allow, destination: {ports: [80]}}, {action: Deny}]}`},
		"a set is found by its labels": {calico(t, "NetworkSet"), `
metadata: {name: partners, labels: {app.kubernetes.io/instance: x, helm.sh/chart: c}}
spec: {nets: [192.0.2.0/24]}`, `
metadata: {name: partners, labels: {app.kubernetes.io/instance: x}}
spec: {nets: [192.0.2.0/24]}`},
		"a label that only looks like a mark": {kinds.NetworkPolicy, `
metadata: {name: web, labels: {nothelm.sh/chart: x, app.kubernetes.io/managed-by-hand: "yes"}}`, `
metadata: {name: web, labels: {nothelm.sh/chart: x, app.kubernetes.io/managed-by-hand: "yes"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			live := object(t, test.live)
			before := live.DeepCopy()
			got := clean(test.kind, live)
			want := object(t, test.want)
			want.SetGroupVersionKind(test.kind.GroupVersionKind)
			assert.Equal(t, want.Object, got.Object)
			assert.Equal(t, before, live, "what lives is not changed")
		})
	}
}

// Objects never share a file, nor take the overlay's own; and what is written reads as what was meant.
func TestFiles(t *testing.T) {
	taken := map[string]bool{"kustomization.yaml": true, "namespace.yaml": true}
	seen := map[string]bool{}
	for _, name := range []string{"kustomization", "namespace", "web", "networkpolicy-web", "calico-web"} {
		for _, k := range append(kinds.Guarded()[:5], kinds.NetworkPolicy) {
			file := fileName(k, name, taken)
			assert.False(t, seen[file] || file == "kustomization.yaml" || file == "namespace.yaml", file)
			seen[file] = true
		}
	}
	text, err := encode(map[string]any{
		"spec": map[string]any{
			"ingress":     []any{map[string]any{"from": []any{map[string]any{"podSelector": map[string]any{}}}, "ports": []any{map[string]any{"port": int64(80), "protocol": "TCP"}}}},
			"podSelector": map[string]any{"matchLabels": map[string]any{"on": "yes", "1": "0x10"}},
		},
		"apiVersion": "v1",
	})
	require.NoError(t, err)
	assert.Equal(t, `apiVersion: v1
spec:
  podSelector:
    matchLabels:
      "1": "0x10"
      "on": "yes"
  ingress:
  - from:
    - podSelector: {}
    ports:
    - protocol: TCP
      port: 80
`, text)
}

// Why something does not belong into an overlay.
func TestExcluded(t *testing.T) {
	policy := calico(t, "NetworkPolicy")
	stored, _ := kinds.Stored(policy)
	for name, test := range map[string]struct {
		change sync.Change
		object string
		charts bool
		want   string
	}{
		"an allowance":         {change: sync.Change{}, object: "{metadata: {name: a}}"},
		"an exception":         {change: sync.Change{Stays: string(drift.Ignore), Reason: "a test"}, object: "{metadata: {name: a}}", want: "drift.ignore names it (a test)"},
		"around the server":    {change: sync.Change{Difference: drift.Difference{ID: drift.ID{Kind: stored}}}, object: "{metadata: {name: a}}", want: "it was written around"},
		"on its way out":       {object: `{metadata: {name: a, deletionTimestamp: "2026-01-01T00:00:00Z"}}`, want: "it is being deleted"},
		"a stand-in":           {change: sync.Change{Difference: drift.Difference{ID: drift.ID{Name: "a-0-ringfence-hold"}}}, object: "{metadata: {name: a-0-ringfence-hold}}", want: "it is a copy"},
		"made by a controller": {object: "{metadata: {name: a, ownerReferences: [{kind: App, name: shop}]}}", want: "it belongs to App shop"},
		"a chart's":            {object: "{metadata: {name: a, labels: {helm.sh/chart: pg-1}, annotations: {meta.helm.sh/release-name: db}}}", want: "it is of the chart pg-1, the release db,"},
		"a chart's, by label":  {object: "{metadata: {name: a, labels: {app.kubernetes.io/managed-by: Helm}}}", want: "it is of a Helm chart,"},
		"a chart's, asked for": {object: "{metadata: {name: a, labels: {helm.sh/chart: pg-1}}}", charts: true},
		"another tier":         {change: sync.Change{Difference: drift.Difference{ID: drift.ID{Kind: policy}}}, object: "{metadata: {name: t.a}, spec: {tier: t}}", want: "an overlay may not use the tier t"},
		"the tier default":     {change: sync.Change{Difference: drift.Difference{ID: drift.ID{Kind: policy}}}, object: "{metadata: {name: a}, spec: {}}"},
	} {
		t.Run(name, func(t *testing.T) {
			test.change.Got = object(t, test.object)
			why, _ := (&Proposal{}).excluded(Config{Tiers: []string{"default"}, Charts: test.charts}, test.change)
			assert.True(t, strings.HasPrefix(why, test.want) && (why == "") == (test.want == ""), why)
		})
	}
}

// How much an object opens.
func TestWidth(t *testing.T) {
	everything, web := reach.AllPorts().Rows(), []reach.PortRow{{Protocol: "TCP"}}
	anyone, own, pod := reach.Place{Any: "address"}, reach.Place{Namespace: "a", Workload: "*"}, reach.Place{Namespace: "a", Workload: "app=web"}
	for name, test := range map[string]struct {
		opens []reach.Connection
		want  width
		words string
	}{
		"nothing":            {want: narrow},
		"one peer":           {[]reach.Connection{{From: reach.Place{Namespace: "b", Workload: "x"}, To: pod, Ports: everything}}, narrow, "opens b/x → a/app=web everything"},
		"a small range":      {[]reach.Connection{{From: pod, To: reach.Place{CIDR: "10.0.0.0/8"}, Ports: everything}}, narrow, "opens a/app=web → 10.0.0.0/8 everything"},
		"everybody, one pod": {[]reach.Connection{{From: anyone, To: pod, Ports: everything}}, wide, "opens any address → a/app=web everything"},
		"most addresses":     {[]reach.Connection{{From: pod, To: reach.Place{CIDR: "0.0.0.0/1"}, Ports: web}}, wide, "opens a/app=web → 0.0.0.0/1 TCP"},
		"everybody, a port":  {[]reach.Connection{{From: anyone, To: own, Ports: web}}, wide, "opens any address → any pod of a TCP"},
		"in":                 {[]reach.Connection{{From: anyone, To: own, Ports: everything}}, void, "lets everybody reach any pod"},
		"out, of the others": {[]reach.Connection{{From: reach.Place{Namespace: "a", Workload: "(other)"}, To: reach.Place{Namespace: "*", Workload: "*"}, Ports: everything}}, void, "lets any pod reach everything"},
		"another namespace's": {
			[]reach.Connection{{From: anyone, To: reach.Place{Namespace: "b", Workload: "*"}, Ports: everything}},
			narrow,
			"opens any address → any pod of b everything",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, words := widthOf("a", drift.Exposure{Opens: test.opens})
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.words, words)
		})
	}
}

// Nothing that a live object says leaves the comment that it stands in.
func TestComment(t *testing.T) {
	o := object(t, "{metadata: {name: a}}")
	o.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "evil\nkind: Namespace\r\x1b[2J"}})
	got := (&Proposal{}).comment(Config{}, sync.Change{Difference: drift.Difference{Got: o}}, "From there")
	assert.Equal(t, "# From there; written by evil kind: Namespace[2J.\n", got)
}
