package reach

import (
	"fmt"
	"strconv"
	"strings"
)

// PortRow is one interval of a Ports set as `ringfence reach -o json` prints it: {"protocol":"*"} is everything,
// {"protocol":"TCP"} all its ports, and ICMP has type and code in the place of ports.
type PortRow struct {
	Protocol string  `json:"protocol"`
	From     *uint16 `json:"from,omitempty"`
	To       *uint16 `json:"to,omitempty"`
	Type     *uint8  `json:"type,omitempty"`
	Code     *uint8  `json:"code,omitempty"`
}

// stretches names each stretch of the line in the order of the line.
var stretches = [...]struct {
	name string
	base uint32
	icmp bool
}{
	{"TCP", baseTCP, false},
	{"UDP", baseUDP, false},
	{"SCTP", baseSCTP, false},
	{"ICMP", baseICMP, true},
	{"ICMPv6", baseICMPv6, true},
}

// otherProtocols is the name of all IP protocols that have no stretch of their own, taken together.
const otherProtocols = "other"

// Rows returns the set as sorted, disjoint, minimal rows. Protocols without ports are named by number; where all of them
// are meant (everything but TCP, UDP, SCTP, ICMP and ICMPv6), one row with the protocol "other" stands for them.
func (p Ports) Rows() []PortRow {
	if p.Equal(AllPorts()) {
		return []PortRow{{Protocol: "*"}}
	}
	rows := []PortRow{}
	for _, s := range stretches {
		for _, part := range p.Intersect(Ports{[]span{{s.base, s.base + stretch - 1}}}).spans {
			lo, hi := uint16(part.lo-s.base), uint16(part.hi-s.base)
			switch {
			case lo == 0 && hi == stretch-1:
				rows = append(rows, PortRow{Protocol: s.name})
			case s.icmp:
				rows = append(rows, icmpRows(s.name, lo, hi)...)
			default:
				rows = append(rows, PortRow{Protocol: s.name, From: &lo, To: &hi})
			}
		}
	}
	others := Ports{[]span{{baseOther, lineEnd}}}
	if p.Contains(others) {
		return append(rows, PortRow{Protocol: otherProtocols})
	}
	for _, part := range p.Intersect(others).spans {
		for place := part.lo; place <= part.hi; place++ {
			rows = append(rows, PortRow{Protocol: strconv.Itoa(int(otherNumber(place)))})
		}
	}
	return rows
}

// icmpRows cuts an interval of type*256+code places into whole types and single codes.
func icmpRows(name string, lo, hi uint16) []PortRow {
	var rows []PortRow
	for place := uint32(lo); place <= uint32(hi); {
		icmpType := uint8(place >> 8)
		if place&0xff == 0 && place+255 <= uint32(hi) {
			rows = append(rows, PortRow{Protocol: name, Type: &icmpType})
			place += 256
			continue
		}
		code := uint8(place)
		rows = append(rows, PortRow{Protocol: name, Type: &icmpType, Code: &code})
		place++
	}
	return rows
}

// String returns the set for people: "5432/TCP, 8000-8080/UDP, ICMP", "everything", "everything but 5432/TCP" where that
// is shorter, or "nothing".
func (p Ports) String() string {
	if p.Empty() {
		return "nothing"
	}
	text := p.list()
	rest := AllPorts().Minus(p)
	if !rest.Empty() && p.Contains(Ports{[]span{{baseOther, lineEnd}}}) {
		if without := "everything but " + rest.list(); len(without) < len(text) {
			return without
		}
	}
	return text
}

func (p Ports) list() string {
	rows := p.Rows()
	texts := make([]string, 0, len(rows))
	for _, row := range rows {
		texts = append(texts, row.String())
	}
	return strings.Join(texts, ", ")
}

// String returns the row for people.
func (r PortRow) String() string {
	switch {
	case r.Protocol == "*":
		return "everything"
	case r.Type != nil && r.Code != nil:
		return fmt.Sprintf("%s type %d code %d", r.Protocol, *r.Type, *r.Code)
	case r.Type != nil:
		return fmt.Sprintf("%s type %d", r.Protocol, *r.Type)
	case r.Protocol == otherProtocols:
		return "other protocols"
	case r.From == nil && r.Protocol[0] <= '9':
		return "protocol " + r.Protocol
	case r.From == nil:
		return r.Protocol
	case *r.From == *r.To:
		return fmt.Sprintf("%d/%s", *r.From, r.Protocol)
	}
	return fmt.Sprintf("%d-%d/%s", *r.From, *r.To, r.Protocol)
}
