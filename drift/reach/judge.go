package reach

import (
	"net/netip"
	"slices"
)

// program is what judges one endpoint in one direction: the policies that apply, by tier, in the order of evaluation.
type program struct {
	dir    Direction
	stages []stage
	broken []*policy // policies that may concern the endpoint and of which it is not known what they do
}

type stage struct {
	tier    *tier
	applied []applied
	sure    bool // at least one policy surely applies, so that the tier's end is reached
}

type applied struct {
	policy *policy
	sure   bool
}

// programOf collects the policies whose subject an endpoint is. hostNetwork endpoints have no program: no policy of
// workloads concerns them.
func (w *World) programOf(e *Endpoint, dir Direction) *program {
	pr := &program{dir: dir}
	if e.host {
		return pr
	}
	byTier := map[string]*stage{}
	namespaces := []string{"", e.Namespace}
	if e.Namespace == "" {
		namespaces = namespaces[:1]
	}
	for _, namespace := range namespaces {
		for _, p := range w.room(namespace).policies {
			if !p.applies[dir] {
				continue
			}
			t := p.subject.eval(e.view)
			if t == no {
				continue
			}
			if w.doubt(p) != "" {
				pr.broken = append(pr.broken, p)
				continue
			}
			s := byTier[p.tier]
			if s == nil {
				s = &stage{tier: w.tierOf(p.tier)}
				byTier[p.tier] = s
			}
			s.applied = append(s.applied, applied{p, t == yes})
			s.sure = s.sure || t == yes
		}
	}
	for _, s := range byTier {
		slices.SortFunc(s.applied, func(a, b applied) int { return compareLess(a.policy, b.policy) })
		pr.stages = append(pr.stages, *s)
	}
	slices.SortFunc(pr.stages, func(a, b stage) int { return compareLess(a.tier, b.tier) })
	return pr
}

func compareLess[T interface{ less(T) bool }](a, b T) int {
	switch {
	case a.less(b):
		return -1
	case b.less(a):
		return 1
	}
	return 0
}

// tierOf returns a tier by name. One without an object comes after all real ones and ends with Deny.
func (w *World) tierOf(name string) *tier {
	if t := w.cluster.tiers[name]; t != nil {
		return t
	}
	return &tier{name: name, order: orderOf(nil), action: Deny, ref: Ref{groupCalico, "Tier", "", name}}
}

// outcome is what one side may do with each port: a port in both sets is unknown, a port in one is certain.
type outcome struct{ allow, deny Ports }

func (o outcome) union(p outcome) outcome {
	return outcome{o.allow.Union(p.allow), o.deny.Union(p.deny)}
}

// inVersion returns the outcome without the ICMP of the other version of IP, and restOf that alone.
func (o outcome) inVersion(version int) outcome {
	return outcome{o.allow.inVersion(version), o.deny.inVersion(version)}
}

func (o outcome) restOf(version int) outcome {
	return outcome{o.allow.Minus(o.allow.inVersion(version)), o.deny.Minus(o.deny.inVersion(version))}
}

func (o outcome) equal(p outcome) bool { return o.allow.Equal(p.allow) && o.deny.Equal(p.deny) }

// end is one end of a connection as a packet shows it: an endpoint, or nil for an address that is no known pod's.
type end struct {
	endpoint *Endpoint
	addr     netip.Addr
}

// step is what one rule, tier end or profile did with a part of the ports.
type step struct {
	action  Action
	ports   Ports
	policy  *policy
	rule    *rule
	tier    *tier  // of the end of a tier
	unknown string // why it is not certain; "" if it is
}

// judge runs a program over one connection and every port of the universe: first match by subtraction, where an
// uncertain match both takes and leaves its ports. record, if not nil, is told each step.
func (w *World) judge(pr *program, self, peer end, universe Ports, record func(step)) outcome {
	if record == nil {
		record = func(step) {}
	}
	j := judgement{w: w, dir: pr.dir, self: self, peer: peer, record: record}
	if len(pr.broken) > 0 {
		for _, p := range pr.broken {
			record(step{action: Deny, ports: universe, policy: p, unknown: w.doubt(p)})
		}
		return outcome{universe, universe}
	}
	remaining := universe
	for i := range pr.stages {
		if remaining.Empty() {
			break
		}
		remaining = j.stage(&pr.stages[i], remaining)
	}
	if !remaining.Empty() {
		j.out.allow = j.out.allow.Union(remaining)
		record(step{action: Allow, ports: remaining})
	}
	return j.out
}

type judgement struct {
	w          *World
	dir        Direction
	self, peer end
	record     func(step)
	out        outcome
}

