package reach

import (
	"maps"
	"slices"
)

// settle brings the index in line with the items, then the rows with the index.
func (b *batch) settle() {
	w := b.w
	b.before = w.cluster
	if items, ok := b.dirty[""]; ok {
		w.cluster = w.newCluster(items)
		b.dirtyNodes()
	}
	for _, name := range sortedKeys(b.dirty) {
		b.replace(w.room(name), w.furnish(name, b.dirty[name]))
	}
	b.repolicy()
	if w.config.Implied && b.rethinks() {
		b.recast(w.implyWide())
	}
	w.endpoints = slices.Clone(w.endpoints)
	for _, c := range b.rooms {
		w.complete(c.is)
		b.renumber(c)
	}
	b.tidy()
	for _, m := range b.moved {
		if m.is == nil {
			w.free = append(slices.Clip(w.free), m.number)
		}
	}
	if w.conn != nil {
		w.conn = b.rows()
	}
}

// tidy drops rooms that nothing is in any more.
func (b *batch) tidy() {
	for _, c := range b.rooms {
		if len(c.is.items)+len(c.is.endpoints) == 0 && c.is.name != "" {
			b.w.rooms.remove(c.is.name)
		}
	}
}

// dirtyNodes adds the namespaces of hostNetwork pods whose node has other addresses now.
func (b *batch) dirtyNodes() {
	for _, e := range b.w.endpoints {
		if e == nil || !e.host || slices.Equal(b.before.nodes[e.node], b.w.cluster.nodes[e.node]) {
			continue
		}
		if _, ok := b.dirty[e.Namespace]; !ok {
			b.dirty[e.Namespace] = b.w.room(e.Namespace).items
		}
	}
}

func (b *batch) replace(was, is *room) {
	b.w.rooms.set(is.name, is)
	b.w.sets += len(is.sets) - len(was.sets)
	b.rooms = append(b.rooms, roomChange{was, is})
}

// repolicy brings what policies ask, and what network sets answer, up to date.
func (b *batch) repolicy() {
	var sets []setChange
	for _, c := range b.rooms {
		for _, p := range missing(c.was.policies, c.is.policies) {
			for _, text := range b.w.dismiss(p) {
				b.asked[text]--
			}
		}
		sets = append(sets, c.changedSets()...)
	}
	for text, c := range b.w.clauses.all() {
		if slices.ContainsFunc(sets, func(s setChange) bool { return s.concerns(c.clause) }) {
			b.wide[text] = true
		}
	}
	for text := range b.wide {
		c, _ := b.w.clauses.get(text)
		b.w.clauses.set(text, &wideClause{c.clause, b.w.setMatchOf(c.clause)})
	}
	for _, c := range b.rooms {
		for _, p := range missing(c.is.policies, c.was.policies) {
			for _, text := range b.w.enlist(p) {
				b.asked[text]++
			}
		}
	}
}

// missing returns what of a list is not in another.
func missing(list, other []*policy) []*policy {
	var out []*policy
	for _, p := range list {
		if !slices.Contains(other, p) {
			out = append(out, p)
		}
	}
	return out
}

// rethinks reports whether cluster-wide clauses may imply other workloads than before.
func (b *batch) rethinks() bool {
	for _, n := range b.asked {
		if n != 0 {
			return true
		}
	}
	return slices.ContainsFunc(b.rooms, func(c roomChange) bool {
		return c.was.object != c.is.object || !c.was.own.same(c.is.own) || !slices.EqualFunc(c.was.given, c.is.given, (*Endpoint).same)
	})
}

// recast adds the rooms that get other workloads.
func (b *batch) recast(implied map[string][]*Endpoint) {
	was := b.w.implied
	b.w.implied = implied
	names := maps.Clone(was)
	maps.Copy(names, implied)
	for _, name := range sortedKeys(names) {
		if slices.ContainsFunc(b.rooms, func(c roomChange) bool { return c.is.name == name }) ||
			slices.EqualFunc(was[name], implied[name], (*Endpoint).same) {
			continue
		}
		old := b.w.room(name)
		fresh := *old
		b.replace(old, &fresh)
	}
}

// renumber gives the endpoints of a room their numbers: those of before where the endpoint is one of before.
func (b *batch) renumber(c roomChange) {
	type identity struct {
		name, kind string
		implied    bool
	}
	of := func(e *Endpoint) identity { return identity{e.Name, e.Ref.Kind, e.Implied} }
	old := make(map[identity]int, len(c.was.endpoints))
	for k, e := range c.was.endpoints {
		old[of(e)] = k
	}
	c.is.numbers = make([]int, len(c.is.endpoints))
	for k, e := range c.is.endpoints {
		was, ok := old[of(e)]
		if !ok {
			c.is.numbers[k] = b.number(e)
			continue
		}
		delete(old, of(e))
		c.is.numbers[k] = c.was.numbers[was]
		b.keep(c, k, c.was.endpoints[was])
	}
	for _, k := range slices.Sorted(maps.Values(old)) {
		number := c.was.numbers[k]
		b.w.endpoints[number] = nil
		b.moved = append(b.moved, move{number, c.was.endpoints[k], nil})
	}
}

// keep puts an endpoint in the place of the one that it was, which stays if nothing differs.
func (b *batch) keep(c roomChange, k int, was *Endpoint) {
	e, number := c.is.endpoints[k], c.is.numbers[k]
	switch {
	case !e.same(was):
		b.moved = append(b.moved, move{number, was, e})
	case e.Origin == was.Origin:
		c.is.endpoints[k] = was
	}
	b.w.endpoints[number] = c.is.endpoints[k]
}

// number gives a new endpoint a number.
func (b *batch) number(e *Endpoint) int {
	w := b.w
	n := len(w.endpoints)
	if len(w.free) > 0 {
		n, w.free = w.free[len(w.free)-1], w.free[:len(w.free)-1]
		w.endpoints[n] = e
	} else {
		w.endpoints = append(w.endpoints, e)
	}
	b.moved = append(b.moved, move{n, nil, e})
	return n
}
