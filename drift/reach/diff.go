package reach

import (
	"cmp"
	"slices"
	"strings"
)

// Difference is what changes between two connectivities. Connections are grouped and sorted as in a Report.
type Difference struct {
	Gained []Connection `json:"gained"` // denied before, allowed now
	Lost   []Connection `json:"lost"`   // allowed before, denied now
	Unsure []Connection `json:"unsure"` // changed, and unknown before or now
}

// Empty reports whether both connectivities are the same.
func (d Difference) Empty() bool { return len(d.Gained)+len(d.Lost)+len(d.Unsure) == 0 }

// String returns one line for each connection, the gained ones first.
func (d Difference) String() string {
	var b strings.Builder
	for _, list := range []struct {
		mark        string
		connections []Connection
	}{{"+ ", d.Gained}, {"- ", d.Lost}, {"? ", d.Unsure}} {
		for _, c := range list.connections {
			b.WriteString(list.mark + c.String() + "\n")
		}
	}
	return b.String()
}

// Diff returns what b allows and a does not, and the reverse. Diff(b, a) has the same lists with Gained and Lost
// exchanged. A workload that only one of them has is compared with one that reaches nothing. Of two connectivities of one
// World, or of worlds made of it with With, only the rows that differ are looked at.
func Diff(a, b *Connectivity) Difference {
	d := newDiffer(a.m, b.m, changes)
	d.pods()
	d.addresses()
	return d.difference()
}

// state is what is allowed and what is unknown.
type state struct{ allowed, unknown Ports }

func stateOf(o outcome) state {
	unknown := o.allow.Intersect(o.deny)
	return state{o.allow.Minus(unknown), unknown}
}

// changes returns the ports that were gained, lost, and changed from or to unknown.
func changes(a, b state) [3]Ports {
	gained := b.allowed.Minus(a.allowed).Minus(a.unknown)
	lost := a.allowed.Minus(b.allowed).Minus(b.unknown)
	unsure := a.unknown.Minus(b.unknown).Union(b.unknown.Minus(a.unknown))
	return [3]Ports{gained, lost, unsure}
}

// difference tells what was found. Only the places that are involved are sorted; groups are of all.
func (d *differ) difference() Difference {
	places, ranks := d.involved()
	g := &grouping{places: places}
	g.count(d.places)
	var lists [3][]Connection
	for kind := range lists {
		var flows []flow
		for _, f := range d.flows[kind] {
			flows = append(flows, flow{ranked(f.from, ranks), ranked(f.to, ranks), f.ports})
		}
		for k := range d.outer[kind] {
			d.outer[kind][k].pod = ranks[d.outer[kind][k].pod]
		}
		lists[kind] = append(g.connections(flows), g.outer(d.outer[kind], false)...)
		slices.SortFunc(lists[kind], compareConnections)
	}
	for i := range lists[2] {
		lists[2][i].Reason = reasonUnknown
	}
	return Difference{lists[0], lists[1], lists[2]}
}

// involved returns the places that anything changed for, sorted, and the place of each number among them.
func (d *differ) involved() ([]place, map[int]int) {
	ranks := map[int]int{}
	for kind := range d.flows {
		for key, f := range d.flows[kind] {
			ranks[key.to] = 0
			for _, from := range f.from {
				ranks[from] = 0
			}
		}
		for _, p := range d.outer[kind] {
			ranks[p.pod] = 0
		}
	}
	order := make([]int, 0, len(ranks))
	for i := range ranks {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int {
		p, q := d.places[a], d.places[b]
		return cmp.Or(cmp.Compare(p.namespace, q.namespace), cmp.Compare(p.workload, q.workload))
	})
	places := make([]place, len(order))
	for k, i := range order {
		ranks[i], places[k] = k, d.places[i]
	}
	return places, ranks
}

func ranked(numbers []int, ranks map[int]int) []int {
	out := make([]int, len(numbers))
	for k, i := range numbers {
		out[k] = ranks[i]
	}
	slices.Sort(out)
	return out
}
