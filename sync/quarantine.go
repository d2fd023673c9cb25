package sync

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// quarantineName is the policy that Ringfence writes itself where neither the
// guard nor the overlay that left had one that isolates.
const quarantineName = "ringfence-quarantine"

// quarantine returns the target of a tenant whose overlay left Git: the guard
// of the newest revision, and whatever isolated the namespace before. What they
// leave open is closed by a policy of our own.
func quarantine(before *target, guard []kustomize.Object, revision string, since time.Time) *target {
	t := &target{
		name: before.name, overlay: before.overlay, revision: revision, good: true, quarantined: since,
		wanted: prepare(guard, before),
	}
	old, _, _ := isolation(before.wanted)
	for _, w := range old {
		if !t.holds(w.ID) {
			t.wanted = append(t.wanted, w)
		}
	}
	if _, ingress, egress := isolation(t.wanted); !ingress || !egress {
		t.wanted = append(t.wanted, drift.NewWanted(denyAll(before.name)))
	}
	return t
}

func denyAll(namespace string) kustomize.Object {
	return kustomize.Object{Kind: kinds.NetworkPolicy, Guard: true, Unstructured: &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": kinds.NetworkPolicy.GroupVersion().String(),
		"kind":       kinds.NetworkPolicy.Kind,
		"metadata": map[string]any{
			"name": quarantineName, "namespace": namespace,
			"labels": map[string]any{"app.kubernetes.io/managed-by": "ringfence", "ringfence.dev/tenant": namespace},
		},
		"spec": map[string]any{
			"podSelector": map[string]any{},
			"policyTypes": []any{"Ingress", "Egress"},
		},
	}}}
}
