package random

import (
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/drift/reach"
)

// Object is the content of one object.
type Object = map[string]any

type object = Object

// Revision is what one revision says of every unit: a tenant's namespace, or "" for the cluster overlay.
type Revision map[string][]Object

var apps = []string{"a", "b", "c"}

func pick[T any](t *rapid.T, label string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, label)
}

func odds(t *rapid.T, label string, percent int) bool {
	return rapid.IntRange(0, 99).Draw(t, label) < percent
}

func meta(kind, group, namespace, name string, spec object) object {
	m := object{"name": name}
	if namespace != "" {
		m["namespace"] = namespace
	}
	return object{"apiVersion": group, "kind": kind, "metadata": m, "spec": spec}
}

func drawSelector(t *rapid.T) object {
	switch rapid.IntRange(0, 4).Draw(t, "selector") {
	case 0:
		return object{}
	case 4:
		return object{"matchLabels": object{"role": "r"}}
	case 1:
		return object{"matchExpressions": []any{object{"key": "app", "operator": "NotIn", "values": []any{pick(t, "app", apps...)}}}}
	}
	return object{"matchLabels": object{"app": pick(t, "app", apps...)}}
}

func drawPeer(t *rapid.T) object {
	switch rapid.IntRange(0, 4).Draw(t, "peer") {
	case 0:
		return object{"ipBlock": object{"cidr": pick(t, "cidr", "0.0.0.0/0", "203.0.113.0/24", "203.0.113.128/25")}}
	case 1:
		return object{"namespaceSelector": object{"matchLabels": object{"team": pick(t, "team", "red", "blue")}}, "podSelector": drawSelector(t)}
	case 2:
		return object{"namespaceSelector": object{}}
	}
	return object{"podSelector": drawSelector(t)}
}

func drawPorts(t *rapid.T, rule object) {
	if odds(t, "ports", 50) {
		rule["ports"] = []any{object{"protocol": "TCP", "port": pick(t, "port", int64(80), int64(443), int64(5432))}}
	}
}

func drawKube(t *rapid.T, namespace, name string) object {
	spec := object{"podSelector": drawSelector(t), "policyTypes": pick(t, "types", []any{"Ingress"}, []any{"Egress"}, []any{"Ingress", "Egress"})}
	for _, d := range [][2]string{{"ingress", "from"}, {"egress", "to"}} {
		var rules []any
		for range rapid.IntRange(0, 2).Draw(t, d[0]) {
			rule := object{}
			if odds(t, "peers", 85) {
				rule[d[1]] = []any{drawPeer(t)}
			}
			drawPorts(t, rule)
			rules = append(rules, rule)
		}
		setList(spec, d[0], rules)
	}
	return meta("NetworkPolicy", "networking.k8s.io/v1", namespace, name, spec)
}

func drawCalico(t *rapid.T, namespace, name string) object {
	tier := pick(t, "tier", "default", "first")
	spec := object{"tier": tier, "order": pick(t, "order", 10.0, 100.0, 2000.0), "types": pick(t, "types", []any{"Ingress"}, []any{"Egress"}, []any{"Ingress", "Egress"})}
	if s := pick(t, "selector", "", "app == 'a'", "app in {'a', 'b'}", "all()", "has(role)"); s != "" {
		spec["selector"] = s
	}
	for _, d := range [][2]string{{"ingress", "source"}, {"egress", "destination"}} {
		var rules []any
		for range rapid.IntRange(0, 3).Draw(t, d[0]) {
			rule := object{"action": pick(t, "action", "Allow", "Deny", "Pass")}
			if odds(t, "entity", 70) {
				rule[d[1]] = pick(t, "who", object{"selector": "app == 'b'"}, object{"selector": "has(role)"}, object{"selector": "all()", "namespaceSelector": "team == 'red'"}, object{"nets": []any{"203.0.113.0/24"}}, object{"selector": "all()", "namespaceSelector": "all()"}, object{"selector": "set == 's'"})
			}
			if odds(t, "protocol", 30) {
				rule["protocol"] = "TCP"
			}
			rules = append(rules, rule)
		}
		setList(spec, d[0], rules)
	}
	kind := "NetworkPolicy"
	if namespace == "" {
		kind = "GlobalNetworkPolicy"
		if odds(t, "namespaces", 40) {
			spec["namespaceSelector"] = "team == 'red'"
		}
	}
	return meta(kind, "projectcalico.org/v3", namespace, tier+"."+name, spec)
}

