package world

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync"
)

// daemon is what a daemon would say that is held to a rendering, on a cluster with these NetworkPolicies.
func daemon(t *testing.T, rendering *kustomize.Rendering, live ...*unstructured.Unstructured) *sync.View {
	t.Helper()
	v := &sync.View{Edition: rendering, BuiltIn: func(*drift.Observed) bool { return false }}
	for _, tenant := range rendering.Tenants {
		d := sync.Desired{Name: tenant.Name, Whole: true}
		for _, o := range tenant.Objects {
			d.Objects = append(d.Objects, drift.NewWanted(o))
		}
		v.Desired = append(v.Desired, d)
	}
	v.Workloads = func() (out []kustomize.Workload) {
		for _, tenant := range rendering.Tenants {
			out = append(out, tenant.Workloads()...)
		}
		return out
	}
	cluster := drift.Imagined(map[kinds.Kind][]*unstructured.Unstructured{
		kinds.NetworkPolicy: live, kinds.Namespace: {parsed(t, "{apiVersion: v1, kind: Namespace, metadata: {name: a}}"), parsed(t, "{apiVersion: v1, kind: Namespace, metadata: {name: b}}")},
	})
	v.Namespaces, v.Live = cluster.NamespaceLabels().All(), cluster.In
	return v
}

func parsed(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &u.Object))
	return u
}

// liveOf is a cluster that is as Git says.
func liveOf(rendering *kustomize.Rendering) (out []*unstructured.Unstructured) {
	for _, tenant := range rendering.Tenants {
		for _, o := range tenant.Objects {
			out = append(out, o.DeepCopy())
		}
	}
	return out
}

// looked returns what a daemon's first look finds.
func looked(t *testing.T, v *sync.View) *Moment {
	t.Helper()
	m, err := OfDaemon(func() *sync.View { return v }).Look()
	require.NoError(t, err)
	return m
}

func words(list []reach.Connection) []string {
	out := []string{}
	for _, c := range list {
		c.Reason = ""
		out = append(out, c.String())
	}
	return out
}

// Without drift a tenant's fence is what `ringfence reach DIR --tenant` says of the same repository, and both worlds are one.
func TestRunningSaysWhatReachDoes(t *testing.T) {
	rendering := rendered(t, twoTenants())
	offline, err := OfRendering(rendering, config.DefaultRepository().Layout, Options{})
	require.NoError(t, err)
	m := looked(t, daemon(t, rendering, liveOf(rendering)...))
	require.Same(t, m.Git, m.Live)
	assert.Equal(t, offline.Tenants, m.Git.Tenants)
	assert.Empty(t, m.Differs())
	report := offline.Connectivity().Report(false)
	require.Equal(t, words(report.Connections), words(m.report.Connections))
	require.Equal(t, words(report.Unknown), words(m.report.Unknown))
	fence := m.Fence("a")
	assert.Equal(t, words(about(report.Connections, "a")), words(fence.Kept))
	assert.Contains(t, words(fence.Kept), "a/front → a/database 5432/TCP")
	assert.Equal(t, words(about(report.Unknown, "a")), words(fence.Unknown))
	assert.Empty(t, fence.Opened)
	assert.Empty(t, fence.Closed)

	ports, err := reach.ParsePorts("5432/TCP")
	require.NoError(t, err)
	question := Question{From: "front", To: "database", Tenant: "a"}
	want, err := offline.Ask(question, ports)
	require.NoError(t, err)
	got, err := m.Live.Ask(question, ports)
	require.NoError(t, err)
	assert.Equal(t, want.String(), got.String())
}

