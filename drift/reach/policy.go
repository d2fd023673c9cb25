package reach

import (
	"math"
	"net/netip"
	"strings"
)

// Direction is the side on which a policy judges a connection.
type Direction uint8

// The two directions. A connection is egress of its source and ingress of its destination.
const (
	Ingress Direction = iota
	Egress
)

// String returns "ingress" or "egress".
func (d Direction) String() string {
	if d == Egress {
		return "egress"
	}
	return "ingress"
}

// Action is what a rule, a tier's end or a profile does with what matches.
type Action uint8

// The actions of Calico's rules; Kubernetes NetworkPolicy has only Allow.
const (
	Allow Action = iota
	Deny
	Pass
	Log
)

// String returns the action as Calico writes it.
func (a Action) String() string { return [...]string{"Allow", "Deny", "Pass", "Log"}[a] }

// policy is every kind of policy in one form; immutable.
type policy struct {
	ref     Ref
	origin  Origin
	tier    string
	order   float64 // +Inf where the object has none
	tieKey  string
	staged  bool
	broken  *Problem    // the policy cannot be read: what it does is unknown
	unread  string      // why policies are unknown that this one stands for; "" for a policy of its own
	flaw    *fieldError // Calico reads the policy otherwise than it is meant; the model reads it as Calico does
	hosts   string      // why the policy concerns host endpoints or forwarded traffic; "" if it does not
	notPods bool        // doNotTrack and preDNAT: no pod is ever its subject

	subject *clause
	applies [2]bool
	rules   [2][]*rule
}

// clause selects endpoints: a namespace by name ("" for any) and an expression over effective labels.
type clause struct {
	namespace string
	expr      *expression
	text      string // canonical, for interning
}

func newClause(namespace string, expr *expression) *clause {
	if expr == nil {
		expr = everything
	}
	return &clause{namespace, expr, namespace + "\x00" + expr.String()}
}

// eval judges an endpoint or a network set by its labels.
func (c *clause) eval(labels labelSource) truth {
	if c.namespace != "" {
		if free, ok := labels.(*freePod); ok && !free.match(c.namespace) {
			return no
		}
		if value, present, known := labels.label(labelNamespace); known && (!present || value != c.namespace) {
			return no
		}
	}
	return c.expr.eval(labels)
}

// rule is one rule, or a part of one where a Kubernetes rule has several peers or ports.
type rule struct {
	action    Action
	path      string // field path in the object, such as spec.ingress[0]
	note      string // what the rule also asks for that packets do not show; "" mostly
	ipVersion int    // 0 for both
	peer      entity // the other side
	self      entity // the policy's own side; only Calico's rules restrict it
	ports     portMatch
	srcPorts  bool // the rule asks for source ports, which a connection chooses as it likes
}

// entity restricts one side of a connection; nil fields restrict nothing. Everything given must hold.
type entity struct {
	pos      *clause // endpoints and network sets that are meant
	neg      *clause // those that are not, where no pos is given: addresses outside the cluster are meant too
	nets     *Addresses
	notNets  *Addresses
	service  *serviceRef
	excluded [2]bool
}

// serviceRef is a rule's services match: {name, namespace}.
type serviceRef struct{ namespace, name string }

// portMatch restricts the protocol, ports and ICMP fields of a rule.
type portMatch struct {
	base     Ports // protocol, notProtocol, icmp and notICMP
	limited  bool  // ports are given: numeric and named are what may match
	numeric  Ports
	named    []string
	without  Ports
	notNamed []string
	protocol uint8 // of named ports; 0 for any protocol
}

// resolve returns what of the match surely and what possibly holds for a destination. selected says whether the rule's
// selector selects it by its labels: a named port is that of a pod which the rule selects, never of one that it only finds
// through the addresses of a network set (felix/calc/rule_scanner.go).
func (m *portMatch) resolve(destination *Endpoint, selected truth) (sure, possible Ports) {
	sure, possible = m.base, m.base
	if m.limited {
		s, p := named(destination, m.named, m.protocol, selected)
		sure, possible = m.base.Intersect(m.numeric.Union(s)), m.base.Intersect(m.numeric.Union(p))
	}
	if !m.without.Empty() {
		sure, possible = sure.Minus(m.without), possible.Minus(m.without)
	}
	if len(m.notNamed) > 0 {
		s, p := named(destination, m.notNamed, m.protocol, selected)
		sure, possible = sure.Minus(p), possible.Minus(s)
	}
	return sure, possible
}

// named looks container ports up by name. A destination that is no pod, or one whose address is its node's, has none.
func named(destination *Endpoint, names []string, protocol uint8, selected truth) (sure, possible Ports) {
	if destination == nil || destination.host || len(names) == 0 || selected == no {
		return Ports{}, Ports{}
	}
	if !destination.portsKnown {
		return Ports{}, AllPorts()
	}
	for _, name := range names {
		for _, port := range destination.namedPorts {
			if port.name == name && (protocol == 0 || port.protocol == protocol) {
				base, _ := portBase(port.protocol)
				place := base + uint32(port.number)
				sure = sure.Union(Ports{[]span{{place, place}}})
			}
		}
	}
	if selected == maybe {
		return Ports{}, sure
	}
	return sure, sure
}

// less orders policies within a tier: order, then the tie-break of the Calico version.
//
//nolint:unused // compareLess calls it, through its constraint
func (p *policy) less(q *policy) bool {
	if p.order != q.order {
		return p.order < q.order
	}
	if p.tieKey != q.tieKey {
		return p.tieKey < q.tieKey
	}
	return p.ref.String() < q.ref.String()
}

// tier is one tier with its place among the others.
type tier struct {
	name   string
	order  float64
	action Action // of what no rule of the tier decided
	ref    Ref
	origin Origin
	real   bool // there is a Tier object, or Calico makes one itself
	broken bool // the object cannot be read: it is not known when the tier is asked and how it ends
}

// less orders tiers: those that exist first, then by order and name.
//
//nolint:unused // compareLess calls it, through its constraint
func (t *tier) less(u *tier) bool {
	if t.real != u.real {
		return t.real
	}
	if t.order != u.order {
		return t.order < u.order
	}
	return t.name < u.name
}

// The tiers that Calico or the Kubernetes API define themselves.
const (
	tierDefault  = "default"
	tierAdmin    = "kube-admin"
	tierBaseline = "kube-baseline"
	tierANP      = "adminnetworkpolicy"
	tierBANP     = "baselineadminnetworkpolicy"
)

// orderDefaultTier is the order of the tier default, and of every tier that is created without one.
const orderDefaultTier = 1_000_000

func builtinTiers() map[string]*tier {
	out := map[string]*tier{}
	for _, t := range []tier{
		{name: tierAdmin, order: 1000, action: Pass},
		{name: tierANP, order: 1000, action: Pass},
		{name: tierDefault, order: orderDefaultTier, action: Deny},
		{name: tierBaseline, order: 10_000_000, action: Pass},
		{name: tierBANP, order: 10_000_000, action: Pass},
	} {
		t.real = true
		t.ref = Ref{groupCalico, "Tier", "", t.name}
		out[t.name] = &t
	}
	return out
}

func orderOf(order *float64) float64 {
	if order == nil {
		return math.Inf(1)
	}
	return *order
}

// bareName strips the prefix of a tier from a policy's name.
func bareName(name, tier string) string { return strings.TrimPrefix(name, tier+".") }

func familyIndex(addr netip.Addr) int {
	if addr.Is4() {
		return 0
	}
	return 1
}
