package order

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

type object = map[string]any

// middles returns what an object could be between its two sides, what cuts least first. Whether it opens nothing is found
// out by whoever asks. A side that does not exist is nil: a policy that comes, or goes, is in between one without
// allowances. What other NetworkPolicies allow that change too may be what the new side takes over.
func (q *Question) middles(i int) []*unstructured.Unstructured {
	d := q.Changes[i].Difference

	var old, want *unstructured.Unstructured
	if d.Got != nil {
		old = d.Got
	}
	if d.Want != nil {
		want = d.Want.Unstructured
	}
	var specs []object
	switch k := d.ID.Kind; {
	case k == kinds.Namespace:
		return labelled(old, want)
	case k == kinds.NetworkPolicy:
		specs = kubeMiddles(specOf(old), specOf(want), d.ID.Namespace, q.others(i))
	case k == kinds.Tier:
		specs = tierMiddles(specOf(old), specOf(want))
	case k.Kind == "NetworkSet" || k.Kind == "GlobalNetworkSet":
		return setMiddles(old, want)
	case k.Kind == "NetworkPolicy" || k.Kind == "GlobalNetworkPolicy":
		specs = calicoMiddles(specOf(old), specOf(want), d.ID.Namespace != "")
	case k.Group == kinds.GroupPolicy:
		specs = clusterMiddles(specOf(old), specOf(want))
	}
	out := make([]*unstructured.Unstructured, len(specs))
	for i, spec := range specs {
		out[i] = withSpec(cmpOr(want, old), spec)
	}
	return out
}

// others returns what the other NetworkPolicies say that change.
func (q *Question) others(i int) (out []object) {
	for k, c := range q.Changes {
		if d := c.Difference; k != i && d.ID.Kind == kinds.NetworkPolicy && d.Got != nil && !c.Held {
			out = append(out, specOf(d.Got))
		}
	}
	return out
}

func cmpOr(a, b *unstructured.Unstructured) *unstructured.Unstructured {
	if a != nil {
		return a
	}
	return b
}

// withSpec returns an object of the same name that says something else. Of what the API server keeps with an object nothing
// is left.
func withSpec(o *unstructured.Unstructured, spec object) *unstructured.Unstructured {
	meta := object{"name": o.GetName()}
	if ns := o.GetNamespace(); ns != "" {
		meta["namespace"] = ns
	}
	for _, field := range []string{"labels", "annotations"} {
		if all, ok, _ := unstructured.NestedMap(o.Object, "metadata", field); ok {
			meta[field] = all
		}
	}
	return (&unstructured.Unstructured{Object: object{
		"apiVersion": o.GetAPIVersion(), "kind": o.GetKind(), "metadata": meta, "spec": spec,
	}}).DeepCopy()
}

// specOf returns the spec of an object; nil if there is no object.
func specOf(o *unstructured.Unstructured) object {
	if o == nil {
		return nil
	}
	spec, _ := o.Object["spec"].(object)
	if spec == nil {
		spec = object{}
	}
	return spec
}

func listAt(o object, field string) []any {
	list, _ := o[field].([]any)
	return list
}

func textAt(o object, field string) string {
	text, _ := o[field].(string)
	return text
}

// labelled returns what the labels of a Namespace could be in between: those that both sides have, and those of both where
// they do not contradict each other.
func labelled(old, want *unstructured.Unstructured) []*unstructured.Unstructured {
	if old == nil || want == nil {
		return nil
	}
	common, all := map[string]string{}, map[string]string{}
	maps.Copy(all, old.GetLabels())
	for key, value := range want.GetLabels() {
		if was, ok := old.GetLabels()[key]; ok && was == value {
			common[key] = value
		}
		if _, ok := all[key]; !ok {
			all[key] = value
		}
	}
	for key, value := range old.GetLabels() { // what only others say of it stays as it is
		if _, ok := want.GetLabels()[key]; !ok {
			common[key] = value
		}
	}
	fewest := maps.Clone(common)
	maps.DeleteFunc(fewest, func(key, _ string) bool { _, ok := want.GetLabels()[key]; return !ok })
	var out []*unstructured.Unstructured
	for _, labels := range []map[string]string{fewest, common, all} {
		o := want.DeepCopy()
		o.SetLabels(labels)
		out = append(out, o)
	}
	return out
}

// union returns the types that either side has, sorted.
func union(a, b []string) []any {
	all := slices.Concat(a, b)
	slices.Sort(all)
	var out []any
	for _, t := range slices.Compact(all) {
		out = append(out, t)
	}
	return out
}
