package reach

import "slices"

// Connectivity is who can reach whom at one moment. It is immutable, stays as it is when the World changes, and shares with
// what the World computes later all that is not touched.
type Connectivity struct{ m *matrix }

// Connectivity computes who can reach whom, for every pair of workloads and for every address. What a World has
// computed is kept, and only what a change touches is computed again.
func (w *World) Connectivity() *Connectivity {
	if w.conn == nil {
		w.conn = newMatrix(w)
	}
	return &Connectivity{w.conn}
}

// place is an endpoint as connections name it.
type place struct {
	namespace, workload string
	elsewhere           bool // a pod of any namespace that is not known
	other               bool // stands for every pod of its namespace that no selector asks for
	host                bool // hostNetwork: a destination only, since what nodes open is left out
}

func placeOf(e *Endpoint) place {
	return place{e.Namespace, e.Name, e.Implied && e.Namespace == "", e.Implied && len(e.labels) == 0, e.host}
}

// part says that all its sources reach all its destinations (themselves left out) on ports.
type part struct {
	from, to []int // of places
	ports    Ports
	unknown  bool
}

// outerPart says that pods reach addresses, or the reverse.
type outerPart struct {
	pod       int
	outbound  bool
	addresses Addresses
	ports     Ports
	unknown   bool
}

// outer returns what an endpoint and addresses may open to each other.
func (m *matrix) outer(i int, dir Direction) []outerPart {
	var out []outerPart
	for _, a := range m.rows[dir][i].rows {
		o := m.clouds.over(a.outcome, false)
		unknown := o.allow.Intersect(o.deny)
		if allowed := o.allow.Minus(unknown); !allowed.Empty() {
			out = append(out, outerPart{i, dir == Egress, a.addresses, allowed, false})
		}
		if !unknown.Empty() {
			out = append(out, outerPart{i, dir == Egress, a.addresses, unknown, true})
		}
	}
	return out
}

// listing is a connectivity in places sorted by name.
type listing struct {
	places []place
	parts  []part
	outer  []outerPart
}

// list spells a connectivity out.
func (c *Connectivity) list() *listing {
	s := newSurvey(c.m)
	out := &listing{}
	for _, i := range s.order {
		out.places = append(out.places, placeOf(c.m.endpoints[i]))
	}
	sources := s.sources()
	for _, g := range s.destinations() {
		out.parts = append(out.parts, s.parts(g, sources)...)
	}
	for k, i := range s.order {
		if c.m.endpoints[i].host {
			continue
		}
		for _, dir := range []Direction{Egress, Ingress} {
			for _, p := range c.m.outer(i, dir) {
				p.pod = k
				out.outer = append(out.outer, p)
			}
		}
	}
	return out
}

// sorted returns the numbers of all endpoints by namespace and name.
func (m *matrix) sorted() []int {
	order := numbersOf(m.endpoints)
	slices.SortFunc(order, func(a, b int) int { return compareEndpoints(m.endpoints[a], m.endpoints[b]) })
	return order
}
