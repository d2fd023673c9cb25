package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Addresses is an immutable set of IPv4 and IPv6 addresses. The zero value is the empty set.
type Addresses struct{ spans []addressSpan }

// addressSpan is a closed interval of one family. IPv4 sorts before IPv6, as netip.Addr compares them.
type addressSpan struct{ lo, hi netip.Addr }

var (
	wholeIPv4 = addressSpan{netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("255.255.255.255")}
	wholeIPv6 = addressSpan{netip.MustParseAddr("::"), netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}
)

// AllAddresses returns every IPv4 and IPv6 address.
func AllAddresses() Addresses { return Addresses{[]addressSpan{wholeIPv4, wholeIPv6}} }

// AddressesOf returns the union of prefixes. Host bits are ignored, as Calico does.
func AddressesOf(prefixes ...netip.Prefix) Addresses {
	spans := make([]addressSpan, 0, len(prefixes))
	for _, p := range prefixes {
		if p.IsValid() {
			spans = append(spans, prefixSpan(p))
		}
	}
	return joinedAddresses(spans)
}

// ParseAddresses reads CIDRs and single addresses. An error names the first that is neither.
func ParseAddresses(texts ...string) (Addresses, error) {
	prefixes := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		p, err := parsePrefix(text)
		if err != nil {
			return Addresses{}, err
		}
		prefixes = append(prefixes, p)
	}
	return AddressesOf(prefixes...), nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a CIDR", text)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is not a CIDR", text)
	}
	return p, nil
}

func prefixSpan(p netip.Prefix) addressSpan {
	lo := p.Masked().Addr()
	raw := lo.AsSlice()
	for bit := p.Bits(); bit < len(raw)*8; bit++ {
		raw[bit/8] |= 0x80 >> (bit % 8)
	}
	hi, _ := netip.AddrFromSlice(raw)
	return addressSpan{lo, hi}
}

func joinedAddresses(spans []addressSpan) Addresses {
	if len(spans) == 0 {
		return Addresses{}
	}
	slices.SortFunc(spans, func(a, b addressSpan) int { return a.lo.Compare(b.lo) })
	out := spans[:1]
	for _, s := range spans[1:] {
		last := &out[len(out)-1]
		next := last.hi.Next()
		touches := s.lo.Compare(last.hi) <= 0 || (next.IsValid() && next == s.lo)
		if touches && s.lo.BitLen() == last.lo.BitLen() {
			if s.hi.Compare(last.hi) > 0 {
				last.hi = s.hi
			}
			continue
		}
		out = append(out, s)
	}
	return Addresses{slices.Clip(out)}
}

// Empty reports whether no address is in the set.
func (a Addresses) Empty() bool { return len(a.spans) == 0 }

// Equal reports whether both sets hold the same addresses.
func (a Addresses) Equal(b Addresses) bool { return slices.Equal(a.spans, b.spans) }

// Has reports whether the address is in the set.
func (a Addresses) Has(addr netip.Addr) bool {
	i, found := slices.BinarySearchFunc(a.spans, addr, func(s addressSpan, t netip.Addr) int { return s.lo.Compare(t) })
	if found {
		return true
	}
	return i > 0 && a.spans[i-1].lo.BitLen() == addr.BitLen() && a.spans[i-1].hi.Compare(addr) >= 0
}

// Contains reports whether all of b is in a.
func (a Addresses) Contains(b Addresses) bool { return b.Minus(a).Empty() }

// Union returns the addresses in a or in b.
func (a Addresses) Union(b Addresses) Addresses {
	return joinedAddresses(slices.Concat(a.spans, b.spans))
}

// Intersect returns the addresses in both.
func (a Addresses) Intersect(b Addresses) Addresses {
	var out []addressSpan
	for i, j := 0, 0; i < len(a.spans) && j < len(b.spans); {
		s, t := a.spans[i], b.spans[j]
		lo, hi := s.lo, s.hi
		if t.lo.Compare(lo) > 0 {
			lo = t.lo
		}
		if t.hi.Compare(hi) < 0 {
			hi = t.hi
		}
		if lo.Compare(hi) <= 0 {
			out = append(out, addressSpan{lo, hi})
		}
		if s.hi.Compare(t.hi) < 0 {
			i++
		} else {
			j++
		}
	}
	return Addresses{out}
}

// Minus returns the addresses in a that are not in b.
func (a Addresses) Minus(b Addresses) Addresses { return a.Intersect(b.complement()) }

func (a Addresses) complement() Addresses {
	var out []addressSpan
	for _, whole := range []addressSpan{wholeIPv4, wholeIPv6} {
		lo := whole.lo
		for _, s := range a.spans {
			if s.lo.BitLen() != whole.lo.BitLen() {
				continue
			}
			if lo.IsValid() && lo.Compare(s.lo) < 0 {
				out = append(out, addressSpan{lo, s.lo.Prev()})
			}
			lo = s.hi.Next()
		}
		if lo.IsValid() {
			out = append(out, addressSpan{lo, whole.hi})
		}
	}
	return Addresses{out}
}

// Prefixes returns the set as the fewest disjoint CIDRs, sorted, IPv4 first.
func (a Addresses) Prefixes() []netip.Prefix {
	out := []netip.Prefix{}
	for _, s := range a.spans {
		for lo := s.lo; ; {
			p := widest(lo, s.hi)
			out = append(out, p)
			last := prefixSpan(p).hi
			if last == s.hi {
				break
			}
			lo = last.Next()
		}
	}
	return out
}

// widest returns the largest prefix that starts at lo and does not pass hi.
func widest(lo, hi netip.Addr) netip.Prefix {
	best := netip.PrefixFrom(lo, lo.BitLen())
	for bits := lo.BitLen() - 1; bits >= 0; bits-- {
		p := netip.PrefixFrom(lo, bits)
		if p.Masked().Addr() != lo || prefixSpan(p).hi.Compare(hi) > 0 {
			break
		}
		best = p
	}
	return best
}

// String returns the CIDRs, separated by commas.
func (a Addresses) String() string {
	prefixes := a.Prefixes()
	texts := make([]string, len(prefixes))
	for i, p := range prefixes {
		texts[i] = p.String()
	}
	return strings.Join(texts, ", ")
}

// family returns the addresses of IPv4 (4) or IPv6 (6) in the set.
func (a Addresses) family(version int) Addresses {
	whole := wholeIPv4
	if version == 6 {
		whole = wholeIPv6
	}
	return a.Intersect(Addresses{[]addressSpan{whole}})
}
