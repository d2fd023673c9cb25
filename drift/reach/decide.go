package reach

import (
	"fmt"
	"net/netip"
	"slices"
)

// Decide answers whether from may open a connection to to on the given ports. Every verdict is that of the first packet:
// the egress policies of the source and the ingress policies of the destination must both let it pass; replies follow.
// The error is that of a question that cannot be asked: a workload that does not exist, or two groups.
func (w *World) Decide(from, to Peer, ports Ports) (Verdict, error) {
	if ports.Empty() {
		return Verdict{}, fmt.Errorf("deciding %s -> %s: no port was asked for", from, to)
	}
	sources, destinations, err := w.ends(from, to)
	if err != nil {
		return Verdict{}, fmt.Errorf("deciding %s -> %s: %w", from, to, err)
	}
	q := &question{w: w, ports: ports, freeSource: from.group(), freeDestination: to.group()}
	q.many = len(sources)*len(destinations) > 1
	q.askAll(sources, destinations)
	if summary(ports, q.pairs).Outcome != Unknown {
		return summary(ports, q.pairs), nil
	}
	// The pod that may have any labels does not decide it: look at the pods that selectors tell apart.
	q.many = true
	if from.group() {
		q.askAll(w.members(from, destinations, Ingress), destinations)
	}
	if to.group() {
		q.askAll(sources, w.members(to, sources, Egress))
	}
	return summary(ports, q.pairs), nil
}

func (q *question) askAll(sources, destinations []party) {
	for _, source := range sources {
		for _, destination := range destinations {
			q.ask(source, destination)
		}
	}
}

// party is an endpoint, or addresses.
type party struct {
	endpoint  *Endpoint
	addresses Addresses
}

func (p party) String() string {
	if p.endpoint != nil {
		return p.endpoint.String()
	}
	return p.addresses.String()
}

func (w *World) ends(from, to Peer) (sources, destinations []party, err error) {
	if from.group() && to.group() {
		return nil, nil, fmt.Errorf("one end must be a workload or addresses")
	}
	if sources, err = w.parties(from); err != nil {
		return nil, nil, err
	}
	if destinations, err = w.parties(to); err != nil {
		return nil, nil, err
	}
	if from.group() {
		sources = append(sources, party{endpoint: w.freeEndpoint(from)})
	}
	if to.group() {
		destinations = append(destinations, party{endpoint: w.freeEndpoint(to)})
	}
	return sources, destinations, nil
}

func (w *World) parties(p Peer) ([]party, error) {
	var out []party
	if p.endpoint != nil {
		e, err := p.endpoint(w)
		if err != nil {
			return nil, err
		}
		out = append(out, party{endpoint: e})
	}
	if !p.addresses.Empty() {
		out = append(out, party{addresses: p.addresses})
	}
	return out, nil
}

// members are the pods of a group that the other end's policies may tell apart.
func (w *World) members(group Peer, others []party, dir Direction) []party {
	var out []party
	for _, other := range others {
		if other.endpoint == nil {
			continue
		}
		for _, e := range w.instances(group, w.programOf(other.endpoint, dir)) {
			if e != other.endpoint {
				out = append(out, party{endpoint: e})
			}
		}
	}
	return out
}

// freeName is the name of the pod that may have any labels; its unknowns are the reason why it is asked about: what no
// concrete pod shows, and is not certain for it either, is unknown.
const freeName = "any pod"

func (w *World) freeEndpoint(group Peer) *Endpoint {
	e := &Endpoint{Name: freeName, Implied: true}
	e.view = &freePod{match: group.pods, world: w}
	return e
}

type question struct {
	w                           *World
	ports                       Ports
	freeSource, freeDestination bool // that side's own policies count as allow-all
	many                        bool
	pairs                       []pair
}

// ask answers for one source and one destination, cutting addresses into those that the policies tell apart.
func (q *question) ask(source, destination party) {
	out, in := &program{dir: Egress}, &program{dir: Ingress}
	if source.endpoint != nil && !q.freeSource {
		out = q.w.programOf(source.endpoint, Egress)
	}
	if destination.endpoint != nil && !q.freeDestination {
		in = q.w.programOf(destination.endpoint, Ingress)
	}
	fromCuts := append(q.w.cuts(out, true), q.w.cuts(in, false)...)
	toCuts := append(q.w.cuts(out, false), q.w.cuts(in, true)...)
	c := &connection{q: q, out: out, in: in, source: source.endpoint, destination: destination.endpoint}
	if note := q.w.special(c); note != nil {
		q.pairs = append(q.pairs, *note)
		return
	}
	asked := len(q.pairs)
	// The addresses of an endpoint are alternatives of which one is true; those of a set are all asked about. Where both
	// endpoints have known addresses of both versions of IP, both are asked about.
	both := q.w.located(source.endpoint) && q.w.located(destination.endpoint)
	for _, f := range q.groups(source, fromCuts, both) {
		for _, t := range q.groups(destination, toCuts, both) {
			if p, ok := c.judge(f, t); ok {
				q.pairs = append(q.pairs, p)
			}
		}
	}
	if both && len(q.pairs) == asked+2 {
		a, b := &q.pairs[asked].outcome, &q.pairs[asked+1].outcome
		*a, *b = a.inVersion(0).union(b.restOf(0)), b.inVersion(1).union(a.restOf(1))
	}
	if len(q.pairs) == asked {
		q.pairs = append(q.pairs, pair{outcome{deny: q.ports}, []Reason{{Direction: Egress, Action: Deny, Text: "the two ends have no IP version in common"}}, false})
	}
}

