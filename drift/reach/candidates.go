package reach

import "slices"

// of returns the endpoints that a clause may select, in no order.
func (k *maker) of(c *clause) []int {
	if c.namespace != "" {
		return k.matching(c, k.w.room(c.namespace).numbers)
	}
	found, ok := k.m.members.get(c.text)
	if !ok {
		found = k.matching(c, k.narrow(c.expr))
		k.m.members.set(c.text, found)
	}
	return found
}

// maxScans is how many selectors are looked up by asking every endpoint, before it pays to sort the endpoints by labels.
const maxScans = 4

// narrow returns endpoints that include all for which an expression may hold, sorted.
func (k *maker) narrow(e *expression) []int {
	if k.scans++; k.lookup == nil && k.scans <= maxScans {
		return numbersOf(k.m.endpoints)
	}
	if k.lookup == nil {
		k.lookup = newLookup(k.m.endpoints)
	}
	return k.lookup.narrow(e)
}

// numbersOf lists the numbers that are in use.
func numbersOf(endpoints []*Endpoint) []int {
	out := make([]int, 0, len(endpoints))
	for i, e := range endpoints {
		if e != nil {
			out = append(out, i)
		}
	}
	return out
}

func (k *maker) matching(c *clause, among []int) []int {
	var out []int
	for _, i := range among {
		if c.of(k.m.endpoints[i]) != no {
			out = append(out, i)
		}
	}
	return out
}

// of judges an endpoint by its labels; hostNetwork pods have none that a selector sees.
func (c *clause) of(e *Endpoint) truth {
	if e == nil || e.host {
		return no
	}
	return c.eval(e.view)
}

// peersOf returns the endpoints that a program may treat otherwise than an address that is no pod's, sorted.
func (k *maker) peersOf(pr *program) []int {
	var out []int
	for _, s := range pr.stages {
		for _, a := range s.applied {
			for _, r := range a.policy.rules[pr.dir] {
				for _, c := range []*clause{r.peer.pos, r.peer.neg} {
					if c != nil {
						out = append(out, k.of(c)...)
					}
				}
				if r.asksPorts(pr.dir) {
					out = append(out, k.withPorts(r)...)
				}
				if s := r.peer.service; s != nil {
					out = append(out, k.w.room(s.namespace).numbers...)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// asksPorts reports whether a rule looks container ports up by name on pods that no selector finds: on any.
func (r *rule) asksPorts(dir Direction) bool {
	return dir == Egress && r.peer.pos == nil && len(r.ports.named)+len(r.ports.notNamed) > 0
}

// withPorts returns the endpoints with a container port that the rule names, or of which the ports are not known.
func (k *maker) withPorts(r *rule) []int {
	out := slices.Clone(k.m.noPorts)
	for _, name := range slices.Concat(r.ports.named, r.ports.notNamed) {
		list, _ := k.m.ports.get(name)
		out = append(out, list...)
	}
	return out
}
