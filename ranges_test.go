package ringfence_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
)

// specialRanges are written down from the registries and their documents, not from the
// example: finer, overlapping and in their own order. A range that is globally reachable by
// the registry (AS112, say) is not special here.
var specialRanges = []struct{ cidr, what string }{
	// IANA IPv4 Special-Purpose Address Registry (RFC 6890).
	{"0.0.0.0/8", "this network, RFC 791"},
	{"0.0.0.0/32", "this host, RFC 1122"},
	{"10.0.0.0/8", "private use, RFC 1918"},
	{"100.64.0.0/10", "shared address space, RFC 6598"},
	{"127.0.0.0/8", "loopback, RFC 1122"},
	{"169.254.0.0/16", "link-local, RFC 3927"},
	{"172.16.0.0/12", "private use, RFC 1918"},
	{"192.0.0.0/24", "IETF protocol assignments, RFC 6890"},
	{"192.0.0.0/29", "service continuity, RFC 7335"},
	{"192.0.0.170/31", "NAT64 and DNS64 discovery, RFC 8880"},
	{"192.0.2.0/24", "TEST-NET-1, RFC 5737"},
	{"192.88.99.0/24", "6to4 relay anycast, withdrawn, RFC 7526"},
	{"192.168.0.0/16", "private use, RFC 1918"},
	{"198.18.0.0/15", "benchmarking, RFC 2544"},
	{"198.51.100.0/24", "TEST-NET-2, RFC 5737"},
	{"203.0.113.0/24", "TEST-NET-3, RFC 5737"},
	{"224.0.0.0/4", "multicast, RFC 5771"},
	{"240.0.0.0/4", "reserved, RFC 1112"},
	{"255.255.255.255/32", "limited broadcast, RFC 919"},
	// IANA IPv6 Special-Purpose Address Registry.
	{"::/128", "unspecified, RFC 4291"},
	{"::1/128", "loopback, RFC 4291"},
	{"::/96", "IPv4-compatible, withdrawn, RFC 4291"},
	{"::ffff:0:0/96", "IPv4-mapped, RFC 4291"},
	{"::/80", "reserved around those, RFC 4291; the API server takes no IPv4-mapped block"},
	{"64:ff9b::/96", "NAT64: carries an IPv4 address, RFC 6052"},
	{"64:ff9b:1::/48", "local NAT64, RFC 8215"},
	{"100::/64", "discard-only, RFC 6666"},
	{"100:0:0:1::/64", "dummy prefix, RFC 9780"},
	{"2001::/23", "IETF protocol assignments, RFC 2928"},
	{"2001::/32", "Teredo: carries an IPv4 address, RFC 4380"},
	{"2001:2::/48", "benchmarking, RFC 5180"},
	{"2001:10::/28", "ORCHID, withdrawn, RFC 4843"},
	{"2001:db8::/32", "documentation, RFC 3849"},
	{"2002::/16", "6to4: carries an IPv4 address, RFC 3056"},
	{"3fff::/20", "documentation, RFC 9637"},
	{"5f00::/16", "SRv6 segment identifiers, RFC 9602"},
	{"fc00::/7", "unique local, RFC 4193"},
	{"fe80::/10", "link-local, RFC 4291"},
	{"fec0::/10", "site-local, withdrawn, RFC 3879"},
	{"ff00::/8", "multicast, RFC 4291"},
	// What the clouds put there.
	{"169.254.169.254/32", "metadata service"},
	{"fd00:ec2::254/128", "metadata service over IPv6"},
}

var publicAddresses = []string{
	"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.31.196.1",
	"192.0.1.0", "192.175.48.1", "198.17.255.255", "198.20.0.0", "223.255.255.255",
	"2606:4700:4700::1111", "2620:4f:8000::1", "2001:200::1", "2001:db7::1", "2003::1", "2a00::1", "3ffe:ffff::1", "3fff:1000::",
}

// span is a run of addresses of one family, both ends within.
type span struct{ first, last netip.Addr }

func spanOf(prefix netip.Prefix) span {
	prefix = prefix.Masked()
	last := prefix.Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	end, _ := netip.AddrFromSlice(last)
	return span{prefix.Addr(), end}
}

func (s span) contains(a netip.Addr) bool {
	return s.first.BitLen() == a.BitLen() && s.first.Compare(a) <= 0 && a.Compare(s.last) <= 0
}

