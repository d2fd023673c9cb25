package reach

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Port sets behave as sets of single places do.
func TestPortsAreSets(t *testing.T) {
	const places = 40
	draw := func(t *rapid.T, name string) (Ports, [places]bool) {
		var set Ports
		var model [places]bool
		for range rapid.IntRange(0, 5).Draw(t, name) {
			lo := rapid.IntRange(0, places-1).Draw(t, "lo")
			hi := rapid.IntRange(lo, places-1).Draw(t, "hi")
			// The stretch of UDP begins in the middle, so that borders between protocols are crossed.
			set = set.Union(Ports{[]span{{uint32(lo + baseUDP - places/2), uint32(hi + baseUDP - places/2)}}})
			for i := lo; i <= hi; i++ {
				model[i] = true
			}
		}
		return set, model
	}
	rapid.Check(t, func(t *rapid.T) {
		p, a := draw(t, "p")
		q, b := draw(t, "q")
		for i := range places {
			one := Ports{[]span{{uint32(i + baseUDP - places/2), uint32(i + baseUDP - places/2)}}}
			require.Equal(t, a[i] || b[i], p.Union(q).Contains(one))
			require.Equal(t, a[i] && b[i], p.Intersect(q).Contains(one))
			require.Equal(t, a[i] && !b[i], p.Minus(q).Contains(one))
		}
		require.Equal(t, a == b, p.Equal(q))
		require.True(t, p.Minus(q).Union(p.Intersect(q)).Equal(p))
		require.Equal(t, p.Equal(q), p.key() == q.key())
	})
}

// Address sets behave as sets of single addresses do, and their CIDRs are disjoint, sorted and as few as can be.
func TestAddressesAreSets(t *testing.T) {
	draw := func(t *rapid.T, name string) Addresses {
		var prefixes []netip.Prefix
		for range rapid.IntRange(0, 4).Draw(t, name) {
			base := rapid.SampledFrom([]string{"0.0.0.0", "255.255.255.240", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0"}).Draw(t, "base")
			addr := netip.MustParseAddr(base)
			for range rapid.IntRange(0, 15).Draw(t, "offset") {
				addr = addr.Next()
			}
			prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()-rapid.IntRange(0, 4).Draw(t, "bits")))
		}
		return AddressesOf(prefixes...)
	}
	var all []netip.Addr
	for _, base := range []string{"0.0.0.0", "255.255.255.240", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0"} {
		for addr, i := netip.MustParseAddr(base), 0; i < 16; addr, i = addr.Next(), i+1 {
			all = append(all, addr)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, "a"), draw(t, "b")
		for _, addr := range all {
			require.Equal(t, a.Has(addr) || b.Has(addr), a.Union(b).Has(addr))
			require.Equal(t, a.Has(addr) && b.Has(addr), a.Intersect(b).Has(addr))
			require.Equal(t, a.Has(addr) && !b.Has(addr), a.Minus(b).Has(addr))
		}
		again := a.Prefixes()
		require.True(t, AddressesOf(again...).Equal(a))
		for i, p := range again {
			require.Equal(t, p.Masked(), p)
			for _, q := range again[i+1:] {
				require.False(t, p.Overlaps(q))
			}
			if i > 0 && p.Bits() == again[i-1].Bits() && p.Bits() > 0 {
				parent := netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked()
				require.False(t, parent.Contains(again[i-1].Addr()) && parent.Contains(p.Addr()), "%s and %s are one", again[i-1], p)
			}
		}
		require.True(t, a.Minus(b).Union(a.Intersect(b)).Equal(a))
	})
}

func TestPortTexts(t *testing.T) {
	for text, want := range map[string]string{
		"": "everything", "*": "everything", "443": "443/TCP", "53/UDP": "53/UDP", "8000-8080/TCP": "8000-8080/TCP",
		"SCTP": "SCTP", "ICMP": "ICMP", "47/proto": "protocol 47", "TCP": "TCP",
	} {
		set, err := ParsePorts(text)
		require.NoError(t, err)
		require.Equal(t, want, set.String())
	}
	for _, text := range []string{"x", "80/FTP", "70000/TCP", "90-80/TCP", "300/ICMP", "300/proto"} {
		_, err := ParsePorts(text)
		require.Error(t, err, text)
	}
	code := uint8(3)
	require.Equal(t, "ICMP type 8", ICMP(8, nil).String())
	require.Equal(t, "ICMP type 3 code 3", ICMP(3, &code).String())
	tcp, err := Protocol("TCP")
	require.NoError(t, err)
	rest := AllPorts().Minus(tcp)
	require.Equal(t, []PortRow{{Protocol: "UDP"}, {Protocol: "SCTP"}, {Protocol: "ICMP"}, {Protocol: "ICMPv6"}, {Protocol: "other"}}, rest.Rows())
	require.Equal(t, "everything but TCP", rest.String())
	require.Len(t, AllPorts().Minus(mustPorts(t, "47/proto")).Rows(), 5+250, "of the other protocols each is listed once")
	require.True(t, rest.Union(tcp).Equal(AllPorts()))
}

// What a row stands for is what it was made from.
func TestRowsStandForTheirPorts(t *testing.T) {
	for _, text := range []string{"*", "5432/TCP", "8000-8080/UDP", "SCTP", "ICMP", "ICMPv6", "47/proto"} {
		ports := mustPorts(t, text)
		for _, set := range []Ports{ports, AllPorts().Minus(ports), ports.Union(ICMP(3, nil))} {
			var joined Ports
			for _, row := range set.Rows() {
				joined = joined.Union(row.Ports())
			}
			require.True(t, joined.Equal(set), text)
		}
	}
}

func mustPorts(t *testing.T, text string) Ports {
	t.Helper()
	p, err := ParsePorts(text)
	require.NoError(t, err)
	return p
}