// stage runs one tier and returns what goes on to the next.
func (j *judgement) stage(s *stage, in Ports) (passed Ports) {
	arrived := in
	for _, a := range s.applied {
		for _, r := range a.policy.rules[j.dir] {
			if in.Empty() {
				return passed
			}
			sure, possible, why := j.w.match(r, j.dir, j.self, j.peer)
			if !a.sure {
				sure, why = Ports{}, "it depends on labels that are not known whether the policy applies"
			}
			hit := possible.Intersect(in)
			if hit.Empty() {
				continue
			}
			if sure.Contains(hit) {
				why = ""
			}
			j.record(step{action: r.action, ports: hit, policy: a.policy, rule: r, unknown: why})
			switch r.action {
			case Allow:
				j.out.allow = j.out.allow.Union(hit)
			case Deny:
				j.out.deny = j.out.deny.Union(hit)
			case Pass:
				passed = passed.Union(hit)
			case Log:
				continue
			}
			in = in.Minus(sure)
		}
	}
	if in.Empty() {
		return passed
	}
	if s.tier.action == Pass {
		return passed.Union(in)
	}
	j.out.deny = j.out.deny.Union(in)
	if !s.sure {
		j.record(step{action: Deny, ports: in, tier: s.tier, policy: s.applied[0].policy, unknown: "it depends on labels that are not known whether the tier applies"})
		return passed.Union(in.Intersect(arrived))
	}
	j.record(step{action: Deny, ports: in, tier: s.tier, policy: s.applied[0].policy})
	return passed
}

// match returns the ports of a connection that a rule takes surely and possibly, and why the two differ.
func (w *World) match(r *rule, dir Direction, self, peer end) (sure, possible Ports, why string) {
	if r.ipVersion != 0 && peer.addr.Is4() != (r.ipVersion == 4) {
		return Ports{}, Ports{}, ""
	}
	t := w.matchEntity(&r.peer, peer).and(w.matchEntity(&r.self, self))
	if t == no {
		return Ports{}, Ports{}, ""
	}
	destination, selector := peer.endpoint, r.peer.pos
	if dir == Ingress {
		destination, selector = self.endpoint, r.self.pos
	}
	selected := yes
	if selector != nil && destination != nil {
		selected = selector.eval(destination.view)
	}
	sure, possible = r.ports.resolve(destination, selected)
	why = "it depends on labels or addresses that are not known"
	if s := r.peer.service; s != nil {
		st, ports := w.matchService(*s, peer)
		if t = t.and(st); dir == Egress {
			sure, possible = sure.Intersect(ports), possible.Intersect(ports)
		}
		why = "it depends on the endpoints of a Service"
	}
	if s := r.self.service; s != nil {
		st, ports := w.matchService(*s, self)
		if t = t.and(st); dir == Ingress {
			sure, possible = sure.Intersect(ports), possible.Intersect(ports)
		}
	}
	if r.srcPorts {
		t, why = t.and(maybe), "it depends on the source port"
	}
	switch t {
	case no:
		return Ports{}, Ports{}, ""
	case maybe:
		sure = Ports{}
	}
	return sure, possible, why
}

// matchEntity judges one end by labels and addresses.
func (w *World) matchEntity(e *entity, who end) truth {
	if e.pos == nil && e.neg == nil && e.nets == nil && e.notNets == nil {
		return yes
	}
	if e.nets != nil && !e.nets.Has(who.addr) {
		return no
	}
	if e.notNets != nil && (e.excluded[familyIndex(who.addr)] || e.notNets.Has(who.addr)) {
		return no
	}
	t := yes
	if e.pos != nil {
		t = w.selects(e.pos, who)
	}
	if e.neg != nil && t != no {
		t = t.and(w.selects(e.neg, who).not())
	}
	return t
}

// selects reports whether an end is in a clause: as an endpoint by its labels, or by its address through a network set.
func (w *World) selects(c *clause, who end) truth {
	t := no
	if who.endpoint != nil && !who.endpoint.host {
		t = c.eval(who.endpoint.view)
	}
	if t == yes || w.sets == 0 {
		return t
	}
	m := w.setMatch(c)
	switch {
	case m.sure.Has(who.addr):
		return yes
	case m.possible.Has(who.addr):
		return t.or(maybe)
	}
	return t
}

// matchService reports whether an end is behind a Service, and on which ports: of its EndpointSlices if any are given,
// else of its selector and target ports.
func (w *World) matchService(ref serviceRef, who end) (truth, Ports) {
	if ref.namespace == "" {
		return no, Ports{} // Calico looks for it in no namespace (felix/calc/rule_scanner.go); see refused
	}
	r := w.room(ref.namespace)
	if list := r.slices[ref.name]; len(list) > 0 {
		t, ports := no, Ports{}
		for _, s := range list {
			isPod := who.endpoint != nil && who.endpoint.Namespace == s.namespace && who.endpoint.Ref.Kind == "Pod" && s.pods[who.endpoint.Ref.Name]
			if isPod || s.addresses.Has(who.addr) {
				t, ports = yes, ports.Union(s.ports)
			}
		}
		return t, ports
	}
	s := r.services[ref.name]
	switch {
	case s == nil && w.config.WholeWorld:
		return no, Ports{}
	case s == nil || len(s.selector) == 0:
		return maybe, AllPorts()
	case who.endpoint == nil || who.endpoint.Namespace != ref.namespace:
		return no, Ports{}
	}
	for k, v := range s.selector {
		if who.endpoint.labels[k] != v {
			return no, Ports{}
		}
	}
	t, ports := yes, Ports{}
	for _, port := range s.ports {
		if port.name == "" {
			base, ok := portBase(port.protocol)
			if ok {
				ports = ports.Union(Ports{[]span{{base + uint32(port.number), base + uint32(port.number)}}})
			}
			continue
		}
		sure, possible := named(who.endpoint, []string{port.name}, port.protocol, yes)
		if !sure.Equal(possible) {
			t = maybe
		}
		ports = ports.Union(possible)
	}
	return t, ports
}
