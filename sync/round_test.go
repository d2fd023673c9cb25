package sync

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// One tenant that cannot be written is told with file and line, keeps trying,
// and stops nobody else; without isolation nothing is allowed.
func TestOneFailingTenant(t *testing.T) {
	b := newBench(t)
	repo, ns, other := newRepository(t), b.namespace+"-a", b.namespace+"-b"
	b.inject(func(r *http.Request) *http.Response {
		if r.Method != http.MethodPatch || dryRun(r) || !strings.HasSuffix(r.URL.Path, "/namespaces/"+ns+"/networkpolicies/deny-all") {
			return nil
		}
		return &http.Response{
			StatusCode: http.StatusForbidden, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/json"}},
			Body:   io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not today","reason":"Forbidden","code":403}`)),
		}
	})
	d := startDaemon(b, repo, nil)
	s := repo.commit(files(overlay("a", ns, "one"), overlay("b", other, "one")))
	d.Offer(s)
	d.at(s, Failed, ns)
	d.at(s, Synced, other)
	require.Len(t, d.tenant(ns).Problems, 1)
	assert.Equal(t, "base/guard/deny-all.yaml:1: writing NetworkPolicy.networking.k8s.io "+ns+"/deny-all: not today (hint: a rule of this cluster forbids it, a quota or an admission rule; it is tried again)",
		d.tenant(ns).Problems[0].Error())
	assert.Empty(t, d.policies(ns), "not isolated, so nothing is allowed")
	assert.Equal(t, map[string]exception{ns: {}}, d.done(s).Tenants)
	b.inject(nil)
	d.at(s, Synced, ns) // by itself
	assert.Len(t, d.policies(ns), 2)
	d.until("the state knows", func() bool { return len(d.saved().Tenants) == 0 })
}

// Report leaves drift and applies revisions; nothing extra is ever touched.
func TestReportAndExtras(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, func(c *Config) { c.Mode = Report })
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	open := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "deny-all"}
	b.merge(open, `{spec: {ingress: [{}]}}`)
	b.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: extra, namespace: ` + ns + `}, spec: {podSelector: {}}}`)
	d.until("both are told", func() bool { return d.tenant(ns).Drift == 2 })
	second := repo.commit(overlay("a", ns, "one", "two"))
	d.Offer(second)
	d.at(second, Drifted, ns)
	d.until("the revision is applied", func() bool { return len(d.policies(ns)) == 4 })
	rules, _, err := unstructured.NestedSlice(b.live(open).Object, "spec", "ingress")
	require.NoError(t, err)
	assert.Len(t, rules, 1, "the drift is left")
	for _, e := range d.Drift() {
		assert.Equal(t, drift.Report, e.Held, e.ID)
	}
	// Where Git changes that very object, it is written.
	third := repo.commit(map[string]string{"base/guard/deny-all.yaml": `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny-all, labels: {new: label}}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}`})
	d.Offer(third)
	d.until("written", func() bool {
		_, there, _ := unstructured.NestedSlice(b.live(open).Object, "spec", "ingress")
		return !there
	})
	d.until("the extra alone is left", func() bool { return d.tenant(ns).Drift == 1 })
	assert.Contains(t, d.policies(ns), "extra")
}

// Who keeps opening a fence is told as a fight, is corrected ever more slowly,
// and does not slow down anyone else.
func TestFightOverOneObject(t *testing.T) {
	b := newBench(t)
	repo, ns, other := newRepository(t), b.namespace+"-a", b.namespace+"-b"
	d := startDaemon(b, repo, nil)
	s := repo.commit(files(overlay("a", ns, "one"), overlay("b", other, "one")))
	d.Offer(s)
	d.at(s, Synced, ns, other)
	at := func(ns string) drift.ID { return drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "deny-all"} }
	open := func(ns string) bool {
		_, there, _ := unstructured.NestedSlice(b.live(at(ns)).Object, "spec", "ingress")
		return there
	}
	for range fightAfter {
		b.merge(at(ns), `{spec: {ingress: [{}]}}`)
		d.until("undone", func() bool { return !open(ns) })
	}
	b.merge(at(ns), `{spec: {ingress: [{}]}}`)
	d.until("held", func() bool {
		return slices.ContainsFunc(d.Drift(), func(e drift.Entry) bool { return e.Held == drift.Fight && e.Tenant == ns })
	})
	assert.Equal(t, []string{"rogue", "ringfence"}, managers(d.Drift()[0]), "both sides")
	b.merge(at(other), `{spec: {ingress: [{}]}}`)
	d.until("the other is undone at once", func() bool { return !open(other) })
	assert.True(t, open(ns))
	began := time.Now()
	d.until("undone in the end", func() bool { return !open(ns) })
	assert.Less(t, time.Since(began), fightFirst+time.Second)
}

func managers(e drift.Entry) (names []string) {
	for _, w := range e.Writers {
		names = append(names, w.Name)
	}
	return names
}
