package drift

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Complete returns an object of Calico's as it is best sent: as its API server would
// store it, with what that would add by itself (the tier, the types, both sides of each
// rule), numbers as such, and without what is empty. So an apply of what is there
// already changes nothing, and no type stays that nobody wrote. It means the same on
// every [Flavour]. What is not Calico's is returned as it is; o is never changed.
func Complete(k kinds.Kind, o *unstructured.Unstructured) *unstructured.Unstructured {
	spec, ok := o.Object["spec"].(map[string]any)
	typed := prototype(k)
	if k.Group != kinds.GroupCalico || typed == nil || (!ok && o.Object["spec"] != nil) || spec["stagedAction"] == "Delete" {
		return o
	}
	o = o.DeepCopy()
	if raw, err := json.Marshal(map[string]any{"spec": o.Object["spec"]}); err == nil {
		if body, known, err := throughType(raw, typed); known && err == nil {
			o.Object["spec"] = body["spec"]
		}
	}
	if k.Tiered {
		completePolicy(o)
	}
	return o
}

// completePolicy fills in what a policy lacks, also if it has fields that are not known.
func completePolicy(o *unstructured.Unstructured) {
	spec, ok := o.Object["spec"].(map[string]any)
	if !ok {
		spec = map[string]any{}
		o.Object["spec"] = spec
	}
	if tier, _ := spec["tier"].(string); tier == "" {
		spec["tier"] = defaultTier
	}
	ingress, egress := completeRules(spec["ingress"]), completeRules(spec["egress"])
	if types, _ := spec["types"].([]any); len(types) == 0 {
		spec["types"] = typesOf(ingress, egress)
	}
}

// completeRules gives each rule of a list both its sides, and returns how many
// rules there are.
func completeRules(list any) int {
	rules, _ := list.([]any)
	for _, r := range rules {
		rule, ok := r.(map[string]any)
		if !ok {
			continue
		}
		for _, side := range []string{"source", "destination"} {
			if rule[side] == nil {
				rule[side] = map[string]any{}
			}
		}
	}
	return len(rules)
}

// typesOf is the default of spec.types for so many rules (Calico, libcalico-go
// lib/clientv3/globalnetworkpolicy.go).
func typesOf(ingress, egress int) []any {
	switch {
	case egress == 0:
		return []any{"Ingress"}
	case ingress == 0:
		return []any{"Egress"}
	default:
		return []any{"Ingress", "Egress"}
	}
}

// Lost reports whether the answer to a write that was said to have succeeded shows
// that it was lost: it has another name than what was sent, or no version.
func Lost(sent, answer *unstructured.Unstructured) bool {
	return answer.GetName() != sent.GetName() || answer.GetResourceVersion() == ""
}
