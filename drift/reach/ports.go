package reach

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Ports is an immutable set of what a packet can carry: TCP, UDP and SCTP destination ports, ICMP and ICMPv6 types and
// codes, and every other IP protocol by number. The zero value is the empty set. Sets are compared with Equal.
type Ports struct{ spans []span }

// span is a closed interval on one line on which every protocol has its own stretch of 65,536 places. A line instead of
// a set per protocol makes "every protocol" one interval and first match one kind of subtraction.
type span struct{ lo, hi uint32 }

// The stretches of the line. ICMP places are type*256+code; the last stretch has one place for each protocol number.
const (
	stretch    = 1 << 16
	baseTCP    = 0 * stretch
	baseUDP    = 1 * stretch
	baseSCTP   = 2 * stretch
	baseICMP   = 3 * stretch
	baseICMPv6 = 4 * stretch
	baseOther  = 5 * stretch
	lineEnd    = baseOther + 250 // 256 numbers without the five that have a stretch
)

// The IP protocol numbers that have a stretch of their own.
const (
	numberICMP   = 1
	numberTCP    = 6
	numberUDP    = 17
	numberICMPv6 = 58
	numberSCTP   = 132
)

// AllPorts returns the set of every protocol, port, type and code.
func AllPorts() Ports { return Ports{[]span{{0, lineEnd}}} }

// Protocol returns everything of one protocol: "TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "UDPLite" or a number from "0"
// to "255", as in Calico's rules. "*" is every protocol.
func Protocol(name string) (Ports, error) {
	if name == "*" {
		return AllPorts(), nil
	}
	number, err := protocolNumber(name)
	if err != nil {
		return Ports{}, err
	}
	return protocolSet(number), nil
}

// PortRange returns the ports from lo to hi, both included, of TCP, UDP or SCTP.
func PortRange(protocol string, lo, hi uint16) (Ports, error) {
	number, err := protocolNumber(protocol)
	if err != nil {
		return Ports{}, err
	}
	base, ok := portBase(number)
	if !ok {
		return Ports{}, fmt.Errorf("protocol %s has no ports", protocol)
	}
	if hi < lo {
		return Ports{}, fmt.Errorf("port range %d to %d is empty", lo, hi)
	}
	return Ports{[]span{{base + uint32(lo), base + uint32(hi)}}}, nil
}

// ICMP returns one ICMP type, with every code if code is nil.
func ICMP(icmpType uint8, code *uint8) Ports { return icmpSet(baseICMP, icmpType, code) }

// ParsePorts reads "5432/TCP", a range as "8000-8080/TCP", a bare number as "443" (TCP, as in a Kubernetes
// NetworkPolicy), a whole protocol as "TCP" or "ICMP", an ICMP type as "8/ICMP" and one of its codes as "3.4/ICMP", another
// IP protocol as "47/proto", and "*" or "" as everything.
func ParsePorts(text string) (Ports, error) {
	if text == "" || text == "*" {
		return AllPorts(), nil
	}
	number, protocol, found := strings.Cut(text, "/")
	if !found {
		if text[0] < '0' || text[0] > '9' {
			return Protocol(text)
		}
		protocol = "TCP"
	}
	if protocol == "proto" {
		return Protocol(number)
	}
	if code, err := protocolNumber(protocol); err == nil && (code == numberICMP || code == numberICMPv6) {
		return parseICMP(code, number)
	}
	first, last, isRange := strings.Cut(number, "-")
	if !isRange {
		last = first
	}
	lo, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return Ports{}, fmt.Errorf("port %q is not a number from 0 to 65535", first)
	}
	hi, err := strconv.ParseUint(last, 10, 16)
	if err != nil {
		return Ports{}, fmt.Errorf("port %q is not a number from 0 to 65535", last)
	}
	return PortRange(protocol, uint16(lo), uint16(hi))
}

// parseICMP reads a type, or a type and a code with a dot between them.
func parseICMP(protocol uint8, text string) (Ports, error) {
	base := uint32(baseICMP)
	if protocol == numberICMPv6 {
		base = baseICMPv6
	}
	first, last, hasCode := strings.Cut(text, ".")
	icmpType, err := strconv.ParseUint(first, 10, 8)
	if err != nil {
		return Ports{}, fmt.Errorf("ICMP type %q is not a number from 0 to 255", first)
	}
	if !hasCode {
		return icmpSet(base, uint8(icmpType), nil), nil
	}
	number, err := strconv.ParseUint(last, 10, 8)
	if err != nil {
		return Ports{}, fmt.Errorf("ICMP code %q is not a number from 0 to 255", last)
	}
	code := uint8(number)
	return icmpSet(base, uint8(icmpType), &code), nil
}

