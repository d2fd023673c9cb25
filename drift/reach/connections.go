package reach

import (
	"cmp"
	"maps"
	"slices"
)

// Place is one end of a connection as `ringfence reach -o json` prints it. One of four forms is used: a workload of a
// namespace, every workload of a namespace (workload "*"), a CIDR, or {"any":"pod"} and {"any":"address"}. In a world
// with implied workloads, namespace "*" is every namespace that nothing names.
type Place struct {
	Namespace string `json:"namespace,omitempty"`
	Workload  string `json:"workload,omitempty"`
	CIDR      string `json:"cidr,omitempty"`
	Any       string `json:"any,omitempty"`
}

// String returns the place for people.
func (p Place) String() string {
	switch {
	case p.Any == "pod":
		return "any pod of any namespace"
	case p.Any != "":
		return "any " + p.Any
	case p.CIDR != "":
		return p.CIDR
	case p.Namespace == "*" && p.Workload != "*":
		return p.Workload + " of any other namespace"
	case p.Namespace == "*":
		return "any pod of any other namespace"
	case p.Workload == "*":
		return "any pod of " + p.Namespace
	}
	return p.Namespace + "/" + p.Workload
}

func comparePlaces(a, b Place) int {
	switch {
	case a.Any != b.Any:
		return cmp.Compare(b.Any, a.Any)
	case a.CIDR != b.CIDR:
		return cmp.Compare(a.CIDR, b.CIDR)
	case a.Namespace != b.Namespace:
		return cmp.Compare(a.Namespace, b.Namespace)
	}
	return cmp.Compare(a.Workload, b.Workload)
}

// Connection is what one place may open to another. The pods of a place that also are the other place are left out.
type Connection struct {
	From  Place     `json:"from"`
	To    Place     `json:"to"`
	Ports []PortRow `json:"ports"`
	// Reason says why it is not known whether the connection is allowed; "" for connections that are.
	Reason string `json:"reason,omitempty"`
}

// Set returns the ports as a set.
func (c Connection) Set() Ports { return portsOfRows(c.Ports) }

// String returns "from → to ports".
func (c Connection) String() string {
	out := c.From.String() + " → " + c.To.String() + " " + c.Set().String()
	if c.Reason != "" {
		out += " (unknown: " + c.Reason + ")"
	}
	return out
}

// Report is everything that can be said of a Connectivity: what is allowed, and what is unknown.
type Report struct {
	Connections []Connection `json:"connections"`
	Unknown     []Connection `json:"unknown"`
}

// reasonUnknown is the reason of every connection of which the model cannot tell; Decide names the rules.
const reasonUnknown = "it depends on labels, addresses or host endpoints that the model does not know"

// Report lists the connections, sorted by source and destination. Groups stand for their members unless expand is set;
// a connection of a pod with itself, and of a node with a pod, is in neither form.
func (c *Connectivity) Report(expand bool) Report {
	l := c.list()
	g := &grouping{places: l.places, expand: expand}
	g.count(l.places)
	out := Report{Connections: []Connection{}, Unknown: []Connection{}}
	for _, unknown := range []bool{false, true} {
		var flows []flow
		for _, p := range l.parts {
			if p.unknown == unknown {
				flows = append(flows, flow{p.from, p.to, p.ports})
			}
		}
		list := append(g.connections(flows), g.outer(l.outer, unknown)...)
		slices.SortFunc(list, compareConnections)
		if !unknown {
			out.Connections = append(out.Connections, list...)
			continue
		}
		for i := range list {
			list[i].Reason = reasonUnknown
		}
		out.Unknown = append(out.Unknown, list...)
	}
	return out
}

// compareConnections orders connections; no two of one list have the same ends.
func compareConnections(a, b Connection) int {
	if c := comparePlaces(a.From, b.From); c != 0 {
		return c
	}
	return comparePlaces(a.To, b.To)
}

// flow says that every source reaches every destination but itself.
type flow struct {
	from, to []int
	ports    Ports
}

// grouping turns sets of places into as few Places as have a form.
type grouping struct {
	places      []place
	expand      bool
	byNamespace map[string]int // pods of each namespace, without hostNetwork ones
	pods        int            // of all namespaces
	hosts       bool           // there are hostNetwork pods
}

// count counts the pods that groups are of: those of every namespace that a place of the grouping is in, and all.
func (g *grouping) count(all []place) {
	g.byNamespace = map[string]int{}
	for _, p := range g.places {
		g.byNamespace[p.namespace] = 0
	}
	for _, p := range all {
		if p.host {
			g.hosts = true
			continue
		}
		g.pods++
		if n, asked := g.byNamespace[p.namespace]; asked {
			g.byNamespace[p.namespace] = n + 1
		}
	}
}

// grouped is a Place and, if it is exactly one pod, which.
type grouped struct {
	place Place
	pod   int // -1 for groups
}

