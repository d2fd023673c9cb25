package reach

import (
	"maps"
	"slices"
	"strings"
)

// matrix is the whole connectivity in sparse form: a row for each endpoint and direction, and for each endpoint the
// peers that are an exception of it or to which it is one. All other pairs are known from the two bases.
type matrix struct {
	rower *rower
	rows  [2][]*row
	// excepted[dir][i] are the endpoints whose row of that direction has i as an exception.
	excepted [2][]map[int]bool
}

func newMatrix(w *World) *matrix {
	m := &matrix{rower: newRower(w)}
	n := len(w.endpoints)
	for dir := range m.rows {
		m.rows[dir], m.excepted[dir] = make([]*row, n), make([]map[int]bool, n)
	}
	for i := range w.endpoints {
		m.set(i)
	}
	return m
}

// set computes both rows of an endpoint anew.
func (m *matrix) set(i int) {
	for _, dir := range []Direction{Ingress, Egress} {
		if old := m.rows[dir][i]; old != nil {
			for peer := range old.exceptions {
				delete(m.excepted[dir][peer], i)
			}
		}
		r := m.rower.compute(i, dir)
		m.rows[dir][i] = r
		for peer := range r.exceptions {
			if m.excepted[dir][peer] == nil {
				m.excepted[dir][peer] = map[int]bool{}
			}
			m.excepted[dir][peer][i] = true
		}
	}
}

// pair returns the outcome of every port between two endpoints.
func (m *matrix) pair(from, to int) outcome {
	e, i := m.rows[Egress][from].of(to), m.rows[Ingress][to].of(from)
	return m.join(e, i, m.rower.versions[from]&m.rower.versions[to], m.rower.w.endpoints[to].host)
}

func (m *matrix) join(e, i byVersion, versions uint8, toHost bool) outcome {
	var out outcome
	if versions == 0 {
		out.deny = AllPorts()
	}
	for v := range e {
		if versions&(1<<v) == 0 {
			continue
		}
		one := outcome{e[v].allow.Intersect(i[v].allow), e[v].deny.Union(i[v].deny)}
		if versions == 3 {
			one = one.inVersion(v)
		}
		out = out.union(one)
	}
	return m.rower.w.clouded(out, toHost)
}

// clouded makes unknown what would be allowed where policies for hosts may judge it too.
func (w *World) clouded(o outcome, toHost bool) outcome {
	if len(w.hostNotes) > 0 || (toHost && w.hostEnds) {
		o.deny = o.deny.Union(o.allow)
	}
	return o
}