func protocolNumber(name string) (uint8, error) {
	switch strings.ToUpper(name) {
	case "TCP":
		return numberTCP, nil
	case "UDP":
		return numberUDP, nil
	case "SCTP":
		return numberSCTP, nil
	case "ICMP":
		return numberICMP, nil
	case "ICMPV6":
		return numberICMPv6, nil
	case "UDPLITE":
		return 136, nil
	}
	n, err := strconv.ParseUint(name, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("protocol %q is none of TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite or a number from 0 to 255", name)
	}
	return uint8(n), nil
}

func portBase(number uint8) (uint32, bool) {
	switch number {
	case numberTCP:
		return baseTCP, true
	case numberUDP:
		return baseUDP, true
	case numberSCTP:
		return baseSCTP, true
	}
	return 0, false
}

func protocolSet(number uint8) Ports {
	base, ok := portBase(number)
	switch {
	case ok:
	case number == numberICMP:
		base = baseICMP
	case number == numberICMPv6:
		base = baseICMPv6
	default:
		place := otherPlace(number)
		return Ports{[]span{{place, place}}}
	}
	return Ports{[]span{{base, base + stretch - 1}}}
}

// stretched are the protocol numbers that the last stretch leaves out, ascending.
var stretched = [...]uint8{numberICMP, numberTCP, numberUDP, numberICMPv6, numberSCTP}

// otherPlace numbers the protocols without a stretch of their own one after the other, so that the line has no place
// that stands for nothing.
func otherPlace(number uint8) uint32 {
	place := uint32(baseOther) + uint32(number)
	for _, s := range stretched {
		if s < number {
			place--
		}
	}
	return place
}

// otherNumber is the inverse of otherPlace.
func otherNumber(place uint32) uint8 {
	number := uint8(place - baseOther)
	for _, s := range stretched {
		if s <= number {
			number++
		}
	}
	return number
}

// inVersion returns the set without the ICMP of the other version of IP; version is that of familyIndex.
func (p Ports) inVersion(version int) Ports {
	if version == 0 {
		return p.Minus(protocolSet(numberICMPv6))
	}
	return p.Minus(protocolSet(numberICMP))
}

func icmpSet(base uint32, icmpType uint8, code *uint8) Ports {
	lo := base + uint32(icmpType)<<8
	if code != nil {
		lo += uint32(*code)
		return Ports{[]span{{lo, lo}}}
	}
	return Ports{[]span{{lo, lo + 255}}}
}

// Empty reports whether nothing is in the set.
func (p Ports) Empty() bool { return len(p.spans) == 0 }

// Equal reports whether both sets hold the same.
func (p Ports) Equal(q Ports) bool { return slices.Equal(p.spans, q.spans) }

// Contains reports whether all of q is in p.
func (p Ports) Contains(q Ports) bool { return q.Minus(p).Empty() }

// Union returns what is in p or in q.
func (p Ports) Union(q Ports) Ports {
	switch {
	case p.Empty():
		return q
	case q.Empty():
		return p
	}
	all := make([]span, 0, len(p.spans)+len(q.spans))
	all = append(append(all, p.spans...), q.spans...)
	return normalized(all)
}

// Intersect returns what is in both.
func (p Ports) Intersect(q Ports) Ports {
	var out []span
	for i, j := 0, 0; i < len(p.spans) && j < len(q.spans); {
		a, b := p.spans[i], q.spans[j]
		if lo, hi := max(a.lo, b.lo), min(a.hi, b.hi); lo <= hi {
			out = append(out, span{lo, hi})
		}
		if a.hi < b.hi {
			i++
		} else {
			j++
		}
	}
	return Ports{out}
}

// Minus returns what is in p and not in q.
func (p Ports) Minus(q Ports) Ports {
	if p.Empty() || q.Empty() {
		return p
	}
	var out []span
	j := 0
	for _, a := range p.spans {
		lo := a.lo
		for j < len(q.spans) && q.spans[j].hi < lo {
			j++
		}
		k := j
		for k < len(q.spans) && q.spans[k].lo <= a.hi {
			if q.spans[k].lo > lo {
				out = append(out, span{lo, q.spans[k].lo - 1})
			}
			lo = q.spans[k].hi + 1
			k++
		}
		if lo <= a.hi {
			out = append(out, span{lo, a.hi})
		}
	}
	return Ports{out}
}

// normalized sorts spans in place and joins those that touch within one stretch or across stretches alike.
func normalized(spans []span) Ports {
	sort.Slice(spans, func(i, j int) bool { return spans[i].lo < spans[j].lo })
	out := spans[:1]
	for _, s := range spans[1:] {
		last := &out[len(out)-1]
		if s.lo <= last.hi+1 {
			last.hi = max(last.hi, s.hi)
			continue
		}
		out = append(out, s)
	}
	return Ports{out}
}

// key returns a text that is equal for equal sets only.
func (p Ports) key() string { return string(p.appendKey(make([]byte, 0, 64))) }

func (p Ports) appendKey(b []byte) []byte {
	for _, s := range p.spans {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, s.lo), s.hi)
	}
	return b
}
