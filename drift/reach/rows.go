package reach

import "slices"

// byVersion is an outcome for IPv4 and one for IPv6.
type byVersion [2]outcome

// row is what one endpoint's policies make of every peer in one direction.
type row struct {
	addresses  []addressRow      // every address, as one that is no pod's
	base       byVersion         // for pods that are no exception
	exceptions map[int]byVersion // by endpoint
}

type addressRow struct {
	addresses Addresses
	outcome   outcome
}

func (r *row) of(peer int) byVersion {
	if o, ok := r.exceptions[peer]; ok {
		return o
	}
	return r.base
}

// rower computes rows; what it remembers depends on endpoints and addresses, not on policies.
type rower struct {
	w          *World
	candidates *candidates
	space      Addresses // of every pod
	known      []int     // endpoints that have addresses of their own
	loose      []int     // hostNetwork endpoints of which only the nodes' range is known
	atoms      map[string][]atom
	versions   []uint8 // by endpoint: bit 0 for IPv4, bit 1 for IPv6
}

func newRower(w *World) *rower {
	r := &rower{w: w, candidates: newCandidates(w), atoms: map[string][]atom{}}
	r.space = w.podSpace
	var spans []addressSpan
	spaceVersions := versionsOf(w.podSpace)
	for i, e := range w.endpoints {
		if len(e.addresses) == 0 && !e.host {
			r.versions = append(r.versions, spaceVersions)
			continue
		}
		space := w.space(e)
		r.versions = append(r.versions, versionsOf(space))
		if len(e.addresses) == 0 && len(w.nodes[e.node]) == 0 {
			r.loose = append(r.loose, i)
			continue
		}
		r.known = append(r.known, i)
		spans = append(spans, space.spans...)
	}
	if len(spans) > 0 {
		r.space = r.space.Union(joinedAddresses(spans))
	}
	return r
}

func versionsOf(a Addresses) (bits uint8) {
	if !a.family(4).Empty() {
		bits |= 1
	}
	if !a.family(6).Empty() {
		bits |= 2
	}
	return bits
}

// atomsOf cuts every address at the borders of cuts; remembered, since tenants ask about the same addresses.
func (r *rower) atomsOf(cuts []Addresses) []atom {
	var key []byte
	for _, c := range cuts {
		for _, s := range c.spans {
			key = append(append(key, s.lo.AsSlice()...), s.hi.AsSlice()...)
		}
		key = append(key, '|')
	}
	atoms, ok := r.atoms[string(key)]
	if !ok {
		atoms = atomsIn(AllAddresses(), cuts)
		r.atoms[string(key)] = atoms
	}
	return atoms
}

// compute makes the row of one endpoint in one direction.
func (r *rower) compute(i int, dir Direction) *row {
	self := r.w.endpoints[i]
	pr := r.w.programOf(self, dir)
	c := rowComputer{rower: r, pr: pr, self: self}
	c.own = atomsIn(r.w.space(self), r.w.cuts(pr, true))
	out := &row{}
	atoms := r.atomsOf(r.w.cuts(pr, false))
	uniform := true
	var seen [2]bool
	outcomes := make([]outcome, len(atoms))
	for k, a := range atoms {
		outcomes[k] = c.judge(end{nil, a.sample})
		out.add(a.addresses, outcomes[k])
		if len(atoms) > 2 && a.addresses.Intersect(r.space).Empty() {
			continue
		}
		v := familyIndex(a.sample)
		if seen[v] && !out.base[v].equal(outcomes[k]) {
			uniform = false
		}
		out.base[v], seen[v] = out.base[v].union(outcomes[k]), true
	}
	if !uniform {
		c.refine(out, atoms, outcomes)
	}
	if len(atoms) > 2 && len(r.loose) > 0 {
		o := c.inSpace(r.w.nodeSpace, atoms, outcomes)
		for _, i := range r.loose {
			c.exception(out, i, o)
		}
	}
	for _, peer := range r.candidates.peersOf(pr) {
		c.exception(out, peer, c.peer(peer, atoms))
	}
	return out
}

func (r *row) add(addresses Addresses, o outcome) {
	for i := range r.addresses {
		if r.addresses[i].outcome.equal(o) {
			r.addresses[i].addresses = r.addresses[i].addresses.Union(addresses)
			return
		}
	}
	r.addresses = append(r.addresses, addressRow{addresses, o})
}

type rowComputer struct {
	*rower
	pr   *program
	self *Endpoint
	own  []atom // of the endpoint's own possible addresses
}

// judge joins the outcomes over the endpoint's own possible addresses; if it has none of that version of IP, its
// policies are asked all the same, with any.
func (c *rowComputer) judge(peer end) outcome {
	var out outcome
	asked := false
	for _, a := range c.own {
		if a.sample.Is4() == peer.addr.Is4() {
			out, asked = out.union(c.w.judge(c.pr, end{c.self, a.sample}, peer, AllPorts(), nil)), true
		}
	}
	if !asked {
		out = c.w.judge(c.pr, end{c.self, peer.addr}, peer, AllPorts(), nil)
	}
	return out
}

// peer joins the outcomes over a peer's possible addresses.
func (c *rowComputer) peer(i int, atoms []atom) byVersion {
	var out byVersion
	e := c.w.endpoints[i]
	space := c.w.space(e)
	for _, a := range atoms {
		v := familyIndex(a.sample)
		if c.versions[i]&(1<<v) == 0 {
			continue
		}
		if common := a.addresses.Intersect(space); !common.Empty() {
			out[v] = out[v].union(c.judge(end{e, common.spans[0].lo}))
		}
	}
	return out
}

// refine makes exceptions of the pods that a row which tells pods apart by address treats otherwise.
func (c *rowComputer) refine(out *row, atoms []atom, outcomes []outcome) {
	out.base = c.inSpace(c.w.podSpace, atoms, outcomes)
	for _, i := range c.known {
		c.exception(out, i, c.inSpace(c.w.space(c.w.endpoints[i]), atoms, outcomes))
	}
}

func (c *rowComputer) inSpace(space Addresses, atoms []atom, outcomes []outcome) (out byVersion) {
	for k, a := range atoms {
		if !a.addresses.Intersect(space).Empty() {
			v := familyIndex(a.sample)
			out[v] = out[v].union(outcomes[k])
		}
	}
	return out
}

func (c *rowComputer) exception(out *row, peer int, o byVersion) {
	same := true
	for v := range o {
		same = same && (c.versions[peer]&(1<<v) == 0 || o[v].equal(out.base[v]))
	}
	if same {
		delete(out.exceptions, peer)
		return
	}
	if out.exceptions == nil {
		out.exceptions = map[int]byVersion{}
	}
	out.exceptions[peer] = o
}

// exceptionsOf returns the sorted endpoints that a row treats otherwise.
func (r *row) exceptionsOf() []int {
	out := make([]int, 0, len(r.exceptions))
	for i := range r.exceptions {
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}
