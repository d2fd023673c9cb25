package sync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// settled returns an overlay with settings of its own.
func settled(folder, namespace, spec string, allowances ...string) map[string]string {
	files := overlay(folder, namespace, allowances...)
	files["overlays/"+folder+"/objects.yaml"] += "\n---\n{apiVersion: ringfence.dev/v1, kind: Tenant, metadata: {name: own}, spec: " + spec + "}"
	return files
}

func suspended(until time.Time) string {
	return `{suspend: {until: "` + until.UTC().Format(time.RFC3339) + `", reason: a test}}`
}

// A suspended tenant says so, keeps what it has, corrected, over a restart too, and
// goes on by itself.
func TestSuspension(t *testing.T) {
	b := newBench(t)
	repo, ns, other := newRepository(t), b.namespace+"-a", b.namespace+"-b"
	d := startDaemon(b, repo, nil)
	until := time.Now().Add(15 * time.Second).UTC().Truncate(time.Second)
	first := repo.commit(files(settled("a", ns, suspended(until), "one"), overlay("b", other, "one")))
	d.Offer(first)
	d.at(first, Suspended, ns) // its first revision does not wait: nothing else would fence it
	d.until("fenced", func() bool { return len(d.policies(ns)) == 2 })
	assert.True(t, d.tenant(ns).Until.Equal(until))
	second := repo.commit(files(settled("a", ns, suspended(until), "two"), overlay("b", other, "two")))
	d.Offer(second)
	d.at(second, Synced, other)
	d.at(second, Suspended, ns)
	d.done(second)
	d.stop()

	d = startDaemon(b, repo, nil)
	d.Offer(second)
	d.at(second, Suspended, ns)
	one := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "one"}
	assert.NoError(t, b.others(one).Delete(t.Context(), "one", metav1.DeleteOptions{}))
	d.until("what stands is corrected", func() bool { return b.live(one) != nil })
	assert.Equal(t, []string{"deny-all", "one"}, d.policies(ns))
	assert.Equal(t, first.Revision().Commit, d.tenant(ns).Applied)
	assert.Equal(t, []string{"deny-all", "two"}, d.policies(other))

	d.at(second, Synced, ns)
	assert.False(t, time.Now().Before(until))
	assert.Equal(t, []string{"deny-all", "two"}, d.policies(ns))
	assert.Zero(t, d.tenant(ns).Until)
}

// A suspension that its overlay drops ends.
func TestSuspensionDropped(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	later := repo.commit(settled("a", ns, suspended(time.Now().Add(time.Hour)), "one", "two"))
	d.Offer(later)
	d.at(later, Suspended, ns)
	dropped := repo.commit(overlay("a", ns, "one", "two"))
	d.Offer(dropped)
	d.at(dropped, Synced, ns)
	assert.Len(t, d.policies(ns), 3)
}

// The mode of one tenant is its own, either way, from the commit that says it.
func TestOwnMode(t *testing.T) {
	b := newBench(t)
	repo, ns, other := newRepository(t), b.namespace+"-a", b.namespace+"-b"
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(settled("a", ns, "{mode: report}", "one"), overlay("b", other, "one")))
	d.Offer(first)
	d.at(first, Synced, ns, other)
	for _, name := range []string{ns, other} {
		b.merge(drift.ID{Kind: kinds.NetworkPolicy, Namespace: name, Name: "deny-all"}, `{spec: {ingress: [{}]}}`)
	}
	d.at(first, Drifted, ns)
	d.until("the other is corrected", func() bool { return len(d.held(other)) == 0 && d.tenant(other).State == Synced })
	assert.Equal(t, []string{"modified deny-all report"}, d.held(ns))
	second := repo.commit(overlay("a", ns, "one"))
	d.Offer(second)
	d.at(second, Synced, ns)
	d.stop()

	d = startDaemon(b, repo, func(c *Config) { c.Mode = Report })
	third := repo.commit(settled("a", ns, "{mode: correct}", "one"))
	d.Offer(third)
	d.at(third, Synced, ns, other)
	for _, name := range []string{ns, other} {
		b.merge(drift.ID{Kind: kinds.NetworkPolicy, Namespace: name, Name: "deny-all"}, `{spec: {ingress: [{}]}}`)
	}
	d.at(third, Drifted, other)
	d.until("this one is corrected", func() bool { return len(d.held(ns)) == 0 && d.tenant(ns).State == Synced })
}

// Settings of a last good state hold no longer than they are allowed.
func TestSettingsWithinWhatIsAllowed(t *testing.T) {
	own := kustomize.Own{Mode: "report", SuspendUntil: someTime(), SuspendReason: "x", AdoptExtras: true}
	good := &target{name: "a", good: true, own: own, suspended: someTime()}
	for _, tt := range []struct {
		may  []string
		want kustomize.Own
	}{
		{nil, kustomize.Own{}},
		{[]string{kustomize.MayMode}, kustomize.Own{Mode: "report"}},
		{[]string{kustomize.MaySuspend}, kustomize.Own{SuspendUntil: someTime(), SuspendReason: "x"}},
		{tenantMay(), own},
	} {
		kept := good.withProblems([]kustomize.Problem{{Message: "broken"}}, tt.may)
		assert.Equal(t, tt.want, kept.own)
		assert.Zero(t, kept.suspended, "it is refused, which is another state")
	}
	assert.Equal(t, own, good.own, "the original is as it was")
}
