package reach

import (
	"net/netip"
	"slices"
)

// cuts returns the address sets that a program's rules ask about, of the peer or of its own side.
func (w *World) cuts(pr *program, own bool) []Addresses {
	var out []Addresses
	add := func(a Addresses) {
		if !a.Empty() && !slices.ContainsFunc(out, a.Equal) {
			out = append(out, a)
		}
	}
	for _, s := range pr.stages {
		for _, a := range s.applied {
			for _, r := range a.policy.rules[pr.dir] {
				e := &r.peer
				if own {
					e = &r.self
				}
				if e.nets != nil {
					add(*e.nets)
				}
				if e.notNets != nil {
					add(*e.notNets)
				}
				w.clauseCuts(e, add)
			}
		}
	}
	return out
}

// clauseCuts adds the addresses that an entity matches through network sets and EndpointSlices.
func (w *World) clauseCuts(e *entity, add func(Addresses)) {
	for _, c := range []*clause{e.pos, e.neg} {
		if c != nil && w.sets > 0 {
			m := w.setMatch(c)
			add(m.sure)
			add(m.possible)
		}
	}
	if e.service != nil {
		for _, s := range w.room(e.service.namespace).slices[e.service.name] {
			add(s.addresses)
		}
	}
}

// atom is a set of addresses of one family that a program cannot tell apart, and one of them.
type atom struct {
	addresses Addresses
	sample    netip.Addr
}

// atomsIn cuts a space at every border of the given sets and joins what lies in the same of them.
func atomsIn(space Addresses, cuts []Addresses) []atom {
	var out []atom
	bySignature := map[string]int{}
	for _, piece := range pieces(space, cuts) {
		signature := make([]byte, 1, len(cuts)+1)
		signature[0] = byte(piece.lo.BitLen())
		for _, c := range cuts {
			bit := byte(0)
			if c.Has(piece.lo) {
				bit = 1
			}
			signature = append(signature, bit)
		}
		i, ok := bySignature[string(signature)]
		if !ok {
			i = len(out)
			bySignature[string(signature)] = i
			out = append(out, atom{sample: piece.lo})
		}
		out[i].addresses.spans = append(out[i].addresses.spans, piece)
	}
	for i := range out {
		out[i].addresses = joinedAddresses(out[i].addresses.spans)
	}
	return out
}

// pieces cuts the intervals of a space at the borders of other sets; sorted.
func pieces(space Addresses, cuts []Addresses) []addressSpan {
	var starts []netip.Addr
	for _, c := range cuts {
		for _, s := range c.spans {
			starts = append(starts, s.lo)
			if next := s.hi.Next(); next.IsValid() {
				starts = append(starts, next)
			}
		}
	}
	slices.SortFunc(starts, netip.Addr.Compare)
	starts = slices.Compact(starts)
	var out []addressSpan
	for _, s := range space.spans {
		lo := s.lo
		i, found := slices.BinarySearchFunc(starts, lo, netip.Addr.Compare)
		if found {
			i++
		}
		for ; i < len(starts) && starts[i].Compare(s.hi) <= 0; i++ {
			out = append(out, addressSpan{lo, starts[i].Prev()})
			lo = starts[i]
		}
		out = append(out, addressSpan{lo, s.hi})
	}
	return out
}

// internetExcluded are the special ranges that PolicyTest's word "internet" leaves out: private, shared, loopback,
// link-local, documentation, benchmarking, multicast and reserved ones of the IANA special-purpose registries.
var internetExcluded = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4",
	"::/80", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32",
	"2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
}

// Internet returns every address outside the special ranges, IPv4 and IPv6: what PolicyTest calls "internet".
func Internet() Addresses {
	special := Addresses{}
	for _, text := range internetExcluded {
		special = special.Union(AddressesOf(netip.MustParsePrefix(text)))
	}
	return AllAddresses().Minus(special)
}

// InternetExcluded returns the special ranges that Internet leaves out, as CIDRs.
func InternetExcluded() []string { return slices.Clone(internetExcluded) }
