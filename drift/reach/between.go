package reach

// Moves returns what state b allows for sure, or leaves unknown, that is less sure in a, and the reverse: from denied over
// unknown to allowed is a way up (Gained), the other way down (Lost). Unlike Diff it calls nothing unsure: whoever must not
// open anything takes "may be open now" for opened, and whoever must not cut anything "may be cut" for cut.
func Moves(a, b *Connectivity) Difference {
	d := newDiffer(a.m, b.m, moves)
	d.pods()
	d.addresses()
	return d.difference()
}

// Between judges a state on the way from one connectivity to another, or between any number of them. Gained is what the
// state allows and none of the ends does: a window. Lost is what all of them allow and the state does not: a cut. Ups and
// downs are those of Moves, so a connection that is unknown in the state and denied at every end is a window too. Unsure is
// always empty. All must have the same workloads.
func Between(state, end *Connectivity, ends ...*Connectivity) Difference {
	d := newDiffer(end.m, state.m, moves)
	d.pods()
	d.addresses()
	for _, end := range ends {
		if d.empty() {
			break
		}
		other := newDiffer(end.m, state.m, moves)
		other.pods()
		other.addresses()
		d.restrict(other)
	}
	return d.difference()
}

// moves returns the ports that went up, and those that went down.
func moves(a, b state) [3]Ports {
	up := b.allowed.Minus(a.allowed).Union(b.unknown.Minus(a.unknown).Minus(a.allowed))
	down := a.allowed.Minus(b.allowed).Union(a.unknown.Minus(b.unknown).Minus(b.allowed))
	return [3]Ports{up, down, {}}
}

// empty says whether nothing was found.
func (d *differ) empty() bool {
	for kind := range d.flows {
		if len(d.flows[kind])+len(d.outer[kind]) > 0 {
			return false
		}
	}
	return true
}

// restrict leaves what another differ found too.
func (d *differ) restrict(other *differ) {
	for kind := range d.flows {
		d.flows[kind] = commonFlows(d, other, kind)
		d.outer[kind] = commonOuter(d, other, kind)
	}
}

// hop is a pair of pods, by the names that both differs know.
type hop struct{ from, to place }

func commonFlows(d, other *differ, kind int) map[flowKey]*flow {
	found := map[hop]Ports{}
	for _, f := range other.flows[kind] {
		for _, to := range f.to {
			for _, from := range f.from {
				at := hop{other.places[from], other.places[to]}
				found[at] = found[at].Union(f.ports)
			}
		}
	}
	out := map[flowKey]*flow{}
	for _, f := range d.flows[kind] {
		for _, to := range f.to {
			for _, from := range f.from {
				ports := f.ports.Intersect(found[hop{d.places[from], d.places[to]}])
				if ports.Empty() {
					continue
				}
				key := flowKey{to, ports.key()}
				if out[key] == nil {
					out[key] = &flow{to: []int{to}, ports: ports}
				}
				out[key].from = append(out[key].from, from)
			}
		}
	}
	return out
}

// shore is one direction of what a pod and addresses open to each other.
type shore struct {
	pod      place
	outbound bool
}

func commonOuter(d, other *differ, kind int) []outerPart {
	found := map[shore][]outerPart{}
	for _, p := range other.outer[kind] {
		at := shore{other.places[p.pod], p.outbound}
		found[at] = append(found[at], p)
	}
	var out []outerPart
	for _, p := range d.outer[kind] {
		for _, q := range found[shore{d.places[p.pod], p.outbound}] {
			common := outerPart{p.pod, p.outbound, p.addresses.Intersect(q.addresses), p.ports.Intersect(q.ports), false}
			if !common.addresses.Empty() && !common.ports.Empty() {
				out = append(out, common)
			}
		}
	}
	return out
}
