package order

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// revision is what one revision says of every unit; "" is the cluster overlay.
type revision map[string][]object

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
	switch rapid.IntRange(0, 3).Draw(t, "selector") {
	case 0:
		return object{}
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
		return object{"namespaceSelector": object{"matchLabels": object{"team": pick(t, "team", "x", "y")}}, "podSelector": drawSelector(t)}
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
	if s := pick(t, "selector", "", "app == 'a'", "app in {'a', 'b'}", "all()"); s != "" {
		spec["selector"] = s
	}
	for _, d := range [][2]string{{"ingress", "source"}, {"egress", "destination"}} {
		var rules []any
		for range rapid.IntRange(0, 3).Draw(t, d[0]) {
			rule := object{"action": pick(t, "action", "Allow", "Deny", "Pass")}
			if odds(t, "entity", 70) {
				rule[d[1]] = pick(t, "who", object{"selector": "app == 'b'"}, object{"selector": "all()", "namespaceSelector": "team == 'x'"}, object{"nets": []any{"203.0.113.0/24"}}, object{"selector": "all()", "namespaceSelector": "all()"}, object{"selector": "set == 's'"})
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
			spec["namespaceSelector"] = "team == 'x'"
		}
	}
	return meta(kind, "projectcalico.org/v3", namespace, tier+"."+name, spec)
}

func drawUnit(t *rapid.T, namespace string, calico bool) (out []object) {
	if namespace == "" {
		out = append(out, meta("Tier", "projectcalico.org/v3", "", "first", object{"order": pick(t, "place", 100.0, 2e6), "defaultAction": pick(t, "end", "Deny", "Pass")}))
		if odds(t, "set", 50) {
			set := meta("GlobalNetworkSet", "projectcalico.org/v3", "", "s", object{"nets": pick(t, "nets", []any{"203.0.113.0/24"}, []any{"203.0.113.0/25", "198.51.100.0/24"})})
			set["metadata"].(object)["labels"] = object{"set": "s"}
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

func key(o object) string {
	u := unstructured.Unstructured{Object: o}
	return u.GetKind() + u.GetAPIVersion() + u.GetNamespace() + "/" + u.GetName()
}

// drawNext changes some objects of a unit.
func drawNext(t *rapid.T, unit string, calico bool, old []object) []object {
	fresh := drawUnit(t, unit, calico)
	var out []object
	have := map[string]bool{}
	for _, o := range old {
		if odds(t, "keep", 50) || o["kind"] == "Tier" && odds(t, "keep tier", 80) {
			out = append(out, o)
			have[key(o)] = true
		}
	}
	for _, o := range fresh {
		if !have[key(o)] {
			out = append(out, o)
			have[key(o)] = true
		}
	}
	return out
}

var spaces = map[string]map[string]string{"t": {"team": "x"}, "u": {"team": "y"}, "z": {"team": "y"}}

func wantedOf(t require.TestingT, objects []object) (out []*drift.Wanted) {
	for _, o := range objects {
		u := (&unstructured.Unstructured{Object: o}).DeepCopy()
		k, ok := kinds.Find(u.GroupVersionKind().GroupKind())
		require.True(t, ok)
		out = append(out, drift.NewWanted(kustomize.Object{Unstructured: u, Kind: k}))
	}
	return out
}

func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}

// cluster is the whole as it is while the units are brought from one revision to another.
type cluster struct {
	t        *rapid.T
	old, new revision
	now      map[string]object
}

func (c *cluster) world(objects iter.Seq[object]) *reach.World {
	var all []reach.Object
	for name, labels := range sorted(spaces) {
		values := object{}
		for k, v := range labels {
			values[k] = v
		}
		all = append(all, reach.Object{Content: object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name, "labels": values}}})
		for _, app := range apps {
			all = append(all, reach.Object{Content: object{
				"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": app, "namespace": name, "labels": object{"app": app}}, "spec": object{"containers": []any{}},
			}})
		}
	}
	for o := range objects {
		all = append(all, reach.Object{Content: o})
	}
	w, err := reach.New(reach.Config{Objects: all, PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, WholeWorld: true})
	require.NoError(c.t, err)
	return w
}

func (r revision) all() iter.Seq[object] {
	return func(yield func(object) bool) {
		for _, objects := range sorted(r) {
			for _, o := range objects {
				if !yield(o) {
					return
				}
			}
		}
	}
}

// String shows the objects of both revisions, and as they are now.
func (c *cluster) String() string {
	var b strings.Builder
	show := func(mark string, objects iter.Seq[object]) {
		for o := range objects {
			text, err := json.Marshal(o)
			require.NoError(c.t, err)
			fmt.Fprintln(&b, mark, string(text))
		}
	}
	show("old", c.old.all())
	show("new", c.new.all())
	show("now", maps.Values(c.now))
	return b.String()
}

