package sync

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// keeper is another tool that makes Namespaces be as its own repository says, and how its hand is known: by what it calls itself
// in managedFields, and by the labels and annotations that it writes.
type keeper struct {
	name                string
	managers            []string
	labels, annotations []string
}

func keepers() []keeper {
	return []keeper{
		{"Flux", []string{"kustomize-controller", "helm-controller"}, []string{"kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"}, nil},
		{"Argo CD", []string{"argocd-controller", "argocd-application-controller"}, []string{"argocd.argoproj.io/instance"}, []string{"argocd.argoproj.io/tracking-id"}},
		{"Config Sync", []string{"configsync"}, nil, []string{"configsync.gke.io/resource-id", "configmanagement.gke.io/managed"}},
		{"Fleet", []string{"fleetagent", "fleet-agent"}, []string{"objectset.rio.cattle.io/hash"}, nil},
	}
}

// KeptBy says for people which other GitOps tool keeps a live object, and how that is known, as "Flux (field manager
// kustomize-controller)"; "" if none is known to. Anyone can write what it goes by: no decision about what is applied rests on it,
// but for the refusal of a Namespace that was never applied to.
func KeptBy(o *unstructured.Unstructured) string {
	for _, k := range keepers() {
		for _, name := range managersOf(o) {
			if slices.Contains(k.managers, name) {
				return fmt.Sprintf("%s (field manager %s)", k.name, name)
			}
		}
		for _, key := range k.labels {
			if _, there := o.GetLabels()[key]; there {
				return fmt.Sprintf("%s (label %s)", k.name, key)
			}
		}
		for _, key := range k.annotations {
			if _, there := o.GetAnnotations()[key]; there {
				return fmt.Sprintf("%s (annotation %s)", k.name, key)
			}
		}
	}
	return ""
}

// managersOf returns the field managers of an object, but for those of its status, sorted.
func managersOf(o *unstructured.Unstructured) (names []string) {
	for _, m := range drift.ManagersOf(o) {
		if m.Subresource == "" {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// firstContact refuses a tenant whose overlay brings a Namespace that another tool keeps, as long as nothing was ever applied to it:
// either a mistake of who wrote the overlay, or two tools would write one object for ever. An overlay without a Namespace object says
// that somebody else keeps it, and is not refused. Once something was applied the tenant is ours for good.
func (r *round) firstContact() error {
	want := r.target.namespace()
	if want == nil || r.progress.revision != "" {
		return nil
	}
	live := r.engine.cluster.Namespace(r.target.name)
	if live == nil {
		return nil
	}
	by := KeptBy(live.Unstructured)
	if by == "" {
		return nil
	}
	return kept(want, r.target.overlay, by, r.engine.config.manager())
}

// kept is the refusal of a Namespace that another tool keeps.
func kept(want *drift.Wanted, overlay, by, manager string) writeError {
	return writeError{Problem: kustomize.Problem{
		File: want.Origin.File, Line: want.Origin.Line,
		Message: fmt.Sprintf("the Namespace %s is kept by %s, and %s has never applied anything there: nothing is written into it", want.ID.Name, by, manager),
		Hint:    fmt.Sprintf("if the namespace is this tenant's, leave the Namespace object out of %s, so that only its policies are applied, or take it out of the other tool's repository", overlay),
	}}
}

// tookOver tells, once, whose object in a tenant's namespace has become ours.
func (r *round) tookOver(s step) {
	id := s.difference.ID
	if s.live == nil || s.drifted || s.remove || id.Kind == kinds.Namespace || id.Namespace == "" {
		return
	}
	names := managersOf(s.live.Unstructured)
	if len(names) == 0 || slices.Contains(names, r.engine.config.manager()) {
		return
	}
	former := strings.Join(names, ", ")
	r.log.Info("object taken over", "tenant", r.target.name, "object", id.String(), "managers", former)
	r.engine.events.about(r.target.name, corev1.EventTypeNormal, reasonTakenOver,
		fmt.Sprintf("%s was written by %s; it is in Git, and kept as Git says from now on", id, former))
}
