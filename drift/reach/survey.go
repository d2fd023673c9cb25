package reach

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"unique"
)

// survey sorts the endpoints of a matrix into groups that are treated alike, so that the whole is told in groups.
type survey struct {
	*matrix
	order   []int // numbers, by namespace and name
	places  []int // by number, the place in that order
	bases   *bases
	classes []int // by number: endpoints of a class have addresses that no table tells apart
}

// bases says of each table what it makes of every endpoint that is no exception, if that is the same for all.
type bases struct {
	space  Addresses
	known  map[unique.Handle[string]]*base
	tables []*table // those that tell endpoints apart by their addresses
}

// base is what a table makes of the world's endpoints.
type base struct {
	constant bool
	outcome  byVersion // if it is constant
	key      unique.Handle[string]
}

func newBases(space Addresses) *bases {
	return &bases{space: space, known: map[unique.Handle[string]]*base{}}
}

func (b *bases) of(t *table) *base {
	found := b.known[t.key]
	if found != nil {
		return found
	}
	found = &base{key: t.key}
	if found.outcome, found.constant = t.constant(b.space); found.constant {
		found.key = unique.Make("constant " + found.outcome.key())
	} else {
		b.tables = append(b.tables, t)
	}
	b.known[t.key] = found
	return found
}

func newSurvey(m *matrix) *survey {
	s := &survey{matrix: m, order: m.sorted(), places: make([]int, len(m.endpoints)), bases: newBases(m.exactSpace())}
	for k, i := range s.order {
		s.places[i] = k
		s.bases.of(m.rows[Ingress][i].table)
		s.bases.of(m.rows[Egress][i].table)
	}
	s.classify()
	return s
}

// exactSpace is every address that an endpoint may have.
func (m *matrix) exactSpace() Addresses {
	var spans []addressSpan
	seen := map[addressKind]bool{}
	for _, e := range m.endpoints {
		if e == nil || (e.at.kind != itsOwn && seen[e.at.kind]) {
			continue
		}
		seen[e.at.kind] = true
		spans = append(spans, e.at.addresses.spans...)
	}
	return joinedAddresses(spans)
}

// classify numbers the endpoints' classes.
func (s *survey) classify() {
	s.classes = make([]int, len(s.endpoints))
	slices.SortFunc(s.bases.tables, func(a, b *table) int { return cmp.Compare(a.key.Value(), b.key.Value()) })
	numbers := map[string]int{}
	for _, i := range s.order {
		at := &s.endpoints[i].at
		key := []byte{at.versions}
		for _, t := range s.bases.tables {
			class, ok := t.class(at)
			if !ok {
				key = at.addresses.appendKey([]byte("own"))
				break
			}
			key = append(strconv.AppendInt(key, int64(class), 10), ',')
		}
		n, ok := numbers[string(key)]
		if !ok {
			n = len(numbers)
			numbers[string(key)] = n
		}
		s.classes[i] = n
	}
}

// groupKey is equal for endpoints that treat alike, and are treated alike by, every peer that is no exception.
type groupKey struct {
	base  unique.Handle[string]
	class int
	host  bool
}

func (s *survey) key(i int, dir Direction) groupKey {
	return groupKey{s.bases.of(s.rows[dir][i].table).key, s.classes[i], s.endpoints[i].host}
}

// group is endpoints with one key; for destinations, also with the same exceptional sources.
type group struct {
	members  []int // places
	one      int   // number of one of them
	explicit []int // numbers of exceptional sources
	outcomes []outcome
}

// sources returns the groups of sources that may open anything.
func (s *survey) sources() []*group {
	var out []*group
	byKey := map[groupKey]*group{}
	for k, i := range s.order {
		if s.endpoints[i].host {
			continue
		}
		b := s.bases.of(s.rows[Egress][i].table)
		if b.constant && b.outcome[0].allow.Empty() && b.outcome[1].allow.Empty() {
			continue
		}
		key := s.key(i, Egress)
		g := byKey[key]
		if g == nil {
			g = &group{one: i}
			byKey[key] = g
			out = append(out, g)
		}
		g.members = append(g.members, k)
	}
	return out
}

// destinations returns the groups of destinations that the same sources reach alike.
func (s *survey) destinations() []*group {
	type fullKey struct {
		groupKey
		explicit string
	}
	var out []*group
	byKey := map[fullKey]*group{}
	for k, i := range s.order {
		g := &group{members: []int{k}, one: i, explicit: s.explicit(i, Ingress)}
		var sources []byte
		for _, from := range g.explicit {
			o := s.pair(from, i)
			g.outcomes = append(g.outcomes, o)
			sources = o.appendKey(append(strconv.AppendInt(sources, int64(from), 10), ':'))
		}
		key := fullKey{s.key(i, Ingress), string(sources)}
		if known := byKey[key]; known != nil {
			known.members = append(known.members, k)
			continue
		}
		byKey[key] = g
		out = append(out, g)
	}
	return out
}

// parts returns the connections to the destinations of one group, by what is allowed and what is unknown.
func (s *survey) parts(g *group, sources []*group) []part {
	entries := map[string]*part{}
	add := func(o outcome, from ...int) {
		unknown := o.allow.Intersect(o.deny)
		for _, p := range []part{{to: g.members, ports: o.allow.Minus(unknown)}, {to: g.members, ports: unknown, unknown: true}} {
			if p.ports.Empty() || len(from) == 0 {
				continue
			}
			key := p.ports.key()
			if p.unknown {
				key += "?"
			}
			if entries[key] == nil {
				entries[key] = &p
			}
			entries[key].from = append(entries[key].from, from...)
		}
	}
	explicit := make([]int, 0, len(g.explicit))
	for k, from := range g.explicit {
		explicit = append(explicit, s.places[from])
		if !s.endpoints[from].host {
			add(g.outcomes[k], s.places[from])
		}
	}
	slices.Sort(explicit)
	for _, source := range sources {
		if o := s.base(source.one, g.one); !o.allow.Empty() {
			add(o, without(source.members, explicit)...)
		}
	}
	out := make([]part, 0, len(entries))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		slices.Sort(entries[key].from)
		out = append(out, *entries[key])
	}
	return out
}

// without returns the members of a sorted list that are not in another sorted list.
func without(list, excluded []int) []int {
	var out []int
	for _, i := range list {
		if _, found := slices.BinarySearch(excluded, i); !found {
			out = append(out, i)
		}
	}
	return out
}
