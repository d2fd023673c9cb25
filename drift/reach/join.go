package reach

import "slices"

// Ports returns the set that the row stands for; the empty set for a row that Ports.Rows does not make.
func (r PortRow) Ports() Ports {
	switch {
	case r.From != nil && r.To != nil:
		p, err := PortRange(r.Protocol, *r.From, *r.To)
		if err != nil {
			return Ports{}
		}
		return p
	case r.Protocol == otherProtocols:
		return Ports{[]span{{baseOther, lineEnd}}}
	case r.Type != nil && r.Protocol == "ICMPv6":
		return icmpSet(baseICMPv6, *r.Type, r.Code)
	case r.Type != nil:
		return icmpSet(baseICMP, *r.Type, r.Code)
	}
	p, err := Protocol(r.Protocol)
	if err != nil {
		return Ports{}
	}
	return p
}

// JoinConnections unites two sorted lists of connections: of equal ends the ports of both. Groups are not formed anew.
func JoinConnections(a, b []Connection) []Connection {
	if len(a) == 0 || len(b) == 0 {
		return slices.Concat(a, b)
	}
	joined := map[[2]Place]Ports{}
	reasons := map[[2]Place]string{}
	for _, c := range slices.Concat(a, b) {
		ends := [2]Place{c.From, c.To}
		joined[ends] = joined[ends].Union(c.Set())
		reasons[ends] = c.Reason
	}
	out := listed(joined)
	for i := range out {
		out[i].Reason = reasons[[2]Place{out[i].From, out[i].To}]
	}
	slices.SortFunc(out, compareConnections)
	return out
}
