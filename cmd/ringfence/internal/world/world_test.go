package world

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
)

const repository = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny-all}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: front}}}], ports: [{protocol: TCP, port: 5432}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: front}
spec:
  podSelector: {matchLabels: {app: front}}
  policyTypes: [Egress]
  egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{protocol: TCP, port: 5432}]}]
---
apiVersion: ringfence.dev/v1
kind: PolicyTest
metadata: {name: app}
spec:
  workloads:
    front: {labels: {app: front}}
    database: {labels: {app: db}}
    dns: {namespace: kube-system, labels: {k8s-app: kube-dns}}
  expect: [{allow: "front -> database:5432/TCP"}]
`

func rendered(t *testing.T, files fstest.MapFS) *kustomize.Rendering {
	t.Helper()
	r, err := kustomize.New(kustomize.Config{})
	require.NoError(t, err)
	rendering, err := r.Render(t.Context(), files)
	require.NoError(t, err)
	return rendering
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func twoTenants() fstest.MapFS {
	return fstest.MapFS{
		"base/app.yaml":                 file(repository),
		"base/kustomization.yaml":       file("resources: [app.yaml]\n"),
		"overlays/a/kustomization.yaml": file("namespace: a\nresources: [../../base]\n"),
		"overlays/b/kustomization.yaml": file("namespace: b\nresources: [../../base]\n"),
	}
}

// A repository's workloads have the names that its policy tests give them, in each tenant's own namespace.
func TestOfRendering(t *testing.T) {
	w, err := OfRendering(rendered(t, twoTenants()), config.DefaultRepository().Layout, Options{})
	require.NoError(t, err)
	require.Empty(t, w.Problems())
	assert.Equal(t, []string{"a", "b"}, w.Tenants)
	assert.Empty(t, w.Gaps)
	for _, tt := range []struct {
		from, to, port string
		want           reach.Outcome
	}{
		{"front", "database", "5432/TCP", reach.Allowed},
		{"front", "db", "5432/TCP", reach.Allowed}, // by the label that names it
		{"front", "database", "5433/TCP", reach.Denied},
		{"database", "front", "", reach.Denied},
		{"front", "b/database", "5432/TCP", reach.Denied},
		{"app=other", "database", "", reach.Denied},
		{"other-tenants", "database", "", reach.Denied},
		{"cluster", "database", "", reach.Denied},
		{"anyone", "database", "80/TCP", reach.Denied},
		{"internet", "front", "", reach.Denied},
		{"front", "kube-system/dns", "53/UDP", reach.Denied},
		{"1.2.3.4", "database", "", reach.Denied},
	} {
		ports, err := reach.ParsePorts(tt.port)
		require.NoError(t, err)
		from, to, err := w.Peers(Question{From: tt.from, To: tt.to, Tenant: "a"})
		require.NoError(t, err)
		v, err := w.Decide(from, to, ports)
		require.NoError(t, err)
		assert.Equal(t, tt.want, v.Outcome, "%s -> %s %s: %v", tt.from, tt.to, tt.port, v.Reasons)
	}
}

// What is refused is missing from the world, and said to be.
func TestGaps(t *testing.T) {
	files := twoTenants()
	files["overlays/b/kustomization.yaml"] = file("namespace: b\nresources: [../../base, nowhere.yaml]\n")
	files["overlays/c/kustomization.yaml"] = file("resources: [../../base]\n")
	w, err := OfRendering(rendered(t, files), config.DefaultRepository().Layout, Options{})
	require.NoError(t, err)
	require.Equal(t, []Gap{
		{Text: "overlay overlays/b is refused", Namespace: "b"},
		{Text: "overlay overlays/c is refused, and it is not known whose it is", Unclaimed: true},
	}, w.Gaps)
	require.Equal(t, []string{"a", "b"}, w.Tenants)
	for _, tt := range []struct {
		namespaces []string
		concerned  bool
	}{
		{nil, true},
		{[]string{"a"}, false},
		{[]string{"b"}, true},
		{[]string{"a", "b"}, true},
		{[]string{"c"}, true},
		{[]string{"a", "c"}, true},
	} {
		assert.Equal(t, tt.concerned, w.Concerns(tt.namespaces...), tt.namespaces)
	}
	for question, want := range map[Question]reach.Outcome{
		{From: "a/front", To: "a/database"}:      reach.Partial,
		{From: "b/app=front", To: "b/app=db"}:    reach.Unknown,
		{From: "c/app=front", To: "c/app=db"}:    reach.Unknown,
		{From: "b/app=front", To: "a/database"}:  reach.Denied,
		{From: "a/front", To: "kube-system/dns"}: reach.Denied,
	} {
		answer, err := w.Ask(question, reach.AllPorts())
		require.NoError(t, err)
		assert.Equal(t, want, answer.Outcome, "%+v: %v", question, answer.Reasons)
	}
}

// A pod that is not what it seems makes unknown what concerns its namespace; so does a policy of an API that is not understood.
func TestAskDoubts(t *testing.T) {
	world := func(namespace string) string {
		return "{apiVersion: v1, kind: Namespace, metadata: {name: " + namespace + "}}\n---\n" +
			"{apiVersion: v1, kind: Pod, metadata: {name: one, namespace: " + namespace + "}, spec: {containers: []}}\n---\n" +
			"{apiVersion: v1, kind: Pod, metadata: {name: two, namespace: " + namespace + "}, spec: {containers: []}}\n---\n"
	}
	for name, text := range map[string]string{
		"a label that is no text":  "{apiVersion: v1, kind: Pod, metadata: {name: three, namespace: a, labels: {x: 1}}, spec: {containers: []}}\n",
		"a namespace twice":        "{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {x: y}}}\n",
		"a policy of another kind": "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: x, namespace: a}, spec: {}}\n",
		"a policy of old":          "{apiVersion: extensions/v1beta1, kind: NetworkPolicy, metadata: {name: x, namespace: a}, spec: {}}\n",
	} {
		w, problems, err := OfFolder(fstest.MapFS{"all.yaml": file(world("a") + world("b") + text)}, kustomize.Limits{}, Options{})
		require.NoError(t, err)
		require.Empty(t, problems)
		assert.True(t, w.Concerns("a"), name)
		assert.False(t, w.Concerns("b"), name)
		for question, want := range map[Question]reach.Outcome{
			{From: "a/one", To: "a/two"}:   reach.Unknown,
			{From: "b/one", To: "a/two"}:   reach.Unknown,
			{From: "cluster", To: "b/one"}: reach.Unknown,
			{From: "b/one", To: "b/two"}:   reach.Allowed,
			{From: "b/one", To: "1.1.1.1"}: reach.Allowed,
		} {
			if question.From == "cluster" && w.Gaps != nil {
				want = reach.Allowed // the others' own policies do not count
			}
			answer, err := w.Ask(question, reach.AllPorts())
			require.NoError(t, err)
			assert.Equal(t, want, answer.Outcome, "%s: %+v: %v", name, question, answer.Reasons)
		}
	}
}

func TestPeersThatAreNone(t *testing.T) {
	w, err := OfRendering(rendered(t, twoTenants()), config.DefaultRepository().Layout, Options{})
	require.NoError(t, err)
	for _, tt := range []struct{ from, to, tenant, want string }{
		{"", "internet", "a", "a peer is missing"},
		{"front", "internet", "", `peer "front" is no address and has no namespace (hint: write NAMESPACE/front, or --tenant)`},
		{"cluster", "other-tenants", "a", "the other end must be a workload"},
		{"a/=x", "internet", "", `"=x" is no label`},
		{"a/nobody", "internet", "", "there is no workload a/nobody; known there: (other); database; front (hint: any other can be described by its labels: a/app=nobody)"},
		{"z/nobody", "internet", "", "there is no workload z/nobody, and none in that namespace"},
	} {
		_, _, err := w.Peers(Question{From: tt.from, To: tt.to, Tenant: tt.tenant})
		assert.ErrorContains(t, err, tt.want)
	}
}

// A plain folder is the whole world; without workloads the implied ones stand in.
func TestOfFolder(t *testing.T) {
	pods := file("{apiVersion: v1, kind: Pod, metadata: {name: one, namespace: a}, spec: {containers: []}}\n---\n" +
		"{apiVersion: v1, kind: Pod, metadata: {name: two, namespace: a}, spec: {containers: []}}\n")
	w, problems, err := OfFolder(fstest.MapFS{"pods.yaml": pods, "notes.txt": file("x"), ".hidden/x.yaml": file("{")}, kustomize.Limits{}, Options{})
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Len(t, w.Endpoints(), 2)

	w, problems, err = OfFolder(fstest.MapFS{"policies.yaml": file(repository), "bad.yaml": file("a: 1\na: 2\n")}, kustomize.Limits{}, Options{})
	require.NoError(t, err)
	require.NotEmpty(t, w.Implied())
	require.Len(t, problems, 1)
	assert.Contains(t, problems[0].Error(), `bad.yaml:2:1: the key "a" is in this mapping twice`)
}
