package reach

import (
	"slices"
	"unique"
)

// byVersion is an outcome for IPv4 and one for IPv6.
type byVersion [2]outcome

func (v *byVersion) equal(w *byVersion) bool { return v[0].equal(w[0]) && v[1].equal(w[1]) }

// addressRow is what is made of some addresses.
type addressRow struct {
	addresses Addresses
	outcome   outcome
}

// table is what the policies of an endpoint in one direction make of every address, and so of every pod of which they ask
// nothing but its address. Tables are immutable, and equal ones have equal keys.
type table struct {
	rows        []addressRow
	key         unique.Handle[string]
	pods, nodes byVersion // what they make of pods and of nodes whose address is not known
}

func newTable(rows []addressRow, key unique.Handle[string], podSpace, nodeSpace Addresses) *table {
	t := &table{rows: rows, key: key}
	t.pods, t.nodes = t.within(podSpace), t.within(nodeSpace)
	return t
}

// addOutcome joins addresses to those with the same outcome.
func addOutcome(rows []addressRow, addresses Addresses, o outcome) []addressRow {
	for i := range rows {
		if rows[i].outcome.equal(o) {
			rows[i].addresses = rows[i].addresses.Union(addresses)
			return rows
		}
	}
	return append(rows, addressRow{addresses, o})
}

// tableKey puts rows in the order of their addresses and names them.
func tableKey(rows []addressRow) unique.Handle[string] {
	slices.SortFunc(rows, func(a, b addressRow) int { return a.addresses.spans[0].lo.Compare(b.addresses.spans[0].lo) })
	var b []byte
	for _, r := range rows {
		b = append(r.outcome.appendKey(r.addresses.appendKey(b)), ';')
	}
	return unique.Make(string(b))
}

func (o outcome) appendKey(b []byte) []byte {
	return append(o.deny.appendKey(append(o.allow.appendKey(b), '/')), '|')
}

// key returns a text that is equal for equal outcomes only.
func (v *byVersion) key() string { return string(v[1].appendKey(v[0].appendKey(nil))) }

// within joins the outcomes of all addresses of a space.
func (t *table) within(space Addresses) (out byVersion) {
	for i := range t.rows {
		r := &t.rows[i]
		common := r.addresses.Intersect(space)
		for v, has := 0, versionsOf(common); v < 2; v++ {
			if has&(1<<v) != 0 {
				out[v] = out[v].union(r.outcome)
			}
		}
	}
	return out
}

// at returns what is made of an endpoint by its addresses alone.
func (t *table) at(a *whereabouts) byVersion {
	switch a.kind {
	case somewhere:
		return t.pods
	case onNodes:
		return t.nodes
	}
	if !a.plain() {
		return t.within(a.addresses)
	}
	var out byVersion
	for _, s := range a.addresses.spans {
		out[familyIndex(s.lo)] = t.rows[t.find(s)].outcome
	}
	return out
}

// class numbers what at returns: endpoints of one class are treated alike by their addresses. ok is false for those that
// are a class of their own.
func (t *table) class(a *whereabouts) (class int, ok bool) {
	switch {
	case a.kind == somewhere:
		return 0, true
	case a.kind == onNodes:
		return 1, true
	case !a.plain():
		return 0, false
	}
	class = 2
	for _, s := range a.addresses.spans {
		class += (1 + t.find(s)) * [2]int{1, len(t.rows) + 1}[familyIndex(s.lo)]
	}
	return class, true
}

// find returns the row of one address. Every address has one.
func (t *table) find(s addressSpan) int {
	for i := range t.rows {
		if t.rows[i].addresses.Has(s.lo) {
			return i
		}
	}
	panic("an address is in no row of a table, which holds all")
}

// plain reports whether there is at most one address of each version of IP.
func (a *whereabouts) plain() bool {
	spans := a.addresses.spans
	if len(spans) > 2 || (len(spans) == 2 && spans[0].lo.BitLen() == spans[1].lo.BitLen()) {
		return false
	}
	for _, s := range spans {
		if s.lo != s.hi {
			return false
		}
	}
	return true
}

// constant returns what a table makes of every address of a space; ok is false if that is not the same for all of one
// version of IP.
func (t *table) constant(space Addresses) (out byVersion, ok bool) {
	var seen uint8
	for i := range t.rows {
		has := versionsOf(t.rows[i].addresses.Intersect(space))
		if has&seen != 0 {
			return byVersion{}, false
		}
		seen |= has
		for v := range out {
			if has&(1<<v) != 0 {
				out[v] = t.rows[i].outcome
			}
		}
	}
	return out, true
}
