package sync

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// applyAs applies an object as another tool does.
func (b *bench) applyAs(manager, text string) {
	b.Helper()
	w := wantedFrom(b.T, text)
	raw, err := w.MarshalJSON()
	require.NoError(b, err)
	force := true
	_, err = b.others(w.ID).Patch(b.Context(), w.ID.Name, types.ApplyPatchType, raw, metav1.PatchOptions{FieldManager: manager, Force: &force})
	require.NoError(b, err)
}

func (d *daemon) messages(namespace, reason string) (out []string) {
	d.Helper()
	list, err := d.config.Kube.CoreV1().Events(namespace).List(context.Background(), metav1.ListOptions{FieldSelector: "reason=" + reason})
	require.NoError(d, err)
	for _, e := range list.Items {
		out = append(out, e.Type+" "+e.Message)
	}
	return out
}

// A Namespace that another tool keeps is refused on first contact, with both names; nothing is written. An overlay that leaves
// the Namespace to the other tool is fenced; and once anything was applied it is ours, whoever writes the Namespace then.
func TestFirstContact(t *testing.T) {
	for _, tt := range []struct{ manager, metadata, named string }{
		{"kustomize-controller", "labels: {team: x}", "Flux (field manager kustomize-controller)"},
		{"helm-controller", "labels: {team: x}", "Flux (field manager helm-controller)"},
		{"argocd-controller", "labels: {team: x}", "Argo CD (field manager argocd-controller)"},
		{"configsync", "labels: {team: x}", "Config Sync (field manager configsync)"},
		{"fleetagent", "labels: {team: x}", "Fleet (field manager fleetagent)"},
		{"kubectl", "labels: {kustomize.toolkit.fluxcd.io/name: apps}", "Flux (label kustomize.toolkit.fluxcd.io/name)"},
		{"kubectl", `annotations: {argocd.argoproj.io/tracking-id: "apps:/Namespace:x/x"}`, "Argo CD (annotation argocd.argoproj.io/tracking-id)"},
	} {
		t.Run(tt.named, func(t *testing.T) {
			b := newBench(t)
			repo, ns, other := newRepository(t), b.namespace+"-a", b.namespace+"-b"
			kept := fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s, %s}}", ns, tt.metadata)
			b.applyAs(tt.manager, kept)
			writes := b.writesTo(ns)
			d := startDaemon(b, repo, nil)
			first := repo.commit(files(overlay("a", ns, "one"), overlay("b", other, "one")))
			d.Offer(first)
			d.at(first, Failed, ns)
			d.at(first, Synced, other)
			require.Len(t, d.tenant(ns).Problems, 1)
			assert.Equal(t, "overlays/a/objects.yaml:1: the Namespace "+ns+" is kept by "+tt.named+", and ringfence has never applied anything there: nothing is written into it "+
				"(hint: if the namespace is this tenant's, leave the Namespace object out of overlays/a, so that only its policies are applied, or take it out of the other tool's repository)",
				d.tenant(ns).Problems[0].Error())
			assert.Empty(t, writes())
			assert.Empty(t, d.policies(ns))
			d.done(first)
			d.stop()

			d = startDaemon(b, repo, nil) // still the first contact
			d.Offer(first)
			d.at(first, Failed, ns)
			without := overlay("a", ns, "one")
			without["overlays/a/objects.yaml"] = allowance("one", "{}")
			second := repo.commit(without)
			d.Offer(second)
			d.at(second, Synced, ns, other)
			assert.Equal(t, []string{"deny-all", "one"}, d.policies(ns))
			d.done(second)

			third := repo.commit(overlay("a", ns, "one", "two"))
			d.Offer(third)
			d.at(third, Synced, ns)
			assert.Equal(t, []string{"deny-all", "one", "two"}, d.policies(ns))
			d.done(third)
			d.stop()
			b.applyAs(tt.manager, kept)
			d = startDaemon(b, repo, nil)
			d.Offer(third)
			d.at(third, Synced, ns)
		})
	}
}

// A Namespace that nobody in particular made is no matter, nor is the status that a controller wrote.
func TestNoKeeper(t *testing.T) {
	for _, text := range []string{
		`{apiVersion: v1, kind: Namespace, metadata: {name: x, labels: {app.kubernetes.io/managed-by: Helm}, managedFields: [{manager: kubectl-create, operation: Update}]}}`,
		`{apiVersion: v1, kind: Namespace, metadata: {name: x, managedFields: [{manager: argocd-controller, operation: Update, subresource: status}]}}`,
		`{apiVersion: v1, kind: Namespace, metadata: {name: x}}`,
	} {
		u := parseObject(t, text)
		assert.Empty(t, KeptBy(u), text)
	}
}

// Objects in a tenant's namespace are taken over from whoever made them, and it is told once from whom.
func TestTakenOver(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	b.create(`{apiVersion: v1, kind: Namespace, metadata: {name: ` + ns + `}}`)
	b.applyAs("argocd-controller", `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: one, namespace: `+ns+`}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{}]}}`)
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	b.stands(b.want(strings.Replace(allowance("one", "{}"), "name: one}, spec", "name: one, namespace: "+ns+", labels: {app.kubernetes.io/managed-by: ringfence, ringfence.dev/tenant: "+ns+"}}, spec", 1)))
	want := []string{"Normal NetworkPolicy.networking.k8s.io " + ns + "/one was written by argocd-controller; it is in Git, and kept as Git says from now on"}
	d.until("told", func() bool { return len(d.messages(ns, reasonTakenOver)) > 0 })
	assert.Equal(t, want, d.messages(ns, reasonTakenOver))
	assert.Empty(t, d.Drift(), "what stood before is no drift")

	b.applyAs("argocd-controller", `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: one, namespace: `+ns+`}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{}]}}`)
	d.until("now it is drift", func() bool { return len(d.messages(ns, reasonDriftCorrected)) > 0 })
	assert.Equal(t, want, d.messages(ns, reasonTakenOver))
	assert.Equal(t, map[string]int{string(b.live(drift.ID{Kind: kinds.Namespace, Name: ns}).GetUID()): 1}, d.told(ns, reasonTakenOver))
}
