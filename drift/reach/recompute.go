package reach

import "slices"

// recount is what of a matrix has to be computed again after a batch.
type recount struct {
	*batch
	*maker
	rows    [2]map[int]bool  // whole rows, by direction and number
	peers   [2]map[int][]int // of the other rows, the peers to look at again
	touched [2]map[int][]int
}

// rows returns the matrix of the world as it is now, made of that of before.
func (b *batch) rows() *matrix {
	k := newMaker(b.w, b.w.conn.copy(len(b.w.endpoints)))
	k.m.endpoints, k.m.work = b.w.endpoints, 0
	c := &recount{b, k, [2]map[int]bool{{}, {}}, [2]map[int][]int{{}, {}}, [2]map[int][]int{{}, {}}}
	c.remember()
	for _, change := range b.rooms {
		c.room(change)
	}
	c.tiers()
	for text := range b.wide {
		c.users(text)
	}
	for _, m := range b.moved {
		c.move(m)
	}
	c.compute()
	return k.m
}

// remember brings what the matrix knows of endpoints up to date.
func (c *recount) remember() {
	for text, n := range c.asked {
		if n < 0 {
			c.m.members.remove(text)
		}
	}
	for _, m := range c.moved {
		ports := m.was == nil || m.is == nil || m.was.portsKnown != m.is.portsKnown || !slices.Equal(m.was.namedPorts, m.is.namedPorts)
		if m.was != nil && ports {
			c.forgetPorts(m.number, m.was)
		}
		if m.is != nil {
			if ports {
				c.notePorts(m.number, m.is)
			}
			if !c.m.space.Contains(m.is.at.addresses) {
				c.m.space = c.m.space.Union(m.is.at.addresses)
			}
		}
	}
	for text, wide := range c.batch.w.clauses.all() {
		list, ok := c.m.members.get(text)
		if !ok {
			continue
		}
		if now := c.selected(wide.clause, list); !slices.Equal(now, list) {
			c.m.members.set(text, now)
		}
	}
}

// selected returns a sorted list of what a clause selects after the moves.
func (c *recount) selected(wide *clause, list []int) []int {
	copied := false
	for _, m := range c.moved {
		at, was := slices.BinarySearch(list, m.number)
		is := wide.of(m.is) != no
		if was == is {
			continue
		}
		if !copied {
			list, copied = slices.Clone(list), true
		}
		if is {
			list = slices.Insert(list, at, m.number)
		} else {
			list = slices.Delete(list, at, at+1)
		}
	}
	return list
}

// policy marks the rows of those that a policy judges or may judge.
func (c *recount) policy(p *policy) {
	for _, i := range c.subjects(p) {
		c.mark(i, p)
	}
}

func (c *recount) mark(i int, p *policy) {
	for dir, applies := range p.applies {
		if applies {
			c.rows[dir][i] = true
		}
	}
}

// subjects returns the endpoints that a policy judges or may judge.
func (c *recount) subjects(p *policy) []int {
	if p.subject.namespace != "" {
		return c.matching(p.subject, c.batch.w.room(p.subject.namespace).numbers)
	}
	if known, ok := c.m.members.get(p.subject.text); ok {
		return known
	}
	return c.matching(p.subject, numbersOf(c.m.endpoints))
}

// room marks the rows that a room's policies, network sets and Services decide about.
func (c *recount) room(change roomChange) {
	was, is := change.was, change.is
	for _, lists := range [][2][]*policy{{was.policies, is.policies}, {is.policies, was.policies}} {
		for _, p := range missing(lists[0], lists[1]) {
			c.policy(p)
		}
	}
	if sets := change.changedSets(); len(sets) > 0 {
		for _, p := range is.policies {
			asks := func(clause *clause) bool {
				return clause.namespace != "" && slices.ContainsFunc(sets, func(s setChange) bool { return s.concerns(clause) })
			}
			if slices.ContainsFunc(p.wants().clauses, asks) {
				c.policy(p)
			}
		}
	}
	for name := range union(was.services, is.services) {
		if was.services[name] != is.services[name] {
			c.service(serviceRef{is.name, name})
		}
	}
	for name := range union(was.slices, is.slices) {
		if !slices.Equal(was.slices[name], is.slices[name]) {
			c.service(serviceRef{is.name, name})
		}
	}
}

func (c *recount) service(ref serviceRef) {
	for _, p := range c.batch.w.services.of(ref) {
		c.policy(p)
	}
}

func union[V any](a, b map[string]V) map[string]bool {
	out := map[string]bool{}
	for _, m := range []map[string]V{a, b} {
		for key := range m {
			out[key] = true
		}
	}
	return out
}

// users marks the rows of those that are judged by a rule with a cluster-wide clause.
func (c *recount) users(text string) {
	for _, p := range c.batch.w.askers.of(asked{text, false}) {
		c.policy(p)
	}
}

// tiers marks the rows of those that are judged by a policy of a tier that changed.
func (c *recount) tiers() {
	changed := map[string]bool{}
	for name := range union(c.before.tiers, c.batch.w.cluster.tiers) {
		if !sameTier(c.before.tiers[name], c.batch.w.cluster.tiers[name]) {
			changed[name] = true
		}
	}
	if len(changed) == 0 {
		return
	}
	for _, r := range c.batch.w.rooms.all() {
		for _, p := range r.policies {
			if changed[p.tier] {
				c.policy(p)
			}
		}
	}
}

// sameTier reports whether two tiers order and decide alike.
func sameTier(t, u *tier) bool {
	if t == nil || u == nil {
		return t == u
	}
	return t.order == u.order && t.action == u.action && t.real == u.real && t.broken == u.broken
}

// compute makes what is marked anew.
func (c *recount) compute() {
	for _, m := range c.moved {
		if m.is == nil {
			c.leave(m.number)
		}
	}
	for dir := range c.rows {
		for i := range c.rows[dir] {
			if c.m.endpoints[i] != nil {
				c.put(i, Direction(dir), c.maker.compute(i, Direction(dir)), &c.touched)
			}
		}
		for i, peers := range c.peers[dir] {
			if c.m.endpoints[i] != nil && !c.rows[dir][i] {
				c.put(i, Direction(dir), c.again(i, Direction(dir), peers), &c.touched)
			}
		}
	}
	c.maker.settle(&c.touched)
}

// leave takes an endpoint out of the matrix.
func (c *recount) leave(i int) {
	for _, dir := range []Direction{Ingress, Egress} {
		c.put(i, dir, nil, &c.touched)
		for _, other := range c.m.excepted[dir][i] {
			if old := c.m.rows[dir][other]; old != nil {
				c.put(other, dir, old.without(i), &c.touched)
			}
		}
	}
}

// again returns a row of which some peers were looked at anew.
func (c *recount) again(i int, dir Direction, peers []int) *row {
	k := c.program(i, dir)
	out := c.m.rows[dir][i]
	slices.Sort(peers)
	for _, peer := range slices.Compact(peers) {
		if c.m.endpoints[peer] == nil {
			continue
		}
		o := k.exception(out, peer)
		if out = out.without(peer); o != nil {
			out = out.with(peer, o)
		}
	}
	return out
}
