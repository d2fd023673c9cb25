package reach

import "unique"

// differ compares two matrices, row by row.
type differ struct {
	*pairing
	bases   [2]*bases
	changed [2][]bool // by direction and number: the row, or what is known of the endpoint's addresses, differs
	flows   [3]map[flowKey]*flow
	outer   [3][]outerPart
	// judge tells what became of a pair: three sets of ports, the kinds that flows and outer are sorted by.
	judge func(a, b state) [3]Ports
}

// flowKey names what changed for one destination.
type flowKey struct {
	to    int
	ports string
}

func newDiffer(a, b *matrix, judge func(a, b state) [3]Ports) *differ {
	d := &differ{pairing: pairUp(a, b), bases: [2]*bases{newBases(a.space), newBases(b.space)}, judge: judge}
	for kind := range d.flows {
		d.flows[kind] = map[flowKey]*flow{}
	}
	for dir := range d.changed {
		d.changed[dir] = make([]bool, len(d.places))
		for i := range d.places {
			d.changed[dir][i] = d.differs(i, Direction(dir))
		}
	}
	return d
}

// pods finds what changed between pods: for each destination with another row the sources, and for each source with
// another row the other destinations.
func (d *differ) pods() {
	for _, dir := range []Direction{Ingress, Egress} {
		var groups []*likes
		for i, p := range d.places {
			if !d.changed[dir][i] || (dir == Egress && p.host) {
				continue
			}
			if groups == nil {
				groups = d.groups(1 - dir)
			}
			d.compare(i, dir, groups)
		}
	}
}

// compare looks at every peer of an endpoint: exceptions one by one, the others once for each group.
func (d *differ) compare(i int, dir Direction, groups []*likes) {
	explicit := map[int]bool{}
	for side, m := range d.sides {
		if own := d.numbers[side][i]; own >= 0 {
			for _, peer := range m.explicit(own, dir) {
				explicit[d.shared[side][peer]] = true
			}
		}
	}
	for peer := range explicit {
		d.note(i, peer, dir, d.change(i, peer, dir, (*matrix).pair))
	}
	for _, g := range groups {
		for _, part := range d.alike(i, dir, g.members) {
			ports := d.change(i, part[0], dir, (*matrix).base)
			if ports[0].Empty() && ports[1].Empty() && ports[2].Empty() {
				continue
			}
			for _, peer := range part {
				if !explicit[peer] {
					d.note(i, peer, dir, ports)
				}
			}
		}
	}
}

// change returns what changed between an endpoint and a peer that it is reached by, or reaches.
func (d *differ) change(i, peer int, dir Direction, of func(m *matrix, from, to int) outcome) [3]Ports {
	from, to := peer, i
	if dir == Egress {
		from, to = i, peer
	}
	var states [2]state
	for side, m := range d.sides {
		if a, b := d.numbers[side][from], d.numbers[side][to]; a >= 0 && b >= 0 {
			states[side] = stateOf(of(m, a, b))
		}
	}
	return d.judge(states[0], states[1])
}

// note keeps what changed; destinations whose own row changed are told as such.
func (d *differ) note(i, peer int, dir Direction, ports [3]Ports) {
	from, to := peer, i
	if dir == Egress {
		if d.changed[Ingress][peer] {
			return
		}
		from, to = i, peer
	}
	if d.places[from].host || (from == to && !d.places[to].elsewhere) {
		return
	}
	for kind := range ports {
		if ports[kind].Empty() {
			continue
		}
		key := flowKey{to, ports[kind].key()}
		f := d.flows[kind][key]
		if f == nil {
			f = &flow{to: []int{to}, ports: ports[kind]}
			d.flows[kind][key] = f
		}
		f.from = append(f.from, from)
	}
}

// likes is peers of which the tables say the same, on either side.
type likes struct{ members []int }

// groups sorts the peers by their rows of one direction. What nodes open is left out.
func (d *differ) groups(dir Direction) []*likes {
	type side struct {
		base     unique.Handle[string]
		versions uint8
	}
	type key struct {
		sides [2]side
		host  bool
	}
	var out []*likes
	byKey := map[key]*likes{}
	for i, p := range d.places {
		if p.host && dir == Egress {
			continue
		}
		k := key{host: p.host}
		for s, m := range d.sides {
			if n := d.numbers[s][i]; n >= 0 {
				k.sides[s] = side{d.bases[s].of(m.rows[dir][n].table).key, m.endpoints[n].at.versions}
			}
		}
		g := byKey[k]
		if g == nil {
			g = &likes{}
			byKey[k] = g
			out = append(out, g)
		}
		g.members = append(g.members, i)
	}
	return out
}

// alike cuts peers into those that an endpoint's own tables do not tell apart.
func (d *differ) alike(i int, dir Direction, peers []int) [][]int {
	var tables [2]*table
	for side, m := range d.sides {
		if n := d.numbers[side][i]; n >= 0 && !d.bases[side].of(m.rows[dir][n].table).constant {
			tables[side] = m.rows[dir][n].table
		}
	}
	if tables == ([2]*table{}) {
		return [][]int{peers}
	}
	var out [][]int
	byClass := map[[2]int]int{}
	for _, peer := range peers {
		var class [2]int
		all := true
		for side, t := range tables {
			if n := d.numbers[side][peer]; t != nil && n >= 0 {
				c, ok := t.class(&d.sides[side].endpoints[n].at)
				class[side], all = c, all && ok
			}
		}
		k, known := byClass[class]
		if !known || !all {
			k = len(out)
			out = append(out, nil)
			if all {
				byClass[class] = k
			}
		}
		out[k] = append(out[k], peer)
	}
	return out
}
