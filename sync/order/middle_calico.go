package order

import (
	"maps"
	"slices"
)

// calicoMiddles returns the specs between two of a Calico policy:
//
//  1. where only rules differ: the rules of both in one order, those that both have as they are; of the others the ones
//     that allow are dropped, the ones that deny are kept, and the ones that pass deny, since what comes after may do
//     either;
//  2. otherwise for whatever either selects, from the earlier place of both on: no rule that allows, every rule that denies
//     or passes as a denial. What no rule denies goes on to the tier's other policies, and is denied at its end.
//  3. in a namespace: nothing at all, before anything else in the tier.
//
// A policy that comes or goes is compared with one that has no rules and concerns nothing.
func calicoMiddles(old, want object, namespaced bool) []object {
	if order, ok := float(old["order"]); ok && order == denialOrder {
		return nil // as closed as can be
	}
	out := closedMiddles(old, want)
	if namespaced {
		out = append(out, denied(out[len(out)-1]))
	}
	return out
}

// closedMiddles returns those in which some rule of either side may still count.
func closedMiddles(old, want object) (out []object) {
	either := cmpSpec(want, old)
	if old == nil || want == nil {
		o := maps.Clone(either)
		closeRules(o, old, want, "ingress", "egress")
		o["types"] = union(calicoTypes(old), calicoTypes(want))
		return []object{o}
	}
	if sameBut(old, want, "ingress", "egress", "types") && slices.Equal(calicoTypes(old), calicoTypes(want)) {
		o := maps.Clone(want)
		for _, direction := range []string{"ingress", "egress"} {
			setList(o, direction, mergeRules(listAt(old, direction), listAt(want, direction)))
		}
		out = append(out, o)
	}
	o := maps.Clone(want)
	closeRules(o, old, want, "ingress", "egress")
	o["types"] = union(calicoTypes(old), calicoTypes(want))
	for _, field := range []string{"selector", "namespaceSelector", "serviceAccountSelector"} {
		o[field] = eitherSelector(textAt(old, field), textAt(want, field))
		if o[field] == "" {
			delete(o, field)
		}
	}
	earlier(o, old, want, "order")
	return append(out, o)
}

// denialOrder is the order of a policy that denies everything for a while.
const denialOrder = -1_000_000_000

// denied makes a policy deny everything that it is asked about, before the others of its tier.
func denied(closed object) object {
	o := maps.Clone(closed)
	o["order"], o["types"] = int64(denialOrder), []any{"Ingress", "Egress"}
	for _, direction := range []string{"ingress", "egress"} {
		o[direction] = []any{object{"action": "Deny"}}
	}
	return o
}

// clusterMiddles is the same for ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy, whose subjects
// cannot be joined: one that changes is tried on either side.
func clusterMiddles(old, want object) []object {
	if old == nil || want == nil {
		o := maps.Clone(cmpSpec(want, old))
		closeRules(o, old, want, "ingress", "egress")
		return []object{o}
	}
	var out []object
	for _, base := range []object{want, old} {
		merged := maps.Clone(base)
		for _, direction := range []string{"ingress", "egress"} {
			setList(merged, direction, mergeRules(listAt(old, direction), listAt(want, direction)))
		}
		closed := maps.Clone(base)
		closeRules(closed, old, want, "ingress", "egress")
		earlier(closed, old, want, "priority")
		out = append(out, merged, closed)
	}
	return out
}

// calicoTypes returns the directions that a Calico policy applies to, sorted; those that Calico infers if it says nothing.
func calicoTypes(spec object) []string {
	if spec == nil {
		return nil
	}
	var out []string
	for _, t := range listAt(spec, "types") {
		if text, ok := t.(string); ok {
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		egress := len(listAt(spec, "egress")) > 0
		if egress {
			out = append(out, "Egress")
		}
		if len(listAt(spec, "ingress")) > 0 || !egress {
			out = append(out, "Ingress")
		}
	}
	slices.Sort(out)
	return out
}

// closeRules makes the rules of a spec those of both sides that do not allow, all as denials.
func closeRules(o, old, want object, directions ...string) {
	for _, direction := range directions {
		var rules []any
		for _, r := range slices.Concat(listAt(want, direction), listAt(old, direction)) {
			if r := closedRule(r); r != nil && !slices.ContainsFunc(rules, func(have any) bool { return same(have, r) }) {
				rules = append(rules, r)
			}
		}
		setList(o, direction, rules)
	}
}

// closedRule returns the rule as a denial; nil if it allows.
func closedRule(r any) any {
	rule, ok := r.(object)
	if !ok {
		return nil
	}
	switch textAt(rule, "action") {
	case "Pass":
		rule = maps.Clone(rule)
		rule["action"] = "Deny"
	case "Deny", "Log":
	default: // Allow, and Accept
		return nil
	}
	return rule
}

// mergeRules returns the rules of both lists in one order: those that are in both, in the order in which they are, as they
// are; the others closed, where they stand between them.
func mergeRules(old, want []any) (out []any) {
	add := func(rules []any) {
		for _, r := range rules {
			if r := closedRule(r); r != nil {
				out = append(out, r)
			}
		}
	}
	i, k := 0, 0
	for _, pair := range longestCommon(old, want) {
		add(old[i:pair[0]])
		add(want[k:pair[1]])
		out = append(out, want[pair[1]])
		i, k = pair[0]+1, pair[1]+1
	}
	add(old[i:])
	add(want[k:])
	return out
}

// longestCommon returns the index pairs of a longest common subsequence.
func longestCommon(a, b []any) (pairs [][2]int) {
	length := make([][]int, len(a)+1)
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for k := len(b) - 1; k >= 0; k-- {
			if same(a[i], b[k]) {
				length[i][k] = length[i+1][k+1] + 1
			} else {
				length[i][k] = max(length[i+1][k], length[i][k+1])
			}
		}
	}
	for i, k := 0, 0; i < len(a) && k < len(b); {
		switch {
		case same(a[i], b[k]):
			pairs = append(pairs, [2]int{i, k})
			i, k = i+1, k+1
		case length[i+1][k] >= length[i][k+1]:
			i++
		default:
			k++
		}
	}
	return pairs
}

// eitherSelector returns Calico's selector for what either selects; "" selects everything.
func eitherSelector(a, b string) string {
	switch {
	case a == b:
		return a
	case a == "" || b == "":
		return ""
	}
	return "(" + a + ") || (" + b + ")"
}

// sameBut says whether two specs are equal but for some fields.
func sameBut(a, b object, fields ...string) bool {
	rest := func(o object) object {
		o = maps.Clone(o)
		for _, f := range fields {
			delete(o, f)
		}
		return o
	}
	return same(rest(a), rest(b))
}

// earlier sets a place to the smaller one of both sides; none is the last.
func earlier(o, old, want object, field string) {
	a, isA := float(old[field])
	b, isB := float(want[field])
	switch {
	case isA && (!isB || a < b):
		o[field] = old[field]
	case isB:
		o[field] = want[field]
	}
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	}
	return 0, false
}

func setList(o object, field string, list []any) {
	if len(list) == 0 {
		delete(o, field)
		return
	}
	o[field] = list
}