// minus returns what is left of s without others, which may overlap.
func (s span) minus(others []span) (left []span) {
	others = slices.DeleteFunc(slices.Clone(others), func(o span) bool { return o.first.BitLen() != s.first.BitLen() })
	slices.SortFunc(others, func(a, b span) int { return a.first.Compare(b.first) })
	for _, o := range others {
		if o.last.Less(s.first) || s.last.Less(o.first) {
			continue
		}
		if s.first.Less(o.first) {
			left = append(left, span{s.first, o.first.Prev()})
		}
		if !o.last.Less(s.last) {
			return left
		}
		s.first = o.last.Next()
	}
	return append(left, s)
}

// reachable returns every run of addresses that an egress rule of a policy names by CIDR.
func reachable(t *testing.T, policies []networkingv1.NetworkPolicy) (spans []span) {
	t.Helper()
	for _, policy := range policies {
		for _, rule := range policy.Spec.Egress {
			for _, peer := range rule.To {
				if peer.IPBlock != nil {
					spans = append(spans, spansOf(t, peer.IPBlock)...)
				}
			}
		}
	}
	return spans
}

// spansOf also holds what the API server asks of a block: each exception within, and smaller.
func spansOf(t *testing.T, block *networkingv1.IPBlock) []span {
	t.Helper()
	whole := parsePrefix(t, block.CIDR)
	var except []span
	for _, cidr := range block.Except {
		e := parsePrefix(t, cidr)
		require.True(t, whole.Contains(e.Addr()) && e.Bits() > whole.Bits(), "%s is not a part of %s", cidr, block.CIDR)
		except = append(except, spanOf(e))
	}
	return spanOf(whole).minus(except)
}

func parsePrefix(t *testing.T, cidr string) netip.Prefix {
	t.Helper()
	prefix, err := netip.ParsePrefix(cidr)
	require.NoError(t, err)
	require.Equal(t, prefix.Masked(), prefix, "%s has bits behind its mask", cidr)
	require.Equal(t, cidr, prefix.String(), "%s is not written the canonical way", cidr)
	return prefix
}

// The internet is every address that is not special, and no other: nothing special is reachable
// by any spelling, and nothing public is cut off.
func TestInternetIsWhatIsNotSpecial(t *testing.T) {
	for _, tenant := range exampleTenants {
		open := reachable(t, renderedPolicies(t, tenant))
		require.NotEmpty(t, open, "%s allows no address at all", tenant)
		var special []span
		for _, r := range specialRanges {
			s := spanOf(netip.MustParsePrefix(r.cidr))
			special = append(special, s)
			assert.Equal(t, []span{s}, s.minus(open), "%s: %s (%s) is reachable", tenant, r.cidr, r.what)
		}
		for _, whole := range []string{"0.0.0.0/0", "::/0"} {
			for _, public := range spanOf(netip.MustParsePrefix(whole)).minus(special) {
				assert.Empty(t, public.minus(open), "%s: public addresses are cut off", tenant)
			}
		}
		for _, address := range publicAddresses {
			assert.True(t, slices.ContainsFunc(open, func(s span) bool { return s.contains(netip.MustParseAddr(address)) }),
				"%s: %s is cut off", tenant, address)
		}
	}
}

// The arithmetic above, on its own.
func TestSpans(t *testing.T) {
	spans := func(cidrs ...string) (spans []span) {
		for _, cidr := range cidrs {
			spans = append(spans, spanOf(netip.MustParsePrefix(cidr)))
		}
		return spans
	}
	tests := []struct {
		name, from string
		minus      []string
		want       []span
	}{
		{"nothing", "10.0.0.0/8", nil, spans("10.0.0.0/8")},
		{"itself", "10.0.0.0/8", []string{"10.0.0.0/8"}, nil},
		{"something larger", "10.0.0.0/8", []string{"0.0.0.0/0"}, nil},
		{"another family", "10.0.0.0/8", []string{"::/0"}, spans("10.0.0.0/8")},
		{"the middle", "10.0.0.0/30", []string{"10.0.0.1/32"}, []span{
			{netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("10.0.0.0")},
			{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")},
		}},
		{"overlapping ones", "10.0.0.0/8", []string{"10.128.0.0/9", "10.0.0.0/10", "10.0.0.0/16", "10.192.0.0/10"}, spans("10.64.0.0/10")},
		{"the article's mask", "172.16.0.0/12", []string{"172.16.0.0/20"}, []span{
			{netip.MustParseAddr("172.16.16.0"), netip.MustParseAddr("172.31.255.255")},
		}},
		{"the upper end of all", "::/0", []string{"8000::/1"}, spans("::/1")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, spanOf(netip.MustParsePrefix(tt.from)).minus(spans(tt.minus...)))
		})
	}
}