// What somebody has opened or closed by hand is told apart from what Git allows; a policy about pods that Git knows nothing of
// opens only what it opens.
func TestRunningTellsDrift(t *testing.T) {
	rendering := rendered(t, twoTenants())
	live := liveOf(rendering)
	kept := live[:0]
	for _, o := range live {
		if o.GetNamespace() != "a" || o.GetName() != "front" {
			kept = append(kept, o)
		}
	}
	kept = append(kept, parsed(t, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: evil, namespace: b},
		spec: {podSelector: {matchLabels: {app: evil}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 8.8.8.8/32}}], ports: [{protocol: TCP, port: 53}]}]}}`))
	v := daemon(t, rendering, kept...)
	m := looked(t, v)
	require.NotSame(t, m.Git, m.Live)
	assert.Equal(t, []string{"a", "b"}, m.Differs())
	a, b := m.Fence("a"), m.Fence("b")
	assert.Equal(t, []string{"a/front → a/database 5432/TCP"}, words(a.Closed))
	assert.Empty(t, a.Opened)
	assert.NotContains(t, words(a.Kept), "a/front → a/database 5432/TCP")
	assert.Equal(t, []string{"b/app=evil → 8.8.8.8/32 53/TCP"}, words(b.Opened))
	assert.Empty(t, b.Closed)
	assert.Contains(t, words(b.Kept), "b/front → b/database 5432/TCP")

	// A tenant that is said to be settled is not compared.
	for i := range v.Desired {
		v.Desired[i].Settled = true
	}
	assert.Empty(t, looked(t, v).Differs())
}

// What is not seen is not live, and what is not rendered is nothing at all.
func TestRunningBlind(t *testing.T) {
	rendering := rendered(t, twoTenants())
	v := daemon(t, rendering)
	v.Blind = "tiers cannot be seen"
	m := looked(t, v)
	assert.Nil(t, m.Live)
	assert.Equal(t, "tiers cannot be seen", m.Blind)
	assert.NotEmpty(t, m.Fence("a").Kept, "what Git says is known")
	assert.Nil(t, looked(t, nil))
}

// A look holds for a moment; then what has changed is seen, and what has not is not computed again.
func TestRunningLooksAgain(t *testing.T) {
	rendering := rendered(t, twoTenants())
	v := daemon(t, rendering, liveOf(rendering)...)
	r := OfDaemon(func() *sync.View { return v })
	first, err := r.Look()
	require.NoError(t, err)
	again, err := r.Look()
	require.NoError(t, err)
	assert.Same(t, first, again)

	v = daemon(t, rendering)
	r.till = time.Time{}
	drifted, err := r.Look()
	require.NoError(t, err)
	assert.Same(t, first.Git, drifted.Git)
	assert.NotEmpty(t, drifted.Fence("a").Opened, "nothing is left of the fence")

	v = daemon(t, rendered(t, twoTenants()), liveOf(rendering)...)
	r.till = time.Time{}
	next, err := r.Look()
	require.NoError(t, err)
	assert.NotSame(t, first.Git, next.Git)
}

// Tenants whose fences are alike are of one shape; who may reach another tenant is told by name.
func TestShapes(t *testing.T) {
	files := twoTenants()
	files["overlays/c/kustomization.yaml"] = file("namespace: c\nresources: [../../base]\n")
	files["overlays/d/kustomization.yaml"] = file("namespace: d\nresources: [../../base, to-c.yaml]\n")
	files["overlays/d/to-c.yaml"] = file(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: to-c},
		spec: {podSelector: {matchLabels: {app: front}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: c}}}]}]}}`)
	files["overlays/c/from-d.yaml"] = file(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: from-d},
		spec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: d}}}], ports: [{port: 5432}]}]}}`)
	shapes := looked(t, daemon(t, rendered(t, files))).Shapes()
	require.Len(t, shapes, 1, "what the other side does not allow is none of theirs")
	assert.Equal(t, []string{"a", "b", "c", "d"}, shapes[0].Tenants)
	assert.Equal(t, []Cell{{Way: Within, Ports: tcp(t, "5432/TCP")}}, shapes[0].Cells)

	files["overlays/c/kustomization.yaml"] = file("namespace: c\nresources: [../../base, from-d.yaml]\n")
	m := looked(t, daemon(t, rendered(t, files)))
	assert.Equal(t, []string{"d/front → c/database 5432/TCP"}, words(m.Crossing()))
	shapes = m.Shapes()
	require.Len(t, shapes, 3)
	assert.Equal(t, []string{"a", "b"}, shapes[0].Tenants)
	assert.Equal(t, []Cell{{Way: Within, Ports: tcp(t, "5432/TCP")}, {Way: Inbound, Peer: "other tenants", Ports: tcp(t, "5432/TCP")}}, shapes[1].Cells)
	assert.Equal(t, []Cell{{Way: Within, Ports: tcp(t, "5432/TCP")}, {Way: Outbound, Peer: "other tenants", Ports: tcp(t, "5432/TCP")}}, shapes[2].Cells)
}

func tcp(t *testing.T, text string) reach.Ports {
	t.Helper()
	p, err := reach.ParsePorts(text)
	require.NoError(t, err)
	return p
}