// sourcesOf returns the sources whose connection to an endpoint is not as their bases say, sorted.
func (m *matrix) sourcesOf(to int) []int {
	out := m.rows[Ingress][to].exceptionsOf()
	for from := range m.excepted[Egress][to] {
		out = append(out, from)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Connectivity is who can reach whom at one moment. It is immutable and stays as it is when the World changes.
type Connectivity struct {
	places []place // by endpoint
	parts  []part  // pods to pods
	outer  []outerPart
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

// place is an endpoint as connections name it.
type place struct {
	namespace, workload string
	elsewhere           bool // a pod of any namespace that is not known
	other               bool // stands for every pod of its namespace that no selector asks for
	host                bool // hostNetwork: a destination only, since what nodes open is left out
}

// Connectivity computes who can reach whom, for every pair of workloads and for every address. What a World has
// computed is kept, and only what a change touches is computed again.
func (w *World) Connectivity() *Connectivity {
	if w.conn == nil {
		w.conn = newMatrix(w)
	}
	return w.conn.connectivity()
}

func (m *matrix) connectivity() *Connectivity {
	w := m.rower.w
	c := &Connectivity{}
	for _, e := range w.endpoints {
		c.places = append(c.places, place{e.Namespace, e.Name, e.Implied && e.Namespace == "", e.Implied && len(e.labels) == 0, e.host})
	}
	sources := m.sourceGroups()
	for _, group := range m.destinationGroups() {
		m.addGroup(c, group, sources)
	}
	for i, e := range w.endpoints {
		if !e.host {
			m.addOuter(c, i)
		}
	}
	return c
}

// baseGroup is endpoints that treat every peer alike that is no exception.
type baseGroup struct {
	members  []int
	base     byVersion
	versions uint8
}

func (m *matrix) sourceGroups() []*baseGroup {
	var out []*baseGroup
	byKey := map[string]*baseGroup{}
	for i, e := range m.rower.w.endpoints {
		if e.host {
			continue
		}
		base := m.rows[Egress][i].base
		if base[0].allow.Empty() && base[1].allow.Empty() {
			continue
		}
		key := baseKey(base, m.rower.versions[i])
		g := byKey[key]
		if g == nil {
			g = &baseGroup{base: base, versions: m.rower.versions[i]}
			byKey[key] = g
			out = append(out, g)
		}
		g.members = append(g.members, i)
	}
	return out
}

func baseKey(b byVersion, versions uint8) string {
	key := string(rune('0' + versions))
	for _, o := range b {
		key += o.allow.key() + "/" + o.deny.key() + "|"
	}
	return key
}

// destinationGroup is destinations with equal bases, versions and exceptional sources.
type destinationGroup struct {
	members  []int
	explicit []int
	outcomes []outcome // of the explicit sources
}

func (m *matrix) destinationGroups() []*destinationGroup {
	var out []*destinationGroup
	byKey := map[string]*destinationGroup{}
	for to := range m.rower.w.endpoints {
		g := &destinationGroup{members: []int{to}, explicit: m.sourcesOf(to)}
		var key strings.Builder
		key.WriteString(baseKey(m.rows[Ingress][to].base, m.rower.versions[to]))
		if m.rower.w.endpoints[to].host {
			key.WriteByte('h')
		}
		for _, from := range g.explicit {
			o := m.pair(from, to)
			g.outcomes = append(g.outcomes, o)
			key.WriteString(itoa(from))
			key.WriteByte(':')
			key.WriteString(o.allow.key())
			key.WriteByte('/')
			key.WriteString(o.deny.key())
			key.WriteByte('|')
		}
		if known := byKey[key.String()]; known != nil {
			known.members = append(known.members, to)
			continue
		}
		byKey[key.String()] = g
		out = append(out, g)
	}
	return out
}

// addGroup adds the connections to the destinations of one group, by what is allowed and what is unknown.
func (m *matrix) addGroup(c *Connectivity, g *destinationGroup, sources []*baseGroup) {
	type entry struct {
		ports   Ports
		unknown bool
		from    []int
	}
	entries := map[string]*entry{}
	add := func(o outcome, from ...int) {
		unknown := o.allow.Intersect(o.deny)
		for _, e := range []entry{{ports: o.allow.Minus(unknown)}, {ports: unknown, unknown: true}} {
			if e.ports.Empty() || len(from) == 0 {
				continue
			}
			key := e.ports.key()
			if e.unknown {
				key += "?"
			}
			if entries[key] == nil {
				entries[key] = &e
			}
			entries[key].from = append(entries[key].from, from...)
		}
	}
	to := g.members[0]
	for k, from := range g.explicit {
		if !c.places[from].host {
			add(g.outcomes[k], from)
		}
	}
	base := m.rows[Ingress][to].base
	for _, s := range sources {
		o := m.join(s.base, base, s.versions&m.rower.versions[to], c.places[to].host)
		if o.allow.Empty() {
			continue
		}
		var from []int
		for _, i := range s.members {
			if _, found := slices.BinarySearch(g.explicit, i); !found {
				from = append(from, i)
			}
		}
		add(o, from...)
	}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		e := entries[key]
		slices.Sort(e.from)
		c.parts = append(c.parts, part{e.from, g.members, e.ports, e.unknown})
	}
}

func (m *matrix) addOuter(c *Connectivity, i int) {
	for _, dir := range []Direction{Egress, Ingress} {
		for _, a := range m.rows[dir][i].addresses {
			o := m.rower.w.clouded(a.outcome, false)
			unknown := o.allow.Intersect(o.deny)
			if allowed := o.allow.Minus(unknown); !allowed.Empty() {
				c.outer = append(c.outer, outerPart{i, dir == Egress, a.addresses, allowed, false})
			}
			if !unknown.Empty() {
				c.outer = append(c.outer, outerPart{i, dir == Egress, a.addresses, unknown, true})
			}
		}
	}
}
