package felix

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// From 3.32 on names are without the tier, policies of equal order are sorted by name, namespace and kind
// (felix/calc/policy_sorter.go of v3.32, PolKVLess), and the two admin kinds are no longer enforced. The reference, which
// is older, is given that sorting as orders, and no policy that 3.32 would not enforce.
func TestWorldsOfBareNames(t *testing.T) {
	var count tally
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		w.objects = slices.DeleteFunc(w.objects, func(o dict) bool { return strings.HasSuffix(o["kind"].(string), "AdminNetworkPolicy") })
		old := &world{objects: inOrder(w.objects), pods: w.pods, pending: w.pending}
		w.compare(t, &count, bare(w).engine(t, "3.32"), old.reference(t))
	})
	count.check(t)
}

// bare returns the world with policies called as from 3.32 on.
func bare(w *world) *world {
	out := &world{pods: w.pods, pending: w.pending}
	for _, o := range w.objects {
		if name := bareName(o); isCalico(o) {
			o = maps.Clone(o)
			o["metadata"] = maps.Clone(o["metadata"].(dict))
			o["metadata"].(dict)["name"] = name
		}
		out.objects = append(out.objects, o)
	}
	return out
}

func bareName(o dict) string {
	name := o["metadata"].(dict)["name"].(string)
	return name[strings.LastIndex(name, ".")+1:]
}

func isPolicy(o dict) bool { return strings.HasSuffix(o["kind"].(string), "NetworkPolicy") }

// isCalico reports whether a policy says its own order. Policies of Kubernetes have 1000.
func isCalico(o dict) bool {
	return isPolicy(o) && o["apiVersion"] == "projectcalico.org/v3" && o["kind"] != "StagedKubernetesNetworkPolicy"
}

// inOrder returns the objects with the place of each policy in its tier as its order. A policy that stands between two of
// Kubernetes', whose order cannot be said, is moved before them, in the given objects too.
func inOrder(objects []dict) []dict {
	byTier := map[string][]dict{}
	for _, o := range objects {
		if isPolicy(o) {
			byTier[tierOf(o)] = append(byTier[tierOf(o)], o)
		}
	}
	orders := map[string]float64{}
	for _, policies := range byTier {
		slices.SortFunc(policies, compare332)
		fixed := func(o dict) bool { return !isCalico(o) }
		first := slices.IndexFunc(policies, fixed)
		for i, o := range policies {
			if !fixed(o) && first >= 0 && i > first && slices.ContainsFunc(policies[i:], fixed) {
				o["spec"].(dict)["order"] = 2.0
			}
		}
		slices.SortFunc(policies, compare332)
		first = slices.IndexFunc(policies, fixed)
		for i, o := range policies {
			orders[nameOf(o)] = float64(i)
			if first >= 0 && i > first {
				orders[nameOf(o)] = float64(1001 + i)
			}
		}
	}
	out := make([]dict, len(objects))
	for i, o := range objects {
		if out[i] = o; isCalico(o) {
			out[i] = maps.Clone(o)
			out[i]["spec"] = maps.Clone(o["spec"].(dict))
			out[i]["spec"].(dict)["order"] = orders[nameOf(o)]
		}
	}
	return out
}

func tierOf(o dict) string {
	if tier, ok := o["spec"].(dict)["tier"].(string); ok {
		return tier
	}
	return "default"
}

func orderOf(o dict) float64 {
	if !isCalico(o) {
		return 1000
	}
	if order, ok := o["spec"].(dict)["order"].(float64); ok {
		return order
	}
	return math.Inf(1)
}

// nameOf is the text that 3.32 sorts by.
func nameOf(o dict) string {
	namespace, _ := o["metadata"].(dict)["namespace"].(string)
	kind := o["kind"].(string)
	if o["apiVersion"] == "networking.k8s.io/v1" {
		kind = "KubernetesNetworkPolicy"
	}
	return bareName(o) + "/" + namespace + "/" + kind
}

func compare332(a, b dict) int {
	return cmp.Or(cmp.Compare(orderOf(a), orderOf(b)), cmp.Compare(nameOf(a), nameOf(b)))
}
