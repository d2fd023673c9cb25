package sync

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// held returns what is told of the tenant's standing differences: type, name and hold.
func (d *daemon) held(tenant string) (out []string) {
	for _, e := range d.Drift() {
		if e.Tenant == tenant && e.Corrected.IsZero() {
			out = append(out, string(e.Type)+" "+e.ID.Name+" "+string(e.Held))
		}
	}
	return out
}

// Rules of a new revision hold at once, for tenants that it does not touch too.
func TestRulesHoldAtOnce(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.done(first)
	b.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: chart, namespace: ` + ns + `}, spec: {podSelector: {matchLabels: {app: one}}, policyTypes: [Egress]}}`)
	d.at(first, Drifted, ns)
	assert.Equal(t, []string{"extra chart report"}, d.held(ns))

	ignored := repo.commit(map[string]string{rulesFile: `ignore: [{group: networking.k8s.io, kind: NetworkPolicy, namespace: "*", name: "ch*", reason: the chart's}]`})
	d.Offer(ignored)
	d.at(ignored, Synced, ns)
	assert.Equal(t, []string{"extra chart ignored"}, d.held(ns))
	assert.Zero(t, d.tenant(ns).Drift)
	d.stop()
	d = startDaemon(b, repo, nil)
	d.Offer(ignored)
	d.at(ignored, Synced, ns)
	d.until("listed", func() bool { return len(d.held(ns)) == 1 })
	again := repo.commit(map[string]string{rulesFile: ""})
	d.Offer(again)
	d.at(again, Drifted, ns)
	assert.Equal(t, []string{"extra chart report"}, d.held(ns))
}

// A label that was nobody's business is drift from the moment at which a policy of
// any tenant selects namespaces by it, and no longer when none does.
func TestLabelsThatPoliciesBeginToSee(t *testing.T) {
	b := newBench(t)
	repo, ns, other := newRepository(t), b.namespace+"-a", b.namespace+"-b"
	d := startDaemon(b, repo, func(c *Config) { c.Mode = Report })
	first := repo.commit(files(overlay("a", ns, "one"), overlay("b", other, "one")))
	d.Offer(first)
	d.at(first, Synced, ns, other)
	id := drift.ID{Kind: kinds.Namespace, Name: ns}
	b.merge(id, `{metadata: {labels: {team: web, colour: red}}}`)
	looking := overlay("b", other, "one")
	looking["overlays/b/objects.yaml"] += "\n---\n" + allowance("two", "{from: [{namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}}]}")
	second := repo.commit(looking)
	d.Offer(second)
	d.at(second, Drifted, ns)
	require.Equal(t, []string{"modified " + ns + " report"}, d.held(ns))
	entry := d.Drift()[0]
	assert.Equal(t, []drift.Field{{Path: "metadata.labels.team", Got: "web"}}, entry.Fields)
	require.Len(t, entry.Writers, 1)
	assert.Equal(t, "rogue", entry.Writers[0].Name)
	assert.Equal(t, "web", b.live(id).GetLabels()["team"], "reported, not removed")

	third := repo.commit(overlay("b", other, "one"))
	d.Offer(third)
	d.at(third, Synced, ns, other)
	d.stop()

	d = startDaemon(b, repo, nil)
	fourth := repo.commit(looking)
	d.Offer(fourth)
	d.until("removed", func() bool { _, there := b.live(id).GetLabels()["team"]; return !there })
	d.at(fourth, Synced, ns, other)
	assert.Equal(t, "red", b.live(id).GetLabels()["colour"])
	for _, e := range b.live(id).GetManagedFields() {
		if e.Manager == b.manager {
			assert.EqualValues(t, "Apply", e.Operation, "nothing of ours but what Git says")
		}
	}
}
