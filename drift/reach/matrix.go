package reach

import (
	"maps"
	"slices"
	"unique"
)

// matrix is the whole connectivity in sparse form: for each endpoint and direction a row, and the endpoints in whose rows
// it is an exception. All other pairs are known from the two tables. A matrix is immutable once it is made; a change makes
// another, which has the rows in common that it does not touch.
type matrix struct {
	line      *lineage
	endpoints []*Endpoint // by number; nil where there is none
	rows      [2][]*row   // by direction and number
	excepted  [2][][]int  // the numbers of the endpoints whose row of that direction has it as an exception, sorted
	space     Addresses   // includes every address that an endpoint may have
	clouds    clouds
	members   layers[string, []int] // what cluster-wide clauses select, by text, as far as it was asked; sorted
	ports     layers[string, []int] // endpoints with a container port of a name
	noPorts   []int                 // endpoints whose container ports are not known
	work      int                   // rows that were computed, or of which a peer was looked at again, to make it
}

// lineage is shared by matrices that number their endpoints alike.
type lineage struct{ _ byte }

// clouds say what the world's policies for hosts make unknown.
type clouds struct{ forwarded, hosts bool }

// maker computes rows for a matrix that is being made. What it remembers depends on the world as it is.
type maker struct {
	w        *World
	m        *matrix
	cuts     map[string]*cutSpace
	tables   map[unique.Handle[string]]*table
	outcomes map[string]*byVersion
	lookup   *lookup // nil until it pays
	scans    int
}

func newMaker(w *World, m *matrix) *maker {
	m.clouds = clouds{len(w.cluster.hostNotes) > 0, w.cluster.hostEnds}
	return &maker{
		w: w, m: m, cuts: map[string]*cutSpace{}, tables: map[unique.Handle[string]]*table{}, outcomes: map[string]*byVersion{},
	}
}

// newMatrix computes every row of a world.
func newMatrix(w *World) *matrix {
	m := &matrix{line: &lineage{}, endpoints: w.endpoints}
	k := newMaker(w, m)
	m.space = w.podSpace
	var spans []addressSpan
	for i, e := range m.endpoints {
		if e != nil {
			k.notePorts(i, e)
			spans = append(spans, e.at.addresses.spans...)
		}
	}
	m.space = m.space.Union(joinedAddresses(spans))
	n := len(m.endpoints)
	for _, dir := range []Direction{Ingress, Egress} {
		m.rows[dir], m.excepted[dir] = make([]*row, n), make([][]int, n)
		for _, i := range numbersOf(m.endpoints) {
			r := k.compute(i, dir)
			m.rows[dir][i] = r
			for _, x := range r.exceptions {
				m.excepted[dir][x.peer] = append(m.excepted[dir][x.peer], i)
			}
		}
	}
	m.members.settle()
	m.ports.settle()
	return m
}

// copy returns a matrix that may be changed, and has room for n endpoints.
func (m *matrix) copy(n int) *matrix {
	out := *m
	for dir := range out.rows {
		out.rows[dir] = append(make([]*row, 0, n), m.rows[dir]...)[:n]
		out.excepted[dir] = append(make([][]int, 0, n), m.excepted[dir]...)[:n]
	}
	out.members, out.ports = m.members.copy(), m.ports.copy()
	return &out
}

// notePorts notes the container ports by which rules may find an endpoint.
func (k *maker) notePorts(i int, e *Endpoint) {
	note := func(list []int) []int {
		if k.m.ports.shared {
			list = slices.Clip(list)
		}
		return append(list, i)
	}
	if !e.portsKnown {
		k.m.noPorts = note(k.m.noPorts)
	}
	for name := range e.portNames() {
		list, _ := k.m.ports.get(name)
		k.m.ports.set(name, note(list))
	}
}

// forgetPorts takes back what notePorts noted.
func (k *maker) forgetPorts(i int, e *Endpoint) {
	is := func(n int) bool { return n == i }
	if !e.portsKnown {
		k.m.noPorts = slices.DeleteFunc(slices.Clone(k.m.noPorts), is)
	}
	for name := range e.portNames() {
		list, _ := k.m.ports.get(name)
		k.m.ports.set(name, slices.DeleteFunc(slices.Clone(list), is))
	}
}

