package reach

import (
	"fmt"
	"net/netip"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
)

// calicoSpec is what all four of Calico's own policy kinds have in common.
type calicoSpec struct {
	order                     *float64
	selector, namespaces, sas string
	types                     []calico.PolicyType
	hints                     []calico.PolicyPerformanceHint
	ingress, egress           []calico.Rule
}

// readCalicoPolicy reads the common part of Calico's policies
// (https://docs.tigera.io/calico/latest/reference/resources/networkpolicy and …/globalnetworkpolicy).
func readCalicoPolicy(p *policy, spec calicoSpec) *fieldError {
	p.order = orderOf(spec.order)
	subject, err := selectorField("spec.selector", spec.selector)
	if err != nil {
		return err
	}
	if spec.namespaces != "" {
		namespaces, err := selectorField("spec.namespaceSelector", spec.namespaces)
		if err != nil {
			return err
		}
		subject = both(subject, namespaces.prefixed(prefixNamespace)).everywhere(labelNamespace)
	}
	if spec.sas != "" {
		accounts, err := selectorField("spec.serviceAccountSelector", spec.sas)
		if err != nil {
			return err
		}
		if subject = both(subject, accounts.prefixed(prefixAccount)); p.ref.Namespace == "" {
			subject = subject.everywhere(labelServiceAccount)
		}
	}
	p.subject = newClause(p.ref.Namespace, subject)
	if err := calicoTypes(p, spec); err != nil {
		return err
	}
	for i := range spec.ingress {
		if err := calicoRule(p, Ingress, fmt.Sprintf("spec.ingress[%d]", i), &spec.ingress[i]); err != nil {
			return err
		}
	}
	for i := range spec.egress {
		if err := calicoRule(p, Egress, fmt.Sprintf("spec.egress[%d]", i), &spec.egress[i]); err != nil {
			return err
		}
	}
	p.flaw = refused(p, spec)
	return nil
}

func calicoTypes(p *policy, spec calicoSpec) *fieldError {
	for i, hint := range spec.hints {
		path := fmt.Sprintf("spec.performanceHints[%d]", i)
		if hint != calico.PerfHintAssumeNeededOnEveryNode || i > 0 {
			return fault(path, "Calico ignores the policy", "only %s is known, once", calico.PerfHintAssumeNeededOnEveryNode)
		}
	}
	if len(spec.types) == 0 {
		p.applies[Egress] = len(spec.egress) > 0
		p.applies[Ingress] = len(spec.ingress) > 0 || !p.applies[Egress]
		return nil
	}
	for i, t := range spec.types {
		switch t {
		case calico.PolicyTypeIngress:
			p.applies[Ingress] = true
		case calico.PolicyTypeEgress:
			p.applies[Egress] = true
		default:
			return fault(fmt.Sprintf("spec.types[%d]", i), "write Ingress or Egress", "unknown policy type %q", t)
		}
	}
	return nil
}

// maxSelector is the longest selector that the schema of Calico's policies allows.
const maxSelector = 1024

func selectorField(path, text string) (*expression, *fieldError) {
	if len(text) > maxSelector {
		return nil, fault(path, "", "a selector of %d bytes; Calico allows at most %d", len(text), maxSelector)
	}
	e, err := parseExpression(text)
	if err != nil {
		return nil, fault(path, "a policy whose selector Calico cannot read may hit every pod", "bad selector %q: %v", text, err)
	}
	return e, nil
}

func calicoRule(p *policy, dir Direction, path string, r *calico.Rule) *fieldError {
	out := &rule{path: path}
	switch r.Action {
	case calico.Allow:
		out.action = Allow
	case calico.Deny:
		out.action = Deny
	case calico.Pass:
		out.action = Pass
	case calico.Log:
		out.action = Log
	default:
		return fault(path+".action", "write Allow, Deny, Pass or Log; Calico's agent crashes on others", "unknown action %q", r.Action)
	}
	if r.IPVersion != nil {
		out.ipVersion = *r.IPVersion
		if out.ipVersion != 4 && out.ipVersion != 6 {
			return fault(path+".ipVersion", "write 4 or 6", "unknown IP version %d", out.ipVersion)
		}
	}
	if r.HTTP != nil {
		out.note = "only for the HTTP methods and paths of the rule, where application layer policy is on"
	}
	source, err := calicoEntity(p.ref.Namespace, path+".source", &r.Source)
	if err != nil {
		return err
	}
	destination, err := calicoEntity(p.ref.Namespace, path+".destination", &r.Destination)
	if err != nil {
		return err
	}
	out.peer, out.self = source, destination
	if dir == Egress {
		out.peer, out.self = destination, source
	}
	if out.ports, err = calicoPorts(path, r); err != nil {
		return err
	}
	out.srcPorts = len(r.Source.Ports) > 0 || len(r.Source.NotPorts) > 0
	p.rules[dir] = append(p.rules[dir], out)
	return nil
}

