package sync

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// stateWrites counts the writes of the state.
func (b *bench) stateWrites() *atomic.Int64 {
	n := &atomic.Int64{}
	b.inject(func(r *http.Request) *http.Response {
		if r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/configmaps") {
			n.Add(1)
		}
		return nil
	})
	return n
}

// Since when a difference stands is written with restraint, and survives.
func TestSinceSurvives(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.done(first)
	time.Sleep(2 * noteDelay)

	writes := b.stateWrites()
	deny := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "deny-all"}
	b.merge(deny, `{spec: {ingress: [{}]}}`)
	d.until("corrected", func() bool {
		for _, e := range d.Drift() {
			if !e.Corrected.IsZero() {
				return true
			}
		}
		return false
	})
	time.Sleep(2 * noteDelay)
	assert.Zero(t, writes.Load(), "what is corrected at once is never written")

	// Extras keep coming: one write for them all, not one for each, and not none until they end.
	for i := range 30 {
		b.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: extra-` + string(rune('a'+i%26)) + strings.Repeat("x", i) + `, namespace: ` + ns + `}, spec: {podSelector: {}}}`)
		time.Sleep(200 * time.Millisecond)
	}
	assert.Positive(t, writes.Load())
	assert.LessOrEqual(t, writes.Load(), int64(5))
	d.until("all are written", func() bool { return len(d.saved().Since) == 30 })
	before := map[string]time.Time{}
	for _, e := range d.Drift() {
		before[e.ID.Name] = e.Since.UTC().Truncate(time.Second)
	}
	written := writes.Load()
	time.Sleep(2 * noteDelay)
	assert.Equal(t, written, writes.Load(), "a steady cluster writes nothing")

	d.stop()
	require.NoError(t, b.others(deny).Delete(t.Context(), "extra-a", metav1.DeleteOptions{}))
	d = startDaemon(b, repo, nil)
	d.Offer(first)
	d.until("29 stand", func() bool { return d.tenant(ns).Drift == 29 })
	for _, e := range d.Drift() {
		assert.Equal(t, before[e.ID.Name], e.Since.UTC(), e.ID.Name)
	}
	d.until("what is gone is forgotten", func() bool { return len(d.saved().Since) == 29 })
}

// An opening that was seen is known to the next process, whatever the rounds in between come to.
func TestBreakGlassIsKept(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	config := func(c *Config) { c.BreakGlass = time.Hour }
	d := startDaemon(b, repo, config)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.done(first)
	id := drift.ID{Kind: kinds.Namespace, Name: ns}
	until := time.Now().Add(20 * time.Minute).UTC().Truncate(time.Second)
	b.merge(id, `{metadata: {annotations: {ringfence.dev/break-glass: `+until.Format(time.RFC3339)+` an outage}}}`)
	d.until("it is kept", func() bool { return len(d.saved().Openings[ns]) == 1 })
	deny := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "deny-all"}
	b.merge(deny, `{spec: {ingress: [{}]}}`)
	d.at(first, Drifted, ns)
	assert.Equal(t, []string{"modified deny-all break-glass"}, d.held(ns))
	assert.Equal(t, "an outage", d.Drift()[0].Reason)
	kept := d.saved().Openings[ns]
	require.Len(t, kept, 1)
	assert.True(t, kept[0].Until.Equal(until))

	// A new revision is applied all the same, and the drift on what it does not touch stays.
	second := repo.commit(overlay("a", ns, "one", "two"))
	d.Offer(second)
	d.until("applied", func() bool { return len(d.policies(ns)) == 3 })
	assert.Equal(t, []string{"modified deny-all break-glass"}, d.held(ns))
	d.stop()
	d = startDaemon(b, repo, config)
	d.Offer(second)
	d.at(second, Drifted, ns)
	assert.Equal(t, kept, d.done(second).Openings[ns], "the same opening, with the same end")

	// Taken away: it ends at once.
	b.merge(id, `{metadata: {annotations: {ringfence.dev/break-glass: null}}}`)
	d.at(second, Synced, ns)
	d.until("the end is kept", func() bool { o := d.saved().Openings[ns]; return len(o) == 1 && o[0].Until.Before(until) })
}
