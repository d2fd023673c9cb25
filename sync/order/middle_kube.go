package order

import (
	"encoding/json"
	"maps"
	"net/netip"
	"reflect"
	"slices"
)

// mostPairs bounds the rules of which the intersections are written down, as pairs of one of each side.
const mostPairs = 100

// kubeMiddles returns the specs between two of a Kubernetes NetworkPolicy:
//
//  1. what both select may do what both allow. In a direction that only one of them isolates, the other allows
//     everything;
//  2. what the new one selects is isolated, and may do nothing;
//  3. so is every pod of the namespace: no pod that either isolates is left out.
//
// Before all these comes the first with what other policies allow now and the new side will: whoever asks finds out
// whether they allow it to the same pods.
func kubeMiddles(old, want object, namespace string, others []object) []object {
	closed := func(selector any) object {
		return object{"podSelector": selector, "policyTypes": union(kubeTypes(old), kubeTypes(want))}
	}
	if want == nil {
		return []object{closed(selectorAt(old))}
	}
	var out []object
	selector, ok := both(selectorAt(cmpSpec(old, want)), selectorAt(want))
	if ok && len(others) > 0 {
		out = append(out, kubeCommon(closed(selector), old, want, namespace, others))
	}
	if old == nil {
		return append(out, closed(selectorAt(want)))
	}
	if ok {
		out = append(out, kubeCommon(closed(selector), old, want, namespace, nil))
	}
	return append(out, closed(selectorAt(want)), closed(object{}))
}

// kubeCommon adds to a policy that isolates the rules for what both sides allow.
func kubeCommon(o, old, want object, namespace string, others []object) object {
	for _, direction := range []struct{ kind, rules string }{{"Ingress", "ingress"}, {"Egress", "egress"}} {
		had := slices.Clone(listAt(old, direction.rules))
		for _, other := range others {
			if slices.Contains(kubeTypes(other), direction.kind) {
				had = append(had, listAt(other, direction.rules)...)
			}
		}
		var rules []any
		switch was, is := slices.Contains(kubeTypes(old), direction.kind), slices.Contains(kubeTypes(want), direction.kind); {
		case is && (was || old == nil):
			rules = commonRules(had, listAt(want, direction.rules), namespace)
		case was:
			rules = listAt(old, direction.rules)
		case is:
			rules = listAt(want, direction.rules)
		}
		if len(rules) > 0 {
			o[direction.rules] = rules
		}
	}
	return o
}

func cmpSpec(a, b object) object {
	if a != nil {
		return a
	}
	return b
}

func selectorAt(spec object) any {
	if s, ok := spec["podSelector"].(object); ok {
		return s
	}
	return object{}
}

// kubeTypes returns the directions that a NetworkPolicy isolates, as the API server fills them in.
func kubeTypes(spec object) []string {
	if spec == nil {
		return nil
	}
	var out []string
	for _, t := range listAt(spec, "policyTypes") {
		if text, ok := t.(string); ok {
			out = append(out, text)
		}
	}
	if len(out) > 0 {
		return out
	}
	out = []string{"Ingress"}
	if len(listAt(spec, "egress")) > 0 {
		out = append(out, "Egress")
	}
	return out
}

// commonRules returns rules that allow what both lists allow, as far as a rule can say it.
func commonRules(old, want []any, namespace string) (out []any) {
	add := func(rule any) {
		if !slices.ContainsFunc(out, func(r any) bool { return reflect.DeepEqual(r, rule) }) {
			out = append(out, rule)
		}
	}
	for _, w := range want {
		if slices.ContainsFunc(old, func(o any) bool { return same(o, w) }) {
			add(w)
		}
	}
	if len(old)*len(want) > mostPairs {
		return out
	}
	for _, o := range old {
		for _, w := range want {
			if a, ok := o.(object); ok && !same(o, w) {
				if b, ok := w.(object); ok {
					if rule, ok := commonRule(a, b, namespace); ok {
						add(rule)
					}
				}
			}
		}
	}
	return out
}

// commonRule returns the rule for what two rules allow; false if there is nothing, or no rule says it.
func commonRule(a, b object, namespace string) (object, bool) {
	out := object{}
	for _, side := range []string{"from", "to"} {
		peers, ok := commonOf(listAt(a, side), listAt(b, side), func(x, y object) (object, bool) { return commonPeer(x, y, namespace) })
		if !ok {
			return nil, false
		}
		if len(peers) > 0 {
			out[side] = peers
		}
	}
	ports, ok := commonOf(listAt(a, "ports"), listAt(b, "ports"), commonPort)
	if len(ports) > 0 {
		out["ports"] = ports
	}
	return out, ok
}