func TestInternetLeavesOutSpecialRanges(t *testing.T) {
	internet := Internet()
	for _, text := range []string{"8.8.8.8", "172.32.0.1", "2606:4700::1111"} {
		require.True(t, internet.Has(netip.MustParseAddr(text)), text)
	}
	for _, text := range []string{"10.1.1.1", "172.31.255.255", "169.254.169.254", "100.64.0.1", "127.0.0.1", "fd00:ec2::254", "::1"} {
		require.False(t, internet.Has(netip.MustParseAddr(text)), text)
	}
}

// A message leaves out what a wider connection says.
func TestWidest(t *testing.T) {
	all, some := mustPorts(t, "*").Rows(), mustPorts(t, "80/TCP").Rows()
	anyone, elsewhere := Place{Any: "pod"}, Place{Namespace: "*", Workload: "*"}
	whole, web, other := Place{Namespace: "a", Workload: "*"}, Place{Namespace: "a", Workload: "web"}, Place{Namespace: "b", Workload: "*"}
	list := []Connection{
		{From: elsewhere, To: whole, Ports: all},
		{From: other, To: whole, Ports: some}, // said: b is outside, 80/TCP is in everything
		{From: other, To: web, Ports: all},    // said
		{From: Place{CIDR: "10.0.0.0/8"}, To: web, Ports: all},
		{From: anyone, To: other, Ports: some},
		{From: web, To: other, Ports: all},                                    // wider ports than any pod has
		{From: Place{Namespace: "*", Workload: "web"}, To: whole, Ports: all}, // said: of every workload elsewhere
		{From: Place{Namespace: "*", Workload: "web"}, To: web, Ports: all},   // said
	}
	require.Equal(t, []Connection{list[0], list[3], list[4], list[5]}, Widest(list))
	require.Equal(t, list[6:7], Widest(list[6:]), "a workload elsewhere stands for one of that name anywhere")
	require.Equal(t, []Connection{list[6], list[2]}, Widest([]Connection{list[6], list[2]}), "and for no other")
	require.Empty(t, Widest(nil))
}

// Ranges are gathered into words, each end and port apart; what is no range stays as it is.
func TestGather(t *testing.T) {
	web, some := Place{Namespace: "a", Workload: "web"}, mustPorts(t, "80/TCP").Rows()
	var list []Connection
	for _, p := range Internet().Prefixes() {
		list = append(list, Connection{From: web, To: Place{CIDR: p.String()}, Ports: some})
	}
	list = append(list, Connection{From: Place{CIDR: "10.0.0.0/8"}, To: web, Ports: some}, Connection{From: Place{CIDR: "11.0.0.0/8"}, To: web, Ports: some})
	list = append(list, Connection{From: web, To: Place{Any: "address"}, Ports: mustPorts(t, "UDP").Rows()})
	var lines []string
	for _, c := range Gather(list) {
		lines = append(lines, c.String())
	}
	require.Equal(t, []string{"a/web → internet 80/TCP", "10.0.0.0/7 → a/web 80/TCP", "a/web → any address UDP"}, lines)
	require.Empty(t, Gather(nil))
}

func TestAddressesInWords(t *testing.T) {
	for want, texts := range map[string][]string{
		"10.0.0.0/8, fd00::/8": {"10.0.0.0/8", "fd00::/8"},
		"any address":          {"0.0.0.0/0", "::/0"},
		"10.0.0.0/32, 10.0.0.2/32, 10.0.0.4/32, 10.0.0.6/32, 10.0.0.8/32, 10.0.0.10/32 and 1 more ranges": {
			"10.0.0.0", "10.0.0.2", "10.0.0.4", "10.0.0.6", "10.0.0.8", "10.0.0.10", "10.0.0.12",
		},
	} {
		a, err := ParseAddresses(texts...)
		require.NoError(t, err)
		require.Equal(t, want, a.Words())
	}
	metadata, err := ParseAddresses("169.254.169.254/32")
	require.NoError(t, err)
	require.Equal(t, "any address but 169.254.169.254/32", AllAddresses().Minus(metadata).Words())
	require.Equal(t, "internet (IPv4)", Internet().family(4).Words())
}

// Namespaces with the same answer are those that policies treat alike.
func TestNamespaceTerms(t *testing.T) {
	w, err := New(Config{Objects: []Object{
		{Content: dict{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": dict{"namespace": "a", "name": "x"}, "spec": dict{
			"podSelector": dict{}, "ingress": []any{
				dict{"from": []any{dict{"namespaceSelector": dict{"matchLabels": dict{"team": "web"}}}}},
				dict{"from": []any{dict{"namespaceSelector": dict{"matchLabels": dict{"kubernetes.io/metadata.name": "named"}}}}},
			},
		}}},
		{Content: dict{"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": dict{"name": "y"}, "spec": dict{
			"namespaceSelector": `projectcalico.org/name starts with "caas-"`, "types": []any{"Ingress"},
		}}},
	}})
	require.NoError(t, err)
	terms := w.NamespaceTerms()
	require.True(t, terms.Sees("team"))
	require.False(t, terms.Sees("other"))
	require.Empty(t, terms.Answer("kube-system", map[string]string{"other": "x"}))
	require.Equal(t, terms.Answer("caas-a", nil), terms.Answer("caas-b", map[string]string{"other": "x"}))
	different := map[string]bool{}
	for _, answer := range []string{
		terms.Answer("x", nil), terms.Answer("caas-a", nil), terms.Answer("named", nil),
		terms.Answer("x", map[string]string{"team": "web"}), terms.Answer("x", map[string]string{"team": "db"}),
	} {
		different[answer] = true
	}
	require.Len(t, different, 5)
}
