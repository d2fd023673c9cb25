package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync"
)

// crowdOf says what policies the tenant of that number has: three that all have, what some have besides, and every
// ninety-seventh a peer of its own; every thousandth lets its neighbour in.
func crowdOf(i int) map[string]string {
	out := map[string]string{
		"deny-all": "{podSelector: {}, policyTypes: [Ingress, Egress]}",
		"db":       "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]}",
		"web":      "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}]}",
	}
	from := func(app, namespace string, port int) string {
		return fmt.Sprintf("{podSelector: {matchLabels: {app: %s}}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}}], ports: [{port: %d}]}]}", app, namespace, port)
	}
	if i%5 == 0 {
		out["prometheus"] = from("web", "monitoring", 9100)
	}
	if i%7 == 0 {
		out["internet"] = "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: 443}]}]}"
	}
	if i%11 == 0 {
		out["ingress"] = from("web", "ingress-nginx", 80)
	}
	if i%97 == 0 {
		out["own"] = fmt.Sprintf("{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 198.51.%d.0/24}}], ports: [{port: 9000}]}]}", i/97)
	}
	if i%1000 == 0 && i > 0 {
		out["neighbour"] = from("db", crowdName(i-1), 5432)
	}
	if i%1000 == 999 {
		out["neighbour-out"] = fmt.Sprintf("{podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}}], ports: [{port: 5432}]}]}", crowdName(i+1))
	}
	return out
}

func crowdName(i int) string { return fmt.Sprintf("t-%04d", i) }

// crowd is an engine of so many tenants. Somebody has opened every 125th by hand, and every 250th has an overlay with a fault.
func crowd(tb testing.TB, tenants int) *engine {
	tb.Helper()
	e := &engine{status: sync.Status{Ready: true, Leader: true, Revision: commit, Tenants: map[sync.State]int{}}}
	live := map[kinds.Kind][]*unstructured.Unstructured{}
	named := func(name string) {
		live[kinds.Namespace] = append(live[kinds.Namespace], parsed(tb, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {kubernetes.io/metadata.name: %[1]s}}}", name)))
	}
	for _, name := range []string{"monitoring", "ingress-nginx", "kube-system"} {
		named(name)
	}
	desired := make([]sync.Desired, tenants)
	for i := range tenants {
		name := crowdName(i)
		named(name)
		t := sync.Tenant{Name: name, Overlay: "overlays/" + name, State: sync.Synced, Applied: commit, Wanted: commit}
		d := sync.Desired{Name: name, Revision: commit, Whole: true, Settled: true}
		for policy, spec := range crowdOf(i) {
			u := parsed(tb, fmt.Sprintf("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: %s, namespace: %s}, spec: %s}", policy, name, spec))
			d.Objects = append(d.Objects, drift.NewWanted(kustomize.Object{Unstructured: u, Kind: kinds.NetworkPolicy, Origin: kustomize.Origin{File: "base/tenant/" + policy + ".yaml", Line: 4}}))
			live[kinds.NetworkPolicy] = append(live[kinds.NetworkPolicy], u.DeepCopy())
		}
		switch {
		case i%125 == 1:
			live[kinds.NetworkPolicy] = append(live[kinds.NetworkPolicy], allowAll(tb, name))
			t.State, t.Drift, d.Settled = sync.Drifted, 1, false
			e.drift = append(e.drift, openedBy(name))
		case i%250 == 2:
			t.State, t.Applied = sync.Failed, older
			t.Problems = []kustomize.Problem{{File: "overlays/" + name + "/kustomization.yaml", Line: 3, Column: 5, Message: `unknown field "resuorces"`, Hint: "did you mean resources?"}}
		}
		t.Objects, desired[i] = len(d.Objects), d
		e.tenants, e.status.Tenants[t.State] = append(e.tenants, t), e.status.Tenants[t.State]+1
	}
	e.view = viewOf(desired, nil, live)
	e.view.Network = exposure.Network{PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	return e
}

// openedBy is the difference that an allow-all makes.
func openedBy(namespace string) drift.Entry {
	return drift.Entry{
		Difference: drift.Difference{
			ID: drift.ID{Kind: kinds.NetworkPolicy, Namespace: namespace, Name: "allow-all"}, Type: drift.Extra, Effect: drift.Opens,
			Exposure: drift.Exposure{Opens: []reach.Connection{{
				From: reach.Place{Any: "pod"}, To: reach.Place{Namespace: namespace, Workload: "*"}, Ports: []reach.PortRow{{Protocol: "*"}},
			}}},
			Writers: []drift.Writer{{Name: "kubectl-client-side-apply", Operation: "Update", Time: at("08:59:59Z")}},
		},
		Tenant: namespace, Since: at("09:00:00Z"), Held: drift.Report,
	}
}

func parsed(tb testing.TB, text string) *unstructured.Unstructured {
	tb.Helper()
	u := &unstructured.Unstructured{}
	require.NoError(tb, yaml.Unmarshal([]byte(text), &u.Object))
	return u
}

// BenchmarkCrowd is each view of 5,000 tenants; "first" is the first look at who can reach whom after a revision.
func BenchmarkCrowd(b *testing.B) {
	e := crowd(b, 5000)
	serve := func(b *testing.B, h http.Handler, path string) {
		b.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, http.NoBody))
		require.Equal(b, http.StatusOK, w.Code)
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			serve(b, handler(b, e, polled()), "/cluster")
		}
	})
	h := handler(b, e, polled())
	serve(b, h, "/cluster")
	for name, path := range map[string]string{"overview": "/", "search": "/?q=t-4321", "tenant": "/tenants/t-4321", "cluster": "/cluster", "question": "/reach?from=t-0001/web&to=t-4321/db"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				serve(b, h, path)
			}
		})
	}
}
