package reach

import "slices"

// move marks the rows that an endpoint's coming, going or changing may concern: its own, and those to which it may be an
// exception. Where only its labels changed, those are the ones of which a selector changed its mind.
func (c *recount) move(m move) {
	if m.is == nil {
		return
	}
	body := m.was == nil || !m.was.sameBody(m.is)
	if body {
		for dir := range c.rows {
			c.rows[dir][m.number] = true
		}
	} else {
		c.relabelled(m)
	}
	differs := func(cl *clause) bool {
		was, is := cl.of(m.was), cl.of(m.is)
		return was != is || (body && is != no)
	}
	for _, p := range c.batch.w.room(m.is.Namespace).policies {
		c.seen(m.number, p, func(r *rule) bool {
			for _, cl := range []*clause{r.peer.pos, r.peer.neg} {
				if cl != nil && cl.namespace != "" && differs(cl) {
					return true
				}
			}
			return false
		})
	}
	for text, cl := range c.batch.w.clauses.all() {
		if !differs(cl.clause) {
			continue
		}
		for _, p := range c.batch.w.askers.of(asked{text, false}) {
			c.seen(m.number, p, func(r *rule) bool {
				return (r.peer.pos != nil && r.peer.pos.text == text) || (r.peer.neg != nil && r.peer.neg.text == text)
			})
		}
	}
	if body {
		c.named(m)
	}
	c.served(m)
}

// relabelled marks an endpoint's own rows where a policy's opinion of it changed, or a policy went that had one.
func (c *recount) relabelled(m move) {
	differs := func(cl *clause) bool { return cl != nil && cl.of(m.was) != cl.of(m.is) }
	for _, name := range []string{"", m.is.Namespace} {
		for _, p := range c.batch.w.room(name).policies {
			if differs(p.subject) || p.anyRule(func(r *rule) bool {
				return differs(r.self.pos) || differs(r.self.neg) || r.self.service != nil
			}) {
				c.mark(m.number, p)
			}
		}
	}
	for _, change := range c.rooms {
		if name := change.is.name; name != "" && name != m.is.Namespace {
			continue
		}
		for _, p := range missing(change.was.policies, change.is.policies) {
			if p.subject.of(m.was) != no {
				c.mark(m.number, p)
			}
		}
	}
}

// named marks the rows that find an endpoint by the names of its container ports.
func (c *recount) named(m move) {
	names := m.is.portNames()
	all := !m.is.portsKnown
	if m.was != nil {
		names, all = union(names, m.was.portNames()), all || !m.was.portsKnown
	}
	for name, list := range c.batch.w.ports.all() {
		if !all && !names[name] {
			continue
		}
		for _, p := range list {
			c.seen(m.number, p, func(r *rule) bool { return r.asksPorts(Egress) })
		}
	}
}

// served marks the rows that find an endpoint by a Service of its namespace.
func (c *recount) served(m move) {
	for ref, list := range c.batch.w.services.all() {
		if ref.namespace != m.is.Namespace {
			continue
		}
		for _, p := range list {
			c.seen(m.number, p, func(r *rule) bool { return r.peer.service != nil })
		}
	}
}

// seen marks, for a peer, the rows of those that a policy judges by a rule that is concerned.
func (c *recount) seen(peer int, p *policy, concerned func(*rule) bool) {
	for dir, rules := range p.rules {
		if !p.applies[dir] || !slices.ContainsFunc(rules, concerned) {
			continue
		}
		for _, i := range c.subjects(p) {
			c.peers[dir][i] = append(c.peers[dir][i], peer)
		}
	}
}

func (p *policy) anyRule(is func(*rule) bool) bool {
	return slices.ContainsFunc(p.rules[Ingress], is) || slices.ContainsFunc(p.rules[Egress], is)
}

// without returns a row that does not make an exception of a peer.
func (r *row) without(peer int) *row {
	return &row{r.table, slices.DeleteFunc(slices.Clone(r.exceptions), func(e exception) bool { return e.peer == peer })}
}

// with returns a row that makes an exception of one more peer.
func (r *row) with(peer int, o *byVersion) *row {
	at, _ := slices.BinarySearchFunc(r.exceptions, peer, func(e exception, p int) int { return e.peer - p })
	return &row{r.table, slices.Insert(slices.Clone(r.exceptions), at, exception{peer, o})}
}
