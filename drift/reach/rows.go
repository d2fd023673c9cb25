package reach

import (
	"cmp"
	"net/netip"
	"slices"
)

// row is what one endpoint's policies make of every peer in one direction. It depends on what those policies ask, on the
// endpoint itself and, for each exception, on that peer: on no other endpoint. Rows are immutable.
type row struct {
	*table
	exceptions []exception // by peer
}

// exception is a peer that is treated otherwise than its addresses say.
type exception struct {
	peer    int // number of an endpoint
	outcome *byVersion
}

func (r *row) exception(peer int) (*byVersion, bool) {
	i, found := slices.BinarySearchFunc(r.exceptions, peer, func(e exception, p int) int { return cmp.Compare(e.peer, p) })
	if !found {
		return nil, false
	}
	return r.exceptions[i].outcome, true
}

// of returns what is made of a peer.
func (r *row) of(peer int, at *whereabouts) byVersion {
	if o, ok := r.exception(peer); ok {
		return *o
	}
	return r.at(at)
}

func (r *row) same(s *row) bool {
	return r.key == s.key && slices.EqualFunc(r.exceptions, s.exceptions, func(a, b exception) bool {
		return a.peer == b.peer && (a.outcome == b.outcome || a.outcome.equal(b.outcome))
	})
}

// rowMaker makes the row of one endpoint in one direction.
type rowMaker struct {
	*maker
	pr   *program
	self *Endpoint
	own  []netip.Addr // one of each kind of the endpoint's own possible addresses
	cut  *cutSpace
}

// cutSpace is every address, cut where a program asks about it, and which of the parts pods and nodes may be in.
type cutSpace struct {
	atoms       []atom
	pods, nodes []netip.Addr // one address of each part
}

func samples(atoms []atom, space Addresses) []netip.Addr {
	var out []netip.Addr
	for _, a := range atoms {
		if common := a.addresses.Intersect(space); !common.Empty() {
			out = append(out, common.spans[0].lo)
		}
	}
	return out
}

// program prepares the making of a row.
func (k *maker) program(i int, dir Direction) *rowMaker {
	self := k.m.endpoints[i]
	k.m.work++
	c := &rowMaker{maker: k, pr: k.w.programOf(self, dir), self: self}
	c.cut = k.cutAt(k.w.cuts(c.pr, false))
	for _, a := range atomsIn(self.at.addresses, k.w.cuts(c.pr, true)) {
		c.own = append(c.own, a.sample)
	}
	return c
}

// cutAt cuts every address at the borders of sets; remembered, since tenants ask about the same addresses.
func (k *maker) cutAt(cuts []Addresses) *cutSpace {
	var key []byte
	for _, c := range cuts {
		key = append(c.appendKey(key), '|')
	}
	cut := k.cuts[string(key)]
	if cut == nil {
		atoms := atomsIn(AllAddresses(), cuts)
		cut = &cutSpace{atoms, samples(atoms, k.w.podSpace), samples(atoms, k.w.nodeSpace)}
		k.cuts[string(key)] = cut
	}
	return cut
}

// compute makes the row of one endpoint in one direction.
func (k *maker) compute(i int, dir Direction) *row {
	c := k.program(i, dir)
	var rows []addressRow
	for _, a := range c.cut.atoms {
		rows = addOutcome(rows, a.addresses, c.judge(end{nil, a.sample}))
	}
	out := &row{table: k.tableOf(rows)}
	for _, peer := range k.peersOf(c.pr) {
		if o := c.exception(out, peer); o != nil {
			out.exceptions = append(out.exceptions, exception{peer, o})
		}
	}
	return out
}

// judge joins the outcomes over the endpoint's own possible addresses; if it has none of that version of IP, its
// policies are asked all the same, with any.
func (c *rowMaker) judge(peer end) outcome {
	var out outcome
	asked := false
	for _, own := range c.own {
		if own.Is4() == peer.addr.Is4() {
			out, asked = out.union(c.w.judge(c.pr, end{c.self, own}, peer, AllPorts(), nil)), true
		}
	}
	if !asked {
		out = c.w.judge(c.pr, end{c.self, peer.addr}, peer, AllPorts(), nil)
	}
	return out
}

// exception returns what is made of a peer, joined over its possible addresses; nil if the row's table says the same.
func (c *rowMaker) exception(r *row, peer int) *byVersion {
	var out byVersion
	e := c.m.endpoints[peer]
	for _, addr := range c.samplesOf(e) {
		v := familyIndex(addr)
		out[v] = out[v].union(c.judge(end{e, addr}))
	}
	base := r.at(&e.at)
	for v := range out {
		if e.at.versions&(1<<v) != 0 && !out[v].equal(base[v]) {
			return c.outcomeOf(&out)
		}
	}
	return nil
}

func (c *rowMaker) samplesOf(e *Endpoint) []netip.Addr {
	switch e.at.kind {
	case somewhere:
		return c.cut.pods
	case onNodes:
		return c.cut.nodes
	}
	return samples(c.cut.atoms, e.at.addresses)
}
