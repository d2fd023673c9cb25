package adopt

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// marks begin the keys by which tools say that an object is theirs.
func marks() []string {
	return []string{
		"kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "argocd.argoproj.io/", "configsync.gke.io/", "configmanagement.gke.io/",
		"objectset.rio.cattle.io/", "fleet.cattle.io/", "applyset.kubernetes.io/", "kapp.k14s.io/", "cli-utils.sigs.k8s.io/", "config.k8s.io/",
		"meta.helm.sh/", "helm.sh/", "ringfence.dev/", "kubectl.kubernetes.io/", "config.kubernetes.io/", "internal.config.kubernetes.io/",
		"projectcalico.org/", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance",
	}
}

// marked says whether a key is a tool's mark, and means nothing to people.
func marked(key string) bool {
	return slices.ContainsFunc(marks(), func(mark string) bool {
		return key == mark || strings.HasSuffix(mark, "/") && strings.HasPrefix(key, mark)
	})
}

// clean returns a live object as Git should have it.
func clean(k kinds.Kind, live *unstructured.Unstructured) *unstructured.Unstructured {
	meta := map[string]any{"name": live.GetName()}
	keep := func(field string, from map[string]string) {
		from = maps.Clone(from)
		maps.DeleteFunc(from, func(key, _ string) bool { return marked(key) && !meant(k, field, key) })
		if len(from) > 0 {
			kept := map[string]any{}
			for key, value := range from {
				kept[key] = value
			}
			meta[field] = kept
		}
	}
	keep("labels", live.GetLabels())
	keep("annotations", live.GetAnnotations())
	out := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": k.GroupVersion().String(), "kind": k.Kind, "metadata": meta,
	}}
	if spec, ok := live.DeepCopy().Object["spec"].(map[string]any); ok {
		if k.Group == kinds.GroupCalico {
			undefault(spec)
		}
		out.Object["spec"] = spec
	}
	return out
}

// meant says whether policies may select by a mark all the same: a network set is found by its labels.
func meant(k kinds.Kind, field, key string) bool {
	return field == "labels" && strings.HasSuffix(k.Kind, "NetworkSet") && key == "app.kubernetes.io/instance"
}

// undefault takes off a policy of Calico's what its API server adds by itself: the tier, and the empty sides of rules. The types
// stay: they are said, not guessed from the rules that there happen to be.
func undefault(spec map[string]any) {
	if spec["tier"] == "default" {
		delete(spec, "tier")
	}
	for _, direction := range []string{"ingress", "egress"} {
		rules, _ := spec[direction].([]any)
		for _, r := range rules {
			rule, ok := r.(map[string]any)
			if !ok {
				continue
			}
			for _, side := range []string{"source", "destination"} {
				if fields, is := rule[side].(map[string]any); is && len(fields) == 0 {
					delete(rule, side)
				}
			}
		}
	}
}