func drawUnit(t *rapid.T, namespace string, calico bool) (out []object) {
	if namespace == "" {
		out = append(out, meta("Tier", "projectcalico.org/v3", "", "first", object{"order": pick(t, "place", 100.0, 2e6), "defaultAction": pick(t, "end", "Deny", "Pass")}))
		if odds(t, "set", 50) {
			set := meta("GlobalNetworkSet", "projectcalico.org/v3", "", "s", object{"nets": pick(t, "nets", []any{"203.0.113.0/24"}, []any{"203.0.113.0/25", "198.51.100.0/24"})})
			set["metadata"] = object{"name": "s", "labels": object{"set": "s"}}
			out = append(out, set)
		}
	}
	if namespace != "" && odds(t, "deny-all", 70) {
		out = append(out, meta("NetworkPolicy", "networking.k8s.io/v1", namespace, "deny-all", object{"podSelector": object{}, "policyTypes": []any{"Ingress", "Egress"}}))
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "policies") {
		name := fmt.Sprint("p", i)
		if namespace == "" || calico && odds(t, "calico", 40) {
			out = append(out, drawCalico(t, namespace, name))
		} else {
			out = append(out, drawKube(t, namespace, name))
		}
	}
	return out
}

// Key names an object.
func Key(o Object) string {
	u := unstructured.Unstructured{Object: o}
	return u.GetKind() + u.GetAPIVersion() + u.GetNamespace() + "/" + u.GetName()
}

func next(t *rapid.T, unit string, calico bool, old []object) []object {
	fresh := drawUnit(t, unit, calico)
	var out []object
	have := map[string]bool{}
	for _, o := range old {
		if odds(t, "keep", 50) || o["kind"] == "Tier" && odds(t, "keep tier", 80) {
			out = append(out, o)
			have[Key(o)] = true
		}
	}
	for _, o := range fresh {
		if !have[Key(o)] {
			out = append(out, o)
			have[Key(o)] = true
		}
	}
	return out
}

func setList(o object, field string, list []any) {
	if len(list) > 0 {
		o[field] = list
	}
}

// Draw draws what a first revision says of units.
func Draw(t *rapid.T, units []string, calico bool) Revision {
	r := Revision{}
	for _, unit := range units {
		r[unit] = drawUnit(t, unit, calico)
	}
	return r
}

// Next draws a revision that follows on another.
func (r Revision) Next(t *rapid.T, calico bool) Revision {
	out := Revision{}
	for _, unit := range slices.Sorted(maps.Keys(r)) {
		out[unit] = next(t, unit, calico, r[unit])
	}
	return out
}

// All yields every object, in a stable order.
func (r Revision) All() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		for _, unit := range slices.Sorted(maps.Keys(r)) {
			for _, o := range r[unit] {
				if !yield(o) {
					return
				}
			}
		}
	}
}

// Pods is the address range of the pods that Connectivity looks at.
var Pods = netip.MustParsePrefix("10.0.0.0/8")

// Connectivity returns who can reach whom in a cluster of some namespaces, given with their labels, each with a pod of every
// kind that the drawn policies tell apart.
func Connectivity(spaces map[string]map[string]string, objects iter.Seq[Object]) (*reach.Connectivity, error) {
	var all []reach.Object
	for _, name := range slices.Sorted(maps.Keys(spaces)) {
		values := object{}
		for k, v := range spaces[name] {
			values[k] = v
		}
		all = append(all, reach.Object{Content: object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name, "labels": values}}})
		for _, app := range apps {
			for _, role := range []string{"", "r"} {
				labels := object{"app": app}
				if role != "" {
					labels["role"] = role
				}
				all = append(all, reach.Object{Content: object{
					"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": app + role, "namespace": name, "labels": labels}, "spec": object{"containers": []any{}},
				}})
			}
		}
	}
	for o := range objects {
		all = append(all, reach.Object{Content: o})
	}
	w, err := reach.New(reach.Config{Objects: all, PodCIDRs: []netip.Prefix{Pods}, WholeWorld: true})
	if err != nil {
		return nil, err
	}
	return w.Connectivity(), nil
}
