package reach

import "slices"

// pairing numbers the endpoints of two matrices. One that both have, by the name by which connections call it, has one
// number.
type pairing struct {
	sides   [2]*matrix
	places  []place  // by number
	numbers [2][]int // by number, the endpoint's own number on each side; -1 where there is none
	shared  [2][]int // the reverse
}

func pairUp(a, b *matrix) *pairing {
	p := &pairing{sides: [2]*matrix{a, b}, shared: [2][]int{make([]int, len(a.endpoints)), make([]int, len(b.endpoints))}}
	n := max(len(a.endpoints), len(b.endpoints))
	p.places, p.numbers = make([]place, 0, n), [2][]int{make([]int, 0, n), make([]int, 0, n)}
	rest := map[place]int{}
	for i, e := range a.endpoints {
		switch {
		case e == nil:
		case a.line == b.line && i < len(b.endpoints) && b.endpoints[i] != nil && (b.endpoints[i] == e || placeOf(b.endpoints[i]) == placeOf(e)):
			p.add(placeOf(e), i, i)
		default:
			rest[placeOf(e)] = p.add(placeOf(e), i, -1)
		}
	}
	for i, e := range b.endpoints {
		if e == nil || (i < len(p.shared[0]) && a.line == b.line && p.paired(i)) {
			continue
		}
		if n, ok := rest[placeOf(e)]; ok {
			delete(rest, placeOf(e))
			p.numbers[1][n], p.shared[1][i] = i, n
			continue
		}
		p.add(placeOf(e), -1, i)
	}
	return p
}

// paired reports whether the endpoint of a number that both sides use is one of both.
func (p *pairing) paired(i int) bool {
	n := p.shared[1][i]
	return n < len(p.places) && p.numbers[1][n] == i
}

func (p *pairing) add(at place, a, b int) int {
	n := len(p.places)
	p.places = append(p.places, at)
	for side, own := range [2]int{a, b} {
		p.numbers[side] = append(p.numbers[side], own)
		if own >= 0 {
			p.shared[side][own] = n
		}
	}
	return n
}

// differs reports whether what an endpoint's policies make of its peers may be another on the two sides.
func (p *pairing) differs(i int, dir Direction) bool {
	a, b := p.numbers[0][i], p.numbers[1][i]
	if a < 0 || b < 0 {
		return true
	}
	before, after := p.sides[0], p.sides[1]
	if e, f := before.endpoints[a], after.endpoints[b]; e != f && !e.at.same(f.at) {
		return true
	}
	if before.clouds.forwarded != after.clouds.forwarded || (p.places[i].host && before.clouds.hosts != after.clouds.hosts) {
		return true
	}
	r, s := before.rows[dir][a], after.rows[dir][b]
	switch {
	case r == s:
		return false
	case r.key != s.key || len(r.exceptions) != len(s.exceptions):
		return true
	}
	return slices.ContainsFunc(r.exceptions, func(x exception) bool {
		peer := p.numbers[1][p.shared[0][x.peer]]
		if peer < 0 {
			return true
		}
		o, ok := s.exception(peer)
		return !ok || !o.equal(x.outcome)
	})
}