// groups returns, for an endpoint, one group of alternatives, or one for each version of IP; for addresses, a group for
// each atom.
func (q *question) groups(p party, cuts []Addresses, byVersion bool) [][]atom {
	var out [][]atom
	if p.endpoint == nil {
		for _, a := range atomsIn(p.addresses, cuts) {
			out = append(out, []atom{a})
		}
		return out
	}
	atoms := atomsIn(q.w.space(p.endpoint), cuts)
	if !byVersion {
		return [][]atom{atoms}
	}
	for _, v4 := range []bool{true, false} {
		var group []atom
		for _, a := range atoms {
			if a.sample.Is4() == v4 {
				group = append(group, a)
			}
		}
		if len(group) > 0 {
			out = append(out, group)
		}
	}
	return out
}

type connection struct {
	q                   *question
	out, in             *program
	source, destination *Endpoint
}

// judge joins the outcomes of all alternatives of one version of IP; ok is false if the ends have none in common.
func (c *connection) judge(from, to []atom) (p pair, ok bool) {
	example := ""
	dual := common(from, to, true) && common(from, to, false)
	for _, f := range from {
		for _, t := range to {
			if f.sample.Is4() != t.sample.Is4() {
				continue
			}
			if c.q.many || c.source == nil || c.destination == nil {
				example = name(c.source, f.sample) + " -> " + name(c.destination, t.sample)
			}
			one, reasons := c.packet(f.sample, t.sample, example)
			if dual {
				one = one.inVersion(familyIndex(f.sample))
			}
			p.free = c.source.free() || c.destination.free()
			p.outcome, p.reasons, ok = p.outcome.union(one), append(p.reasons, reasons...), true
		}
	}
	if ok {
		p = c.q.w.afterwards(c, p)
	}
	return p, ok
}

// common reports whether both have an address of one version of IP.
func common(a, b []atom, v4 bool) bool {
	is := func(x atom) bool { return x.sample.Is4() == v4 }
	return slices.ContainsFunc(a, is) && slices.ContainsFunc(b, is)
}

func name(e *Endpoint, addr netip.Addr) string {
	if e != nil {
		if e.Namespace == "" {
			return e.Name
		}
		return e.String()
	}
	return addr.String()
}

// packet is the verdict for one pair of addresses.
func (c *connection) packet(from, to netip.Addr, example string) (outcome, []Reason) {
	var reasons []Reason
	recorder := func(dir Direction) func(step) {
		return func(s step) { reasons = append(reasons, reasonOf(dir, s, example)) }
	}
	source, destination := end{c.source, from}, end{c.destination, to}
	e, i := outcome{allow: c.q.ports}, outcome{allow: c.q.ports}
	if c.source != nil && !c.q.freeSource {
		e = c.q.w.judge(c.out, source, destination, c.q.ports, recorder(Egress))
	}
	if c.destination != nil && !c.q.freeDestination {
		i = c.q.w.judge(c.in, destination, source, c.q.ports, recorder(Ingress))
	}
	return outcome{e.allow.Intersect(i.allow), e.deny.Union(i.deny)}, reasons
}

// special answers what policies have no say in; nil if they have.
func (w *World) special(c *connection) *pair {
	a, b := c.source, c.destination
	if a == nil || b == nil {
		return nil
	}
	if a == b && a.single {
		return &pair{outcome{allow: c.q.ports}, []Reason{{Direction: Ingress, Text: "a pod always reaches itself"}}, false}
	}
	if a.host && !b.host && a.node != "" && a.node == b.node {
		return &pair{outcome{allow: c.q.ports}, []Reason{{Direction: Ingress, Text: "a pod is always reached from its own node"}}, false}
	}
	return nil
}

// afterwards adds what lies outside the policies of workloads: the nodes' own firewalls, of which the model only knows
// whether there may be any.
func (w *World) afterwards(c *connection, p pair) pair {
	unknown := func(dir Direction, text string) {
		if p.outcome.allow.Empty() {
			return
		}
		p.outcome.deny = p.outcome.deny.Union(p.outcome.allow)
		p.reasons = append(p.reasons, Reason{Direction: dir, Action: Deny, Ports: p.outcome.allow, Unknown: true, Text: text})
	}
	fromHost := c.source != nil && c.source.host
	toHost := c.destination != nil && c.destination.host
	if w.cluster.hostEnds && (fromHost || toHost) {
		unknown(Egress, "unknown: host endpoints judge the traffic of nodes, which this model does not cover")
	}
	for _, note := range w.cluster.hostNotes {
		unknown(Ingress, "unknown: "+note.ref.String()+" ("+note.origin.String()+") may judge forwarded traffic on host endpoints ("+note.hosts+"), which this model does not cover")
		break
	}
	if fromHost && c.destination != nil && !toHost && (c.source.node == "" || c.destination.node == "") && !p.outcome.deny.Empty() {
		p.outcome.allow = p.outcome.allow.Union(p.outcome.deny)
		p.reasons = append(p.reasons, Reason{Direction: Ingress, Unknown: true, Text: "unknown: allowed if both are on the same node"})
	}
	if toHost && c.source != nil && !fromHost && (c.source.node == "" || c.destination.node == "" || c.source.node == c.destination.node) {
		p.reasons = append(p.reasons, Reason{Direction: Ingress, Text: "to its own node a pod also needs Calico's defaultEndpointToHostAction to be ACCEPT or RETURN"})
		if c.source.node != "" && c.source.node == c.destination.node {
			unknown(Ingress, "unknown: it depends on defaultEndpointToHostAction")
		}
	}
	return p
}
