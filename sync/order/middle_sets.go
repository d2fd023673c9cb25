package order

import (
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift/reach"
)

// tierMiddles returns the specs between two of a Tier: at the earlier place of both, denying at its end if either does.
func tierMiddles(old, want object) []object {
	if old == nil || want == nil {
		return nil
	}
	var out []object
	for _, base := range []object{want, old} {
		o := maps.Clone(base)
		if textAt(old, "defaultAction") != textAt(want, "defaultAction") {
			o["defaultAction"] = "Deny"
		}
		out = append(out, o)
		o = maps.Clone(o)
		earlier(o, old, want, "order")
		out = append(out, o)
	}
	return out
}

// setMiddles returns what a network set could be in between: the addresses that are in both, and those that are in either,
// with the labels that both have.
func setMiddles(old, want *unstructured.Unstructured) []*unstructured.Unstructured {
	either := cmpOr(want, old)
	if old == nil || want == nil {
		return []*unstructured.Unstructured{withSpec(either, object{})}
	}
	var out []*unstructured.Unstructured
	a, errA := reach.ParseAddresses(texts(listAt(specOf(old), "nets"))...)
	b, errB := reach.ParseAddresses(texts(listAt(specOf(want), "nets"))...)
	if errA != nil || errB != nil {
		return nil
	}
	labels := map[string]string{}
	for key, value := range want.GetLabels() {
		if old.GetLabels()[key] == value {
			labels[key] = value
		}
	}
	for _, nets := range []reach.Addresses{a.Intersect(b), a.Union(b)} {
		spec := maps.Clone(specOf(want))
		var list []any
		for _, p := range nets.Prefixes() {
			list = append(list, p.String())
		}
		setList(spec, "nets", list)
		o := withSpec(want, spec)
		o.SetLabels(labels)
		out = append(out, o)
	}
	return out
}

func texts(list []any) (out []string) {
	for _, v := range list {
		if text, ok := v.(string); ok {
			out = append(out, text)
		}
	}
	return out
}
