package felix

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/drift/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// tally counts verdicts, so that a test in which nothing is denied, or allowed, does not pass.
type tally struct{ verdicts, allowed, denied, partly int }

func (c *tally) check(t *testing.T) {
	t.Helper()
	t.Logf("%d verdicts: %d allowed, %d denied, %d differ by version of IP", c.verdicts, c.allowed, c.denied, c.partly)
	assert.Greater(t, c.verdicts, 100_000)
	assert.Greater(t, c.allowed, c.verdicts/10)
	assert.Greater(t, c.denied, c.verdicts/10)
	assert.NotZero(t, c.partly)
}

// Every verdict of the engine is that of Calico's own code: on tiers and their ends, Pass, orders and names, staged
// policies, network sets, selectors of every kind, nets, ports by number and by name, ICMP, Services, service accounts,
// and both versions of IP, in NetworkPolicies of Kubernetes and of Calico, global ones and the two admin kinds.
func TestWorlds(t *testing.T) {
	var count tally
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		engine := w.engine(t, "3.31")
		refused += w.refusals(t, engine)
		w.compare(t, &count, engine, w.reference(t))
	})
	count.check(t)
	assert.NotZero(t, refused)
}

func (w *world) engine(t *rapid.T, version string) *reach.World {
	config := reach.Config{CalicoVersion: version, Pending: w.pending, WholeWorld: true}
	for i, o := range w.objects {
		config.Objects = append(config.Objects, reach.Object{Content: o, Origin: reach.Origin{File: "world.yaml", Line: i + 1}})
	}
	engine, err := reach.New(config)
	require.NoError(t, err)
	return engine
}

// refusals compares what the engine reports with what Calico's API server refuses. Such policies are judged all the same,
// as Felix judges one that got past it.
func (w *world) refusals(t *rapid.T, engine *reach.World) (refused int) {
	problems := map[int]*reach.Problem{}
	for _, p := range engine.Problems() {
		problems[p.Origin.Line-1] = p
	}
	for i, o := range w.objects {
		refusal := Validate(o)
		if (refusal != nil) != (problems[i] != nil) {
			t.Fatalf("object %d: the engine says %v, Calico %v\n%s", i, problems[i], refusal, w)
		}
		if refusal != nil {
			refused++
		}
	}
	return refused
}

func (w *world) reference(t *rapid.T) *Reference {
	reference, err := New(w.objects, w.pending)
	if err != nil {
		t.Fatalf("%v\n%s", err, w)
	}
	return reference
}

// compare asks both about every two ends on every packet.
func (w *world) compare(t *rapid.T, count *tally, engine *reach.World, reference *Reference) {
	for _, q := range w.questions() {
		verdict, err := engine.Decide(q.from, q.to, reach.AllPorts())
		require.NoError(t, err)
		for _, p := range packets() {
			want, ok := q.answer(t, reference, p)
			if !ok {
				continue
			}
			known := !holds(verdict.Unknown, p)
			got := outcome(known && !holds(verdict.Denied, p), known && !holds(verdict.Allowed, p))
			if want != got {
				t.Fatalf("%s -> %s %+v: the engine says %s, Calico %s\n%s\n%s", q.from, q.to, p, got, want, reasons(verdict), w)
			}
			count.verdicts++
			switch want {
			case reach.Allowed:
				count.allowed++
			case reach.Denied:
				count.denied++
			case reach.Partial:
				count.partly++
			}
		}
	}
}

// reasons are short: the ports of a reason may be a page.
func reasons(v reach.Verdict) string {
	var b strings.Builder
	for _, r := range v.Reasons {
		text := r.String()
		b.WriteString(text[:min(len(text), 200)] + "\n")
	}
	return b.String()
}

// String prints a world as YAML.
func (w *world) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# pending: %v\n", w.pending)
	for _, o := range w.objects {
		text, err := yaml.Marshal(o)
		if err != nil {
			return err.Error()
		}
		b.WriteString("---\n" + string(text))
	}
	return b.String()
}

func packets() []Packet {
	return []Packet{
		{Protocol: 6, Port: 80},
		{Protocol: 6, Port: 443},
		{Protocol: 6, Port: 8080},
		{Protocol: 17, Port: 53},
		{Protocol: 17, Port: 80},
		{Protocol: 132, Port: 80},
		{Protocol: protocolICMP, Type: 8},
		{Protocol: protocolICMP, Code: 1},
		{Protocol: protocolICMPv6, Type: 128},
		{Protocol: 47},
		{Protocol: 136},
	}
}

// holds reads a set of ports as the JSON of `ringfence reach` shows it.
func holds(ports reach.Ports, p Packet) bool {
	name, ok := map[uint8]string{6: "TCP", 17: "UDP", 132: "SCTP", protocolICMP: "ICMP", protocolICMPv6: "ICMPv6"}[p.Protocol]
	if !ok {
		name = fmt.Sprint(p.Protocol)
	}
	for _, r := range ports.Rows() {
		switch {
		case r.Protocol == "*" || (r.Protocol == "other" && !ok):
			return true
		case r.Protocol != name:
		case r.Type != nil && (*r.Type != p.Type || (r.Code != nil && *r.Code != p.Code)):
		case r.From != nil && (p.Port < *r.From || p.Port > *r.To):
		default:
			return true
		}
	}
	return false
}

// question is about two ends, by all pairs of addresses that they have in common.
type question struct {
	from, to reach.Peer
	ends     [][2]End
}

// questions are about every two pods, and about every pod and addresses outside.
func (w *world) questions() []question {
	var parties [][]End
	for _, p := range w.pods {
		if last := len(parties) - 1; last >= 0 && parties[last][0].Pod == p.Pod {
			parties[last] = append(parties[last], p)
		} else {
			parties = append(parties, []End{p})
		}
	}
	for _, a := range []string{"203.0.113.7", "198.51.100.1", "2001:db8::1"} {
		parties = append(parties, []End{{"", netip.MustParseAddr(a)}})
	}
	var out []question
	for _, from := range parties {
		for _, to := range parties {
			if from[0].Pod == to[0].Pod {
				continue
			}
			q := question{from: peerOf(from[0]), to: peerOf(to[0])}
			for _, a := range from {
				for _, b := range to {
					if a.Addr.Is4() == b.Addr.Is4() {
						q.ends = append(q.ends, [2]End{a, b})
					}
				}
			}
			out = append(out, q)
		}
	}
	return out
}

func peerOf(e End) reach.Peer {
	if e.Pod == "" {
		return reach.AddressPeer(reach.AddressesOf(netip.PrefixFrom(e.Addr, e.Addr.BitLen())))
	}
	namespace, name, _ := strings.Cut(e.Pod, "/")
	return reach.PodPeer(namespace, name)
}

// answer is the reference's; ok is false if no packet of that kind can travel between the ends.
func (q question) answer(t *rapid.T, reference *Reference, p Packet) (answer reach.Outcome, ok bool) {
	allowed, denied := false, false
	for _, ends := range q.ends {
		if v4 := ends[0].Addr.Is4(); (p.Protocol == protocolICMP && !v4) || (p.Protocol == protocolICMPv6 && v4) {
			continue
		}
		yes, err := reference.Allowed(ends[0], ends[1], p)
		require.NoError(t, err)
		allowed, denied = allowed || yes, denied || !yes
	}
	return outcome(allowed, denied), allowed || denied
}

func outcome(allowed, denied bool) reach.Outcome {
	switch {
	case allowed && denied:
		return reach.Partial
	case allowed:
		return reach.Allowed
	case denied:
		return reach.Denied
	}
	return reach.Unknown
}