// calicoEntity reads one side of a rule. In a namespaced policy any selector, also a negative one alone, means the
// policy's own namespace unless there is a namespaceSelector; in a global one a negative selector alone means all else,
// addresses outside the cluster included.
func calicoEntity(namespace, path string, r *calico.EntityRule) (entity, *fieldError) {
	var e entity
	var pos *expression
	if r.Selector != "" {
		var err *fieldError
		if pos, err = selectorField(path+".selector", r.Selector); err != nil {
			return e, err
		}
	}
	if r.ServiceAccounts != nil {
		accounts, err := calicoAccounts(path+".serviceAccounts", r.ServiceAccounts)
		if err != nil {
			return e, err
		}
		if accounts != nil {
			pos = both(accounts, pos)
		}
	}
	selects := pos != nil || r.NotSelector != "" || r.NamespaceSelector != ""
	own := ""
	if r.NamespaceSelector != "" {
		namespaces, err := namespaceField(path+".namespaceSelector", r.NamespaceSelector)
		if err != nil {
			return e, err
		}
		pos = both(namespaces, pos)
	} else if selects && namespace != "" {
		own = namespace
		if pos == nil {
			pos = everything
		}
	}
	if r.NotSelector != "" {
		negative, err := selectorField(path+".notSelector", r.NotSelector)
		if err != nil {
			return e, err
		}
		if pos == nil {
			e.neg = newClause("", negative)
		} else {
			pos = &expression{op: opAnd, parts: []*expression{pos, negation(negative)}}
		}
	}
	if pos != nil {
		e.pos = newClause(own, pos)
	}
	err := calicoNets(&e, path, r) // it completes e
	return e, err
}

func namespaceField(path, text string) (*expression, *fieldError) {
	e, err := selectorField(path, text)
	if err != nil {
		return nil, err
	}
	return e.prefixed(prefixNamespace).ofNamespaces(), nil
}

func calicoAccounts(path string, match *calico.ServiceAccountMatch) (*expression, *fieldError) {
	var e *expression
	if match.Selector != "" {
		selector, err := selectorField(path+".selector", match.Selector)
		if err != nil {
			return nil, err
		}
		e = selector.prefixed(prefixAccount)
	}
	if len(match.Names) > 0 {
		e = both(e, in(labelServiceAccount, match.Names))
	}
	return e, nil
}

func calicoNets(e *entity, path string, r *calico.EntityRule) *fieldError {
	if len(r.Nets) > 0 {
		nets, _, err := ruleNets(path+".nets", r.Nets)
		if err != nil {
			return err
		}
		e.nets = &nets
	}
	if len(r.NotNets) > 0 {
		nets, families, err := ruleNets(path+".notNets", r.NotNets)
		if err != nil {
			return err
		}
		e.notNets = &nets
		// Felix renders a rule for each family and leaves it out where filtering empties one of its fields.
		e.excluded = [2]bool{!families[0], !families[1]}
	}
	if r.Services != nil {
		if r.Services.Name == "" {
			return fault(path+".services.name", "", "must be given")
		}
		e.service = &serviceRef{r.Services.Namespace, r.Services.Name}
	}
	return nil
}

func ruleNets(path string, texts []string) (Addresses, [2]bool, *fieldError) {
	var families [2]bool
	prefixes := make([]netip.Prefix, 0, len(texts))
	for i, text := range texts {
		p, err := netip.ParsePrefix(text)
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case err != nil || p.Addr().Is4In6():
			return Addresses{}, families, fault(at, "Calico skips a CIDR that it cannot read; a rule left without any matches every address", "%q is not a CIDR", text)
		case p != p.Masked():
			return Addresses{}, families, fault(at, "write "+p.Masked().String(), "%s has bits outside its mask", text)
		}
		families[familyIndex(p.Addr())] = true
		prefixes = append(prefixes, p)
	}
	return AddressesOf(prefixes...), families, nil
}

