package sync

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// told counts the Events about a namespace with a reason, by the uid that they are about.
func (d *daemon) told(namespace, reason string) map[string]int {
	d.Helper()
	list, err := d.config.Kube.CoreV1().Events(namespace).List(context.Background(), metav1.ListOptions{FieldSelector: "reason=" + reason})
	require.NoError(d, err)
	out := map[string]int{}
	for _, e := range list.Items {
		out[string(e.InvolvedObject.UID)] += int(e.Count)
	}
	return out
}

// A namespace that is to be fenced and that no overlay fences is told about when it
// appears, once, and again when it is another one.
func TestUnfenced(t *testing.T) {
	b := newBench(t)
	repo, ns, wild := newRepository(t), b.namespace+"-a", b.namespace+"-wild"
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(overlay("a", ns, "one"), map[string]string{rulesFile: `expect: ["` + b.namespace + `-*"]`}))
	d.Offer(first)
	d.at(first, Synced, ns)
	assert.Empty(t, d.Unfenced())
	id := drift.ID{Kind: kinds.Namespace, Name: wild}
	b.create(`{apiVersion: v1, kind: Namespace, metadata: {name: ` + wild + `}}`)
	began := time.Now()
	d.until("listed", func() bool { return len(d.Unfenced()) == 1 })
	d.until("told", func() bool { return len(d.told(wild, reasonUnfenced)) == 1 })
	assert.Less(t, time.Since(began), 2*time.Second)
	uid := string(b.live(id).GetUID())
	b.merge(id, `{metadata: {labels: {x: z}}}`)
	b.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: any, namespace: ` + wild + `}, spec: {podSelector: {}}}`)
	second := repo.commit(overlay("a", ns, "two"))
	d.Offer(second)
	d.at(second, Synced, ns)
	time.Sleep(300 * time.Millisecond)
	assert.Equal(t, map[string]int{uid: 1}, d.told(wild, reasonUnfenced), "once")
	assert.Equal(t, []string{wild}, d.Unfenced())

	require.NoError(t, b.others(id).Delete(t.Context(), wild, metav1.DeleteOptions{}))
	d.until("gone", func() bool { return b.live(id) == nil })
	b.create(`{apiVersion: v1, kind: Namespace, metadata: {name: ` + wild + `}}`)
	d.until("told again", func() bool { return d.told(wild, reasonUnfenced)[string(b.live(id).GetUID())] == 1 })
	fenced := repo.commit(overlay("b", wild, "one"))
	d.Offer(fenced)
	d.at(fenced, Synced, ns, wild)
	assert.Empty(t, d.Unfenced())
}

// The reasons of Events are what people filter by.
func TestReasonsOfEvents(t *testing.T) {
	b := newBench(t)
	repo, ns, gone := newRepository(t), b.namespace+"-a", b.namespace+"-b"
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(overlay("a", ns, "one"), overlay("b", gone, "one")))
	d.Offer(first)
	d.at(first, Synced, ns, gone)
	deny := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "deny-all"}
	require.NoError(t, b.others(deny).Delete(t.Context(), deny.Name, metav1.DeleteOptions{}))
	b.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: extra, namespace: ` + ns + `}, spec: {podSelector: {}}}`)
	broken := repo.commit(map[string]string{"overlays/b": "", "overlays/a/objects.yaml": "kind: Nonsense"})
	d.Offer(broken)
	d.until("quarantined", func() bool { return d.tenant(gone).State == Quarantined })
	messages := func(namespace, reason string) (out []string) {
		list, err := d.config.Kube.CoreV1().Events(namespace).List(context.Background(), metav1.ListOptions{FieldSelector: "reason=" + reason})
		require.NoError(t, err)
		for _, e := range list.Items {
			assert.Equal(t, "Namespace", e.InvolvedObject.Kind)
			assert.Equal(t, namespace, e.InvolvedObject.Name)
			assert.Equal(t, namespace, e.InvolvedObject.Namespace, "an Event is in the namespace that it is about")
			assert.Equal(t, "ringfence", e.Source.Component)
			out = append(out, e.Type+" "+e.Message)
		}
		return out
	}
	for reason, want := range map[string]struct{ namespace, message string }{
		reasonSynced:         {ns, `^Normal revision [0-9a-f]{12} applied, 3 objects changed$`},
		reasonDriftDetected:  {ns, `^Warning missing: NetworkPolicy.networking.k8s.io \S+/deny-all was deleted`},
		reasonDriftCorrected: {ns, `^Normal missing: NetworkPolicy.networking.k8s.io \S+/deny-all$`},
		reasonExtraPolicy:    {ns, `^Warning not in Git: NetworkPolicy.networking.k8s.io \S+/extra by someone`},
		reasonSyncFailed:     {ns, `^Warning overlays/a/objects.yaml:1`},
		reasonQuarantined:    {gone, `^Warning its overlay overlays/b left Git`},
	} {
		d.until(reason, func() bool { return len(messages(want.namespace, reason)) > 0 })
		assert.Regexp(t, want.message, messages(want.namespace, reason)[0])
	}
}
