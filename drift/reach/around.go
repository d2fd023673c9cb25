package reach

// addresses finds what changed between pods and addresses.
func (d *differ) addresses() {
	for i, p := range d.places {
		for _, dir := range []Direction{Ingress, Egress} {
			if d.changed[dir][i] && !p.host {
				d.around(i, dir)
			}
		}
	}
}

// around compares what one endpoint and addresses may open to each other.
func (d *differ) around(i int, dir Direction) {
	var parts [2][]outerPart
	var cuts []Addresses
	for side, m := range d.sides {
		if n := d.numbers[side][i]; n >= 0 {
			parts[side] = m.outer(n, dir)
		}
		for _, p := range parts[side] {
			cuts = append(cuts, p.addresses)
		}
	}
	var out [3][]outerPart
	for _, at := range atomsIn(AllAddresses(), cuts) {
		for kind, ports := range d.judge(stateAt(parts[0], at), stateAt(parts[1], at)) {
			if !ports.Empty() {
				out[kind] = joinOuter(out[kind], outerPart{i, dir == Egress, at.addresses, ports, false})
			}
		}
	}
	for kind := range out {
		d.outer[kind] = append(d.outer[kind], out[kind]...)
	}
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