func calicoPorts(path string, r *calico.Rule) (portMatch, *fieldError) {
	m := portMatch{base: AllPorts()}
	if r.Protocol != nil {
		number, err := calicoProtocol(path+".protocol", r.Protocol)
		if err != nil {
			return m, err
		}
		m.base, m.protocol = protocolSet(number), number
	}
	if r.NotProtocol != nil {
		number, err := calicoProtocol(path+".notProtocol", r.NotProtocol)
		if err != nil {
			return m, err
		}
		m.base = m.base.Minus(protocolSet(number))
	}
	for _, icmp := range []struct {
		field  string
		fields *calico.ICMPFields
		not    bool
	}{{".icmp", r.ICMP, false}, {".notICMP", r.NotICMP, true}} {
		if icmp.fields == nil {
			continue
		}
		set, err := calicoICMP(path+icmp.field, m.protocol, icmp.fields)
		if err != nil {
			return m, err
		}
		if icmp.not {
			m.base = m.base.Minus(set)
		} else {
			m.base = m.base.Intersect(set)
		}
	}
	err := calicoPortLists(path, &m, r) // it completes m
	return m, err
}

func calicoPortLists(path string, m *portMatch, r *calico.Rule) *fieldError {
	for _, list := range []struct {
		field string
		ports []numorstring.Port
	}{
		{".source.ports", r.Source.Ports},
		{".source.notPorts", r.Source.NotPorts},
		{".destination.ports", r.Destination.Ports},
		{".destination.notPorts", r.Destination.NotPorts},
	} {
		if len(list.ports) == 0 {
			continue
		}
		if _, ok := portBase(m.protocol); !ok || r.Protocol == nil {
			return fault(path+list.field, "Calico ignores a policy with such a rule", "rules with ports must set protocol to TCP, UDP or SCTP")
		}
		numeric, names, err := calicoPortSet(path+list.field, m.protocol, list.ports)
		if err != nil {
			return err
		}
		switch list.field {
		case ".destination.ports":
			m.limited, m.numeric, m.named = true, numeric, names
		case ".destination.notPorts":
			m.without, m.notNamed = numeric, names
		}
	}
	return nil
}

func calicoPortSet(path string, protocol uint8, ports []numorstring.Port) (Ports, []string, *fieldError) {
	base, _ := portBase(protocol)
	var numeric Ports
	var names []string
	for i, port := range ports {
		if port.PortName != "" {
			if fail := kubePortName(port.PortName); fail != "" {
				return numeric, nil, fault(fmt.Sprintf("%s[%d]", path, i), "Calico ignores the policy", "%q is neither a port, a range nor a name", port.PortName)
			}
			names = append(names, port.PortName)
			continue
		}
		if port.MinPort == 0 {
			return numeric, nil, fault(fmt.Sprintf("%s[%d]", path, i), "Calico ignores the policy", "0 is no port")
		}
		if port.MaxPort < port.MinPort {
			return numeric, nil, fault(fmt.Sprintf("%s[%d]", path, i), "", "the range %d:%d is empty", port.MinPort, port.MaxPort)
		}
		numeric = numeric.Union(Ports{[]span{{base + uint32(port.MinPort), base + uint32(port.MaxPort)}}})
	}
	return numeric, names, nil
}

func calicoProtocol(path string, protocol *numorstring.Protocol) (uint8, *fieldError) {
	if protocol.Type == numorstring.NumOrStringNum {
		if protocol.NumVal == 0 {
			return 0, fault(path, "Calico ignores the policy", "0 is no protocol")
		}
		return protocol.NumVal, nil
	}
	switch protocol.StrVal {
	case "TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "UDPLite":
	default:
		if number, err := protocolNumber(protocol.StrVal); err == nil && protocol.StrVal[0] <= '9' {
			return number, nil
		}
		return 0, fault(path, "write TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite or a number", "unknown protocol %q", protocol.StrVal)
	}
	number, _ := protocolNumber(protocol.StrVal)
	return number, nil
}

func calicoICMP(path string, protocol uint8, fields *calico.ICMPFields) (Ports, *fieldError) {
	base := uint32(baseICMP)
	switch protocol {
	case numberICMP:
	case numberICMPv6:
		base = baseICMPv6
	default:
		return Ports{}, fault(path, "set protocol to ICMP or ICMPv6", "needs protocol ICMP or ICMPv6")
	}
	if fields.Type == nil {
		if fields.Code != nil {
			return Ports{}, fault(path+".code", "", "a code needs a type")
		}
		return protocolSet(protocol), nil
	}
	if *fields.Type < 0 || *fields.Type > 254 {
		return Ports{}, fault(path+".type", "", "%d is not from 0 to 254", *fields.Type)
	}
	var code *uint8
	if fields.Code != nil {
		if *fields.Code < 0 || *fields.Code > 255 {
			return Ports{}, fault(path+".code", "", "%d is not from 0 to 255", *fields.Code)
		}
		c := uint8(*fields.Code)
		code = &c
	}
	return icmpSet(base, uint8(*fields.Type), code), nil
}

// protocolText returns a protocol that is given by name; "" for others.
func protocolText(protocol *numorstring.Protocol) string {
	if protocol == nil {
		return ""
	}
	return protocol.StrVal
}
