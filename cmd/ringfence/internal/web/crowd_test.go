package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync"
)

// crowd is an engine of so many tenants, all alike and as Git says, three policies each.
func crowd(tb testing.TB, tenants int) *engine {
	tb.Helper()
	e := &engine{status: sync.Status{Ready: true, Leader: true, Revision: commit, Tenants: map[sync.State]int{sync.Synced: tenants}}}
	desired := make([]sync.Desired, tenants)
	for i := range tenants {
		name := fmt.Sprintf("t-%04d", i)
		d := sync.Desired{Name: name, Revision: commit, Whole: true, Settled: true}
		for policy, spec := range map[string]string{
			"deny-all": "{podSelector: {}, policyTypes: [Ingress, Egress]}",
			"db":       "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]}",
			"web":      "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}]}",
		} {
			u := &unstructured.Unstructured{}
			require.NoError(tb, yaml.Unmarshal(fmt.Appendf(nil, "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: %s, namespace: %s}, spec: %s}", policy, name, spec), &u.Object))
			d.Objects = append(d.Objects, drift.NewWanted(kustomize.Object{Unstructured: u, Kind: kinds.NetworkPolicy}))
		}
		desired[i] = d
		e.tenants = append(e.tenants, sync.Tenant{Name: name, Overlay: "overlays/" + name, State: sync.Synced, Applied: commit, Wanted: commit, Objects: 3})
	}
	e.view = viewOf(desired, nil, nil)
	return e
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