// commonOf intersects two lists of which an empty one means everything; false if nothing is common.
func commonOf(a, b []any, intersect func(x, y object) (object, bool)) (out []any, ok bool) {
	switch {
	case len(a) == 0:
		return b, true
	case len(b) == 0:
		return a, true
	}
	for _, x := range a {
		for _, y := range b {
			if same(x, y) {
				out = append(out, y)
				continue
			}
			p, isObject := x.(object)
			q, isObjectToo := y.(object)
			if !isObject || !isObjectToo {
				continue
			}
			if common, ok := intersect(p, q); ok {
				out = append(out, common)
			}
		}
	}
	return out, len(out) > 0
}

func commonPeer(a, b object, namespace string) (object, bool) {
	blockA, isA := a["ipBlock"].(object)
	blockB, isB := b["ipBlock"].(object)
	if isA != isB {
		return nil, false // whose address a pod has is not for a rule to say
	}
	if isA {
		block, ok := commonBlock(blockA, blockB)
		return object{"ipBlock": block}, ok
	}
	out := object{}
	pods, ok := both(a["podSelector"], b["podSelector"])
	if !ok {
		return nil, false
	}
	if a["podSelector"] != nil || b["podSelector"] != nil {
		out["podSelector"] = pods
	}
	spaceA, spaceB := a["namespaceSelector"], b["namespaceSelector"]
	if spaceA == nil && spaceB == nil {
		return out, true
	}
	own := object{"matchLabels": object{"kubernetes.io/metadata.name": namespace}}
	if spaceA == nil {
		spaceA = own
	}
	if spaceB == nil {
		spaceB = own
	}
	spaces, ok := both(spaceA, spaceB)
	out["namespaceSelector"] = spaces
	return out, ok
}

func commonBlock(a, b object) (object, bool) {
	p, errP := netip.ParsePrefix(textAt(a, "cidr"))
	q, errQ := netip.ParsePrefix(textAt(b, "cidr"))
	if errP != nil || errQ != nil || !p.Overlaps(q) {
		return nil, false
	}
	if p.Bits() < q.Bits() {
		p = q
	}
	out := object{"cidr": p.Masked().String()}
	var except []any
	for _, e := range slices.Concat(listAt(a, "except"), listAt(b, "except")) {
		text, _ := e.(string)
		x, err := netip.ParsePrefix(text)
		switch {
		case err != nil || x.Bits() <= p.Bits() && x.Overlaps(p):
			return nil, false // nothing is left
		case x.Overlaps(p) && !slices.Contains(except, e):
			except = append(except, e)
		}
	}
	if len(except) > 0 {
		out["except"] = except
	}
	return out, true
}

func commonPort(a, b object) (object, bool) {
	protocol := func(p object) string {
		if text := textAt(p, "protocol"); text != "" {
			return text
		}
		return "TCP"
	}
	if protocol(a) != protocol(b) {
		return nil, false
	}
	switch {
	case a["port"] == nil:
		return b, true
	case b["port"] == nil:
		return a, true
	}
	loA, hiA, numberA := span(a)
	loB, hiB, numberB := span(b)
	if !numberA || !numberB {
		return b, reflect.DeepEqual(a["port"], b["port"])
	}
	lo, hi := max(loA, loB), min(hiA, hiB)
	out := object{"protocol": protocol(a), "port": lo}
	if hi > lo {
		out["endPort"] = hi
	}
	return out, lo <= hi
}

// span returns the ports that a rule names by number.
func span(p object) (lo, hi int64, ok bool) {
	lo, ok = number(p["port"])
	hi = lo
	if end, more := number(p["endPort"]); more {
		hi = end
	}
	return lo, hi, ok
}

func number(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case float64:
		return int64(v), true
	}
	return 0, false
}

// both returns the label selector for what two of them select; nil and an empty one select everything. It is false if
// they contradict each other.
func both(a, b any) (object, bool) {
	x, _ := a.(object)
	y, _ := b.(object)
	labels := object{}
	maps.Copy(labels, mapAt(x, "matchLabels"))
	for key, value := range mapAt(y, "matchLabels") {
		if was, ok := labels[key]; ok && was != value {
			return nil, false
		}
		labels[key] = value
	}
	out := object{}
	if len(labels) > 0 {
		out["matchLabels"] = labels
	}
	terms := listAt(x, "matchExpressions")
	for _, term := range listAt(y, "matchExpressions") {
		if !slices.ContainsFunc(terms, func(t any) bool { return reflect.DeepEqual(t, term) }) {
			terms = append(slices.Clip(terms), term)
		}
	}
	if len(terms) > 0 {
		out["matchExpressions"] = terms
	}
	return out, true
}

func mapAt(o object, field string) object {
	m, _ := o[field].(object)
	return m
}

// same says whether two values are equal, numbers by value.
func same(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