// group covers a sorted set of places; groups are of pods, and hostNetwork pods are always listed. free is a place that counts as
// present wherever that makes a group, or -1. A group has two members besides it: one alone is called by its name.
func (g *grouping) group(set []int, free int) []grouped {
	free = g.itself(free)
	single := func(i int) grouped {
		if g.places[i].elsewhere {
			return grouped{Place{Namespace: "*", Workload: "*"}, -1}
		}
		return grouped{Place{Namespace: g.places[i].namespace, Workload: g.places[i].workload}, i}
	}
	var out []grouped
	if g.expand {
		for _, i := range set {
			if i != free {
				out = append(out, single(i))
			}
		}
		return out
	}
	set, hosts := g.split(set)
	for _, i := range hosts {
		if i != free {
			out = append(out, single(i))
		}
	}
	has, others := len(set), len(set)
	if _, found := slices.BinarySearch(set, free); found {
		others--
	} else if free >= 0 {
		has++
	}
	if has == g.pods && others > 1 {
		return append(out, grouped{Place{Any: "pod"}, -1})
	}
	for start := 0; start < len(set); {
		namespace := g.places[set[start]].namespace
		stop := start
		for stop < len(set) && g.places[set[stop]].namespace == namespace {
			stop++
		}
		members := set[start:stop]
		start = stop
		all := g.byNamespace[namespace]
		present, others := len(members), len(members)
		if slices.Contains(members, free) {
			others--
		} else if free >= 0 && g.places[free].namespace == namespace {
			present++
		}
		switch {
		case g.places[members[0]].elsewhere:
			out = append(out, single(members[0]))
		case present == all && (others > 1 || others == 1 && g.places[members[0]].other):
			out = append(out, grouped{Place{Namespace: namespace, Workload: "*"}, -1})
		default:
			for _, i := range members {
				if i != free {
					out = append(out, single(i))
				}
			}
		}
	}
	return out
}

// itself returns the place if what it opens to itself is left out: one that stands for the pods of many namespaces opens
// connections to its like, and a hostNetwork pod makes no group.
func (g *grouping) itself(i int) int {
	if i >= 0 && (g.places[i].elsewhere || g.places[i].host) {
		return -1
	}
	return i
}

// split tells pods from hostNetwork pods.
func (g *grouping) split(set []int) (pods, hosts []int) {
	if !g.hosts {
		return set, nil
	}
	for _, i := range set {
		if g.places[i].host {
			hosts = append(hosts, i)
		} else {
			pods = append(pods, i)
		}
	}
	return pods, hosts
}

// connections groups sources first, then destinations, and joins the ports of equal ends.
func (g *grouping) connections(flows []flow) []Connection {
	type edge struct {
		from grouped
		key  string
	}
	targets := map[edge][]int{}
	ports := map[string]Ports{}
	for _, f := range flows {
		free := -1
		if len(f.to) == 1 {
			free = f.to[0]
		}
		key := f.ports.key()
		ports[key] = f.ports
		for _, from := range g.group(f.from, free) {
			e := edge{from, key}
			targets[e] = append(targets[e], f.to...)
		}
	}
	joined := map[[2]Place]Ports{}
	for e, to := range targets {
		slices.Sort(to)
		for _, d := range g.group(slices.Compact(to), e.from.pod) {
			ends := [2]Place{e.from.place, d.place}
			joined[ends] = joined[ends].Union(ports[e.key])
		}
	}
	return listed(joined)
}

func listed(joined map[[2]Place]Ports) []Connection {
	out := make([]Connection, 0, len(joined))
	rows := map[string][]PortRow{}
	for ends, p := range joined {
		key := p.key()
		if rows[key] == nil {
			rows[key] = p.Rows()
		}
		out = append(out, Connection{From: ends[0], To: ends[1], Ports: rows[key]})
	}
	return out
}

// outer groups the pods that reach, or are reached by, the same addresses on the same ports.
func (g *grouping) outer(parts []outerPart, unknown bool) []Connection {
	type group struct {
		part outerPart
		pods []int
	}
	groups := map[string]*group{}
	for _, p := range parts {
		if p.unknown != unknown {
			continue
		}
		key := p.ports.key() + "<" + p.addresses.key()
		if p.outbound {
			key = ">" + key
		}
		if groups[key] == nil {
			groups[key] = &group{part: p}
		}
		groups[key].pods = append(groups[key].pods, p.pod)
	}
	joined := map[[2]Place]Ports{}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		gr := groups[key]
		slices.Sort(gr.pods)
		places := addressPlaces(gr.part.addresses)
		for _, pod := range g.group(slices.Compact(gr.pods), -1) {
			for _, addresses := range places {
				ends := [2]Place{addresses, pod.place}
				if gr.part.outbound {
					ends = [2]Place{pod.place, addresses}
				}
				joined[ends] = joined[ends].Union(gr.part.ports)
			}
		}
	}
	return listed(joined)
}

func addressPlaces(a Addresses) []Place {
	if a.Equal(AllAddresses()) {
		return []Place{{Any: "address"}}
	}
	var out []Place
	for _, p := range a.Prefixes() {
		out = append(out, Place{CIDR: p.String()})
	}
	return out
}

// key returns a text that is equal for equal sets only.
func (a Addresses) key() string { return string(a.appendKey(nil)) }

func (a Addresses) appendKey(b []byte) []byte {
	for _, s := range a.spans {
		b = append(append(append(b, byte(s.lo.BitLen())), s.lo.AsSlice()...), s.hi.AsSlice()...)
	}
	return b
}
