package reach

import "net/netip"

// whereabouts is what is known of the addresses that an endpoint may have.
type whereabouts struct {
	kind      addressKind
	addresses Addresses
	versions  uint8 // of IP: bit 0 for IPv4, bit 1 for IPv6
}

type addressKind uint8

const (
	somewhere addressKind = iota // any address of pods
	onNodes                      // any address of nodes
	itsOwn                       // known addresses
)

// whereabouts returns the addresses that an endpoint may have.
func (w *World) whereabouts(e *Endpoint) whereabouts {
	addresses := e.addresses
	if e.host && len(addresses) == 0 {
		addresses = w.cluster.nodes[e.node]
	}
	switch {
	case len(addresses) > 0:
		var out Addresses
		for _, addr := range addresses {
			out = out.Union(Addresses{[]addressSpan{{addr, addr}}})
		}
		return whereabouts{itsOwn, out, versionsOf(out)}
	case e.host:
		return whereabouts{onNodes, w.nodeSpace, versionsOf(w.nodeSpace)}
	}
	return whereabouts{somewhere, w.podSpace, versionsOf(w.podSpace)}
}

// located reports whether the addresses of an endpoint are known.
func (w *World) located(e *Endpoint) bool { return e != nil && w.whereabouts(e).kind == itsOwn }

// space returns the addresses that an endpoint may have.
func (w *World) space(e *Endpoint) Addresses { return w.whereabouts(e).addresses }

func (a whereabouts) same(b whereabouts) bool {
	return a.kind == b.kind && a.addresses.Equal(b.addresses)
}

func versionsOf(a Addresses) (bits uint8) {
	if len(a.spans) > 0 && a.spans[0].lo.Is4() {
		bits |= 1
	}
	if n := len(a.spans); n > 0 && !a.spans[n-1].lo.Is4() {
		bits |= 2
	}
	return bits
}

// spaceOf returns the addresses of prefixes; every address if there are none.
func spaceOf(prefixes []netip.Prefix) Addresses {
	if len(prefixes) == 0 {
		return AllAddresses()
	}
	return AddressesOf(prefixes...)
}
