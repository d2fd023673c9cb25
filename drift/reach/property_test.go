package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var packets = []struct {
	packet brutePacket
	ports  string
}{
	{brutePacket{"TCP", 80}, "80/TCP"},
	{brutePacket{"TCP", 443}, "443/TCP"},
	{brutePacket{"TCP", 8080}, "8080/TCP"},
	{brutePacket{"UDP", 53}, "53/UDP"},
	{brutePacket{"UDP", 80}, "80/UDP"},
	{brutePacket{"SCTP", 80}, "80/SCTP"},
	{brutePacket{"ICMP", 8}, ""},
	{brutePacket{"ICMP", 0}, ""},
	{brutePacket{"47", 0}, "47/proto"},
}

// portsOf returns the engine's set for one packet.
func portsOf(t require.TestingT, p brutePacket, text string) Ports {
	if p.protocol == "ICMP" {
		return ICMP(uint8(p.port), new(uint8))
	}
	set, err := ParsePorts(text)
	require.NoError(t, err)
	return set
}

var outside = []netip.Addr{
	netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8::1"),
}

// worldOf builds the engine's world from the objects of a brute-force one. The API server may refuse some of them, such
// as rules with nets of both versions of IP; none may be malformed.
func worldOf(t require.TestingT, b *bruteWorld, config Config) *World {
	config.Objects, config.CalicoVersion, config.Pending, config.WholeWorld = b.objects(), b.version, b.pending, true
	w, err := New(config)
	require.NoError(t, err)
	for _, r := range w.rooms.all() {
		for _, p := range r.policies {
			require.Nil(t, p.broken, "%v", p.broken)
		}
	}
	return w
}

// Every verdict on a world in which everything is known equals that of the brute-force evaluator.
func TestDecideEqualsBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawWorld(t, true)
		w := worldOf(t, b, Config{})
		for _, q := range b.questions() {
			for _, p := range packets {
				got, err := w.Decide(q.from, q.to, portsOf(t, p.packet, p.ports))
				require.NoError(t, err)
				want := b.allowed(q.source, q.destination, p.packet)
				if want != (got.Outcome == Allowed) || got.Outcome == Unknown {
					t.Fatalf("%s %+v: engine says %s, brute force says %v\n%v", q.text, p.packet, got.Outcome, want, got.Reasons)
				}
			}
		}
	})
}

type bruteQuestion struct {
	text                string
	source, destination bruteEnd
	from, to            Peer
}

// questions are all ordered pairs of pods, and of pods and outside addresses.
func (w *bruteWorld) questions() []bruteQuestion {
	var out []bruteQuestion
	for _, a := range w.pods {
		for _, b := range w.pods {
			if a != b && a.ip.Is4() == b.ip.Is4() {
				out = append(out, bruteQuestion{
					fmt.Sprintf("%s/%s -> %s/%s", a.namespace, a.name, b.namespace, b.name),
					bruteEnd{a, a.ip},
					bruteEnd{b, b.ip},
					PodPeer(a.namespace, a.name), PodPeer(b.namespace, b.name),
				})
			}
		}
		for _, addr := range outside {
			if addr.Is4() != a.ip.Is4() {
				continue
			}
			peer := AddressPeer(AddressesOf(netip.PrefixFrom(addr, addr.BitLen())))
			out = append(out,
				bruteQuestion{fmt.Sprintf("%s -> %s", a.name, addr), bruteEnd{a, a.ip}, bruteEnd{nil, addr}, PodPeer(a.namespace, a.name), peer},
				bruteQuestion{fmt.Sprintf("%s -> %s", addr, a.name), bruteEnd{nil, addr}, bruteEnd{a, a.ip}, peer, PodPeer(a.namespace, a.name)})
		}
	}
	return out
}

// Where pods' addresses are not known, a verdict is what all possible addresses agree on, and unknown otherwise.
func TestUnknownAddressesAreAlternatives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawWorld(t, false)
		space := netip.MustParsePrefix("10.0.0.0/30")
		w := worldOf(t, b, Config{PodCIDRs: []netip.Prefix{space}})
		from, to := b.pods[0], b.pods[1]
		p := packets[rapid.IntRange(0, len(packets)-1).Draw(t, "packet")]
		allowed, denied := 0, 0
		for a := space.Addr(); space.Contains(a); a = a.Next() {
			for c := space.Addr(); space.Contains(c); c = c.Next() {
				if b.allowed(bruteEnd{from, a}, bruteEnd{to, c}, p.packet) {
					allowed++
				} else {
					denied++
				}
			}
		}
		want := Unknown
		if denied == 0 {
			want = Allowed
		} else if allowed == 0 {
			want = Denied
		}
		got, err := w.Decide(PodPeer(from.namespace, from.name), PodPeer(to.namespace, to.name), portsOf(t, p.packet, p.ports))
		require.NoError(t, err)
		if got.Outcome != want {
			t.Fatalf("%+v: engine says %s, %d addresses allow and %d deny\n%v", p.packet, got.Outcome, allowed, denied, got.Reasons)
		}
	})
}

// covers reports whether a place of the grouped form includes a pod.
func covers(p Place, namespace, name string) bool {
	return p.Any == "pod" || (p.Namespace == namespace && (p.Workload == "*" || p.Workload == name))
}

func allows(list []Connection, from, to func(Place) bool, row string) bool {
	for _, c := range list {
		for _, r := range c.Ports {
			if from(c.From) && to(c.To) && rowHas(r, row) {
				return true
			}
		}
	}
	return false
}

// rowHas reads a printed row as a consumer of the JSON would.
func rowHas(r PortRow, packet string) bool {
	var protocol string
	var number int
	if _, err := fmt.Sscanf(packet, "%s %d", &protocol, &number); err != nil {
		panic(err)
	}
	switch {
	case r.Protocol == "*":
		return true
	case r.Protocol == "other":
		return !slices.Contains([]string{"TCP", "UDP", "SCTP", "ICMP", "ICMPv6"}, protocol)
	case r.Protocol != protocol:
		return false
	case r.Type != nil:
		return int(*r.Type) == number && (r.Code == nil || *r.Code == 0)
	}
	return r.From == nil || (int(*r.From) <= number && number <= int(*r.To))
}

// The whole connectivity, grouped and expanded, says of every pair what the brute-force evaluator says.
func TestConnectivityEqualsBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawWorld(t, true)
		w := worldOf(t, b, Config{})
		c := w.Connectivity()
		for _, expand := range []bool{false, true} {
			compareReport(t, b, c.Report(expand), expand)
		}
	})
}

func compareReport(t *rapid.T, b *bruteWorld, report Report, expand bool) {
	if len(report.Unknown) > 0 {
		t.Fatalf("unknown in a world that is known: %v", report.Unknown)
	}
	for _, q := range b.questions() {
		for _, p := range packets {
			is := func(end bruteEnd) func(Place) bool {
				return func(place Place) bool {
					if end.pod != nil {
						return covers(place, end.pod.namespace, end.pod.name)
					}
					cidr, err := netip.ParsePrefix(place.CIDR)
					return place.Any == "address" || (err == nil && cidr.Contains(end.ip))
				}
			}
			got := allows(report.Connections, is(q.source), is(q.destination), fmt.Sprintf("%s %d", p.packet.protocol, p.packet.port))
			if want := b.allowed(q.source, q.destination, p.packet); got != want {
				t.Fatalf("%s %+v (expand %v): report says %v, brute force says %v\n%v", q.text, p.packet, expand, got, want, report.Connections)
			}
		}
	}
}
