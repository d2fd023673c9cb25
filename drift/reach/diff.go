package reach

import (
	"cmp"
	"hash/maphash"
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
// exchanged. A workload that only one of them has is compared with one that reaches nothing.
func Diff(a, b *Connectivity) Difference {
	d := newDiffer(a, b)
	d.pods()
	d.addresses()
	return d.difference()
}

type differ struct {
	sides  [2]*diffSide
	places []place
	flows  [3][]flow
	outer  [3][]outerPart
}

// diffSide is a Connectivity in the numbering that both sides share.
type diffSide struct {
	c      *Connectivity
	number []int   // shared number of a place
	parts  [][]int // by shared number: the parts that have the place as a destination
	outer  [2][][]int
	hashes []uint64
}

func newDiffer(a, b *Connectivity) *differ {
	d := &differ{}
	seen := map[place]int{}
	for _, c := range []*Connectivity{a, b} {
		for _, p := range c.places {
			if _, ok := seen[p]; !ok {
				seen[p] = 0
				d.places = append(d.places, p)
			}
		}
	}
	slices.SortFunc(d.places, func(p, q place) int {
		return cmp.Or(cmp.Compare(p.namespace, q.namespace), cmp.Compare(p.workload, q.workload))
	})
	for i, p := range d.places {
		seen[p] = i
	}
	seed := maphash.MakeSeed()
	for k, c := range []*Connectivity{a, b} {
		d.sides[k] = newDiffSide(c, seen, len(d.places), seed)
	}
	return d
}

func newDiffSide(c *Connectivity, numbers map[place]int, n int, seed maphash.Seed) *diffSide {
	s := &diffSide{c: c, parts: make([][]int, n), outer: [2][][]int{make([][]int, n), make([][]int, n)}}
	for _, p := range c.places {
		s.number = append(s.number, numbers[p])
	}
	for k, p := range c.parts {
		var h maphash.Hash
		h.SetSeed(seed)
		for _, from := range p.from {
			maphash.WriteComparable(&h, s.number[from])
		}
		h.WriteString(p.ports.key())
		maphash.WriteComparable(&h, p.unknown)
		s.hashes = append(s.hashes, h.Sum64())
		for _, to := range p.to {
			s.parts[s.number[to]] = append(s.parts[s.number[to]], k)
		}
	}
	for k, p := range c.outer {
		side := 0
		if p.outbound {
			side = 1
		}
		s.outer[side][s.number[p.pod]] = append(s.outer[side][s.number[p.pod]], k)
	}
	return s
}

// signature is equal for destinations that the same sources reach alike.
func (s *diffSide) signature(to int) []uint64 {
	out := make([]uint64, 0, len(s.parts[to]))
	for _, k := range s.parts[to] {
		out = append(out, s.hashes[k])
	}
	slices.Sort(out)
	return out
}

// state is what is allowed and what is unknown.
type state struct{ allowed, unknown Ports }

func (s *diffSide) sources(to int) map[int]state {
	out := map[int]state{}
	for _, k := range s.parts[to] {
		p := &s.c.parts[k]
		for _, from := range p.from {
			i := s.number[from]
			st := out[i]
			if p.unknown {
				st.unknown = st.unknown.Union(p.ports)
			} else {
				st.allowed = st.allowed.Union(p.ports)
			}
			out[i] = st
		}
	}
	return out
}

// changes returns the ports that were gained, lost, and changed from or to unknown.
func changes(a, b state) [3]Ports {
	gained := b.allowed.Minus(a.allowed).Minus(a.unknown)
	lost := a.allowed.Minus(b.allowed).Minus(b.unknown)
	unsure := a.unknown.Minus(b.unknown).Union(b.unknown.Minus(a.unknown))
	return [3]Ports{gained, lost, unsure}
}

func (d *differ) pods() {
	for to := range d.places {
		if slices.Equal(d.sides[0].signature(to), d.sides[1].signature(to)) {
			continue
		}
		a, b := d.sides[0].sources(to), d.sides[1].sources(to)
		byPorts := [3]map[string]*flow{{}, {}, {}}
		note := func(from int) {
			if from == to && !d.places[to].elsewhere {
				return
			}
			for kind, ports := range changes(a[from], b[from]) {
				if ports.Empty() {
					continue
				}
				f := byPorts[kind][ports.key()]
				if f == nil {
					f = &flow{to: []int{to}, ports: ports}
					byPorts[kind][ports.key()] = f
				}
				f.from = append(f.from, from)
			}
		}
		for from := range a {
			note(from)
		}
		for from := range b {
			if _, done := a[from]; !done {
				note(from)
			}
		}
		for kind := range byPorts {
			for _, key := range sortedKeys(byPorts[kind]) {
				f := byPorts[kind][key]
				slices.Sort(f.from)
				d.flows[kind] = append(d.flows[kind], *f)
			}
		}
	}
}

func (s *diffSide) outerParts(side, pod int) []outerPart {
	var out []outerPart
	for _, k := range s.outer[side][pod] {
		p := s.c.outer[k]
		p.pod = pod
		out = append(out, p)
	}
	return out
}

func stateAt(parts []outerPart, a atom) (st state) {
	for _, p := range parts {
		switch {
		case !p.addresses.Has(a.sample):
		case p.unknown:
			st.unknown = st.unknown.Union(p.ports)
		default:
			st.allowed = st.allowed.Union(p.ports)
		}
	}
	return st
}

func (d *differ) addresses() {
	for pod := range d.places {
		for side := range 2 {
			a, b := d.sides[0].outerParts(side, pod), d.sides[1].outerParts(side, pod)
			if slices.EqualFunc(a, b, func(p, q outerPart) bool {
				return p.unknown == q.unknown && p.addresses.Equal(q.addresses) && p.ports.Equal(q.ports)
			}) {
				continue
			}
			var cuts []Addresses
			for _, p := range slices.Concat(a, b) {
				cuts = append(cuts, p.addresses)
			}
			var out [3][]outerPart
			for _, at := range atomsIn(AllAddresses(), cuts) {
				for kind, ports := range changes(stateAt(a, at), stateAt(b, at)) {
					if !ports.Empty() {
						out[kind] = joinOuter(out[kind], outerPart{pod, side == 1, at.addresses, ports, false})
					}
				}
			}
			for kind := range out {
				d.outer[kind] = append(d.outer[kind], out[kind]...)
			}
		}
	}
}

// joinOuter adds a part to those of the same pod and direction, joined with one of equal ports.
func joinOuter(parts []outerPart, p outerPart) []outerPart {
	for i := range parts {
		if parts[i].ports.Equal(p.ports) {
			parts[i].addresses = parts[i].addresses.Union(p.addresses)
			return parts
		}
	}
	return append(parts, p)
}

func (d *differ) difference() Difference {
	g := &grouping{places: d.places}
	g.index()
	var lists [3][]Connection
	for kind := range lists {
		lists[kind] = append(g.connections(d.flows[kind]), g.outer(d.outer[kind], false)...)
		slices.SortFunc(lists[kind], compareConnections)
	}
	for i := range lists[2] {
		lists[2][i].Reason = reasonUnknown
	}
	return Difference{lists[0], lists[1], lists[2]}
}