// question asks for the order of a unit's changes, as the engine does.
func (c *cluster) question(unit string, alone bool) Question {
	var live []*drift.Observed
	for _, o := range c.old[unit] {
		u := &unstructured.Unstructured{Object: o}
		k, _ := kinds.Find(u.GroupVersionKind().GroupKind())
		live = append(live, &drift.Observed{Unstructured: u, ID: drift.ID{Kind: k, Namespace: u.GetNamespace(), Name: u.GetName()}})
	}
	wanted := wantedOf(c.t, c.new[unit])
	found, err := drift.Compare(wanted, live, nil)
	require.NoError(c.t, err)
	q := Question{Namespace: unit, Alone: alone}
	for _, d := range found {
		q.Changes = append(q.Changes, Change{Difference: d})
	}
	for _, around := range []revision{c.old, c.new} {
		s := &exposure.Scene{
			Network: exposure.Network{PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, Namespace: unit,
			Wanted: wanted, Namespaces: sorted(spaces), Tenants: func(yield func(string, []*drift.Wanted) bool) {
				for name, objects := range sorted(around) {
					if name != "" && !yield(name, wantedOf(c.t, objects)) {
						return
					}
				}
			},
		}
		if unit != "" {
			s.Cluster = wantedOf(c.t, around[""])
		}
		q.Scenes = append(q.Scenes, s)
	}
	return q
}

// do takes a step.
func (c *cluster) do(q Question, s Step) {
	d := q.Changes[s.Change].Difference
	switch {
	case s.Content != nil:
		c.now[key(s.Content.Object)] = s.Content.Object
	case d.Want != nil:
		c.now[key(d.Want.Object.Object)] = d.Want.Object.Object
	default:
		delete(c.now, key(d.Got.Object))
	}
}

type outcome struct{ pairs, changes, steps, between, cuts, held, waiting, beyond int }

// TestNoWindow brings two tenants and a cluster overlay from one random revision to another, closings first and in any order
// otherwise, and looks at the whole after every single write.
func TestNoWindow(t *testing.T) {
	var sum outcome
	planner := New()
	judge := exposure.New()
	rapid.Check(t, func(t *rapid.T) { roll(t, planner, judge, &sum) })
	t.Logf("%+v", sum)
}

func roll(t *rapid.T, planner *Planner, judge *exposure.Judge, sum *outcome) {
	calico := odds(t, "Calico", 60)
	c := &cluster{t: t, old: revision{}, new: revision{}, now: map[string]object{}}
	units := []string{"t", "u"}
	if calico {
		units = append(units, "")
	}
	for _, unit := range units {
		c.old[unit] = drawUnit(t, unit, calico)
		c.new[unit] = drawNext(t, unit, calico, c.old[unit])
	}
	for o := range c.old.all() {
		c.now[key(o)] = o
	}
	from, to := c.world(c.old.all()).Connectivity(), c.world(c.new.all()).Connectivity()
	sum.pairs++

	questions, orders := map[string]Question{}, map[string]*Order{}
	beyond := map[string][]reach.Connection{}
	for _, unit := range units {
		questions[unit] = c.question(unit, false)
		o, err := planner.Find(judge, questions[unit])
		require.NoError(t, err)
		orders[unit] = o
		sum.waiting += len(o.Waiting)
		sum.changes += len(questions[unit].Changes)
		if len(o.Beyond) > 0 {
			sum.beyond++
			beyond[unit] = o.Beyond
		}
	}
	for _, phase := range []Phase{Closing, Opening} {
		queues := map[string][]Step{}
		for _, unit := range units {
			for _, s := range orders[unit].Steps {
				if s.Phase == phase {
					queues[unit] = append(queues[unit], s)
				}
			}
		}
		for len(queues) > 0 {
			unit := pick(t, "whose turn", slices.Sorted(maps.Keys(queues))...)
			s := queues[unit][0]
			if queues[unit] = queues[unit][1:]; len(queues[unit]) == 0 {
				delete(queues, unit)
			}
			if phase == Opening && meets(s.Opens, beyond, unit) {
				sum.held++
				delete(queues, unit)
				continue
			}
			c.do(questions[unit], s)
			sum.steps++
			if s.Content != nil {
				sum.between++
			}
			if phase == Opening && len(queues[unit]) == 0 && len(orders[unit].Waiting) == 0 {
				delete(beyond, unit)
			}
			state := c.world(maps.Values(c.now)).Connectivity()
			d := reach.Between(state, from, to)
			require.Empty(t, d.Gained, "after %v of %q: %v %+v\n%v\n%v\n%v", s.Phase, unit, questions[unit].Changes[s.Change].Difference.ID, s, d, dump(orders, questions), c)
			if len(d.Lost) > 0 {
				sum.cuts++
			}
		}
	}
}

func dump(orders map[string]*Order, questions map[string]Question) string {
	var b strings.Builder
	for unit, o := range sorted(orders) {
		for _, s := range o.Steps {
			fmt.Fprintf(&b, "unit %q: %v %v between=%v %v\n", unit, s.Phase, questions[unit].Changes[s.Change].Difference.ID, s.Content != nil, s.Effect)
		}
		fmt.Fprintf(&b, "unit %q waiting %v beyond %v\n", unit, o.Waiting, o.Beyond)
	}
	return b.String()
}

// meets says whether a step opens what another unit has not closed yet.
func meets(opens []reach.Connection, beyond map[string][]reach.Connection, unit string) bool {
	for other, connections := range beyond {
		if other != unit && Meet(opens, connections, func(string) bool { return other == "" || unit == "" }) {
			return true
		}
	}
	return false
}