func (e *Endpoint) portNames() map[string]bool {
	out := map[string]bool{}
	for _, port := range e.namedPorts {
		out[port.name] = true
	}
	return out
}

func (k *maker) tableOf(rows []addressRow) *table {
	key := tableKey(rows)
	if k.tables[key] == nil {
		k.tables[key] = newTable(rows, key, k.w.podSpace, k.w.nodeSpace)
	}
	return k.tables[key]
}

func (k *maker) outcomeOf(o *byVersion) *byVersion {
	key := o.key()
	if k.outcomes[key] == nil {
		k.outcomes[key] = o
	}
	return k.outcomes[key]
}

// pair returns the outcome of every port between two endpoints.
func (m *matrix) pair(from, to int) outcome {
	a, b := m.endpoints[from], m.endpoints[to]
	return m.join(m.rows[Egress][from].of(to, &b.at), m.rows[Ingress][to].of(from, &a.at), a, b)
}

// base returns the outcome for two endpoints of which neither is an exception of the other.
func (m *matrix) base(from, to int) outcome {
	a, b := m.endpoints[from], m.endpoints[to]
	return m.join(m.rows[Egress][from].at(&b.at), m.rows[Ingress][to].at(&a.at), a, b)
}

func (m *matrix) join(out, in byVersion, from, to *Endpoint) (o outcome) {
	versions := from.at.versions & to.at.versions
	if versions == 0 {
		o.deny = AllPorts()
	}
	for v := range out {
		if versions&(1<<v) == 0 {
			continue
		}
		one := outcome{out[v].allow.Intersect(in[v].allow), out[v].deny.Union(in[v].deny)}
		if versions == 3 {
			one = one.inVersion(v)
		}
		o = o.union(one)
	}
	return m.clouds.over(o, to.host)
}

// over makes unknown what would be allowed where policies for hosts may judge it too.
func (c clouds) over(o outcome, toHost bool) outcome {
	if c.forwarded || (toHost && c.hosts) {
		o.deny = o.deny.Union(o.allow)
	}
	return o
}

// explicit returns the peers whose connection with an endpoint is not as the two tables say, sorted: the sources that
// reach it, or for Egress the destinations that it reaches.
func (m *matrix) explicit(i int, dir Direction) []int {
	var out []int
	for _, x := range m.rows[dir][i].exceptions {
		out = append(out, x.peer)
	}
	out = append(out, m.excepted[1-dir][i]...)
	slices.Sort(out)
	return slices.Compact(out)
}

// put replaces the row of an endpoint; nil takes it away.
func (k *maker) put(i int, dir Direction, r *row, touched *[2]map[int][]int) {
	old := k.m.rows[dir][i]
	if old != nil && r != nil && old.same(r) {
		return
	}
	peers := map[int]bool{}
	for _, one := range []*row{old, r} {
		if one != nil {
			for _, x := range one.exceptions {
				peers[x.peer] = !peers[x.peer]
			}
		}
	}
	for peer, differs := range peers {
		if differs {
			touched[dir][peer] = append(touched[dir][peer], i)
		}
	}
	k.m.rows[dir][i] = r
}

// settle brings the lists of exceptions in line with the rows that were put.
func (k *maker) settle(touched *[2]map[int][]int) {
	for dir := range touched {
		for peer, rows := range touched[dir] {
			k.m.excepted[dir][peer] = k.relist(Direction(dir), peer, rows)
		}
	}
}

func (k *maker) relist(dir Direction, peer int, rows []int) []int {
	again := map[int]bool{}
	for _, i := range rows {
		again[i] = true
	}
	var list []int
	for _, i := range k.m.excepted[dir][peer] {
		if !again[i] {
			list = append(list, i)
		}
	}
	for _, i := range slices.Sorted(maps.Keys(again)) {
		if r := k.m.rows[dir][i]; r != nil {
			if _, is := r.exception(peer); is {
				list = append(list, i)
			}
		}
	}
	slices.Sort(list)
	return list
}
