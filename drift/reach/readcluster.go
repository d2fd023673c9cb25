package reach

import (
	"fmt"
	"net/netip"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The part of the Cluster Network Policy API (https://network-policy-api.sigs.k8s.io) that decides about traffic:
// ClusterNetworkPolicy v1alpha2, AdminNetworkPolicy and BaselineAdminNetworkPolicy v1alpha1. The three differ in the
// words for an action and in how ports are written. What Calico makes of them, and what it does not know of them, is
// in its libcalico-go/lib/backend/k8s/conversion (conversion.go up to 3.31, clusternetworkpolicy.go from 3.32 on).
type (
	clusterSpec struct {
		Tier     string        `json:"tier,omitempty"`
		Priority *int64        `json:"priority,omitempty"`
		Subject  clusterPeer   `json:"subject"`
		Ingress  []clusterRule `json:"ingress,omitempty"`
		Egress   []clusterRule `json:"egress,omitempty"`
	}
	clusterRule struct {
		Name      string            `json:"name,omitempty"`
		Action    string            `json:"action"`
		From      []clusterPeer     `json:"from,omitempty"`
		To        []clusterPeer     `json:"to,omitempty"`
		Protocols []clusterProtocol `json:"protocols,omitempty"` // ClusterNetworkPolicy
		Ports     []clusterPort     `json:"ports,omitempty"`     // the other two
	}
	clusterPeer struct {
		Namespaces  *metav1.LabelSelector `json:"namespaces,omitempty"`
		Pods        *clusterPods          `json:"pods,omitempty"`
		Nodes       *metav1.LabelSelector `json:"nodes,omitempty"`
		Networks    []string              `json:"networks,omitempty"`
		DomainNames []string              `json:"domainNames,omitempty"`
	}
	clusterPods struct {
		NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
		PodSelector       metav1.LabelSelector `json:"podSelector"`
	}
	clusterProtocol struct {
		TCP                  *clusterDestination `json:"tcp,omitempty"`
		UDP                  *clusterDestination `json:"udp,omitempty"`
		SCTP                 *clusterDestination `json:"sctp,omitempty"`
		DestinationNamedPort string              `json:"destinationNamedPort,omitempty"`
	}
	clusterDestination struct {
		DestinationPort *struct {
			Number int64         `json:"number,omitempty"`
			Range  *clusterRange `json:"range,omitempty"`
		} `json:"destinationPort,omitempty"`
	}
	clusterRange struct {
		Protocol string `json:"protocol,omitempty"` // in portRange
		Start    int64  `json:"start"`
		End      int64  `json:"end"`
	}
	clusterPort struct {
		PortNumber *struct {
			Protocol string `json:"protocol"`
			Port     int64  `json:"port"`
		} `json:"portNumber,omitempty"`
		NamedPort *string       `json:"namedPort,omitempty"`
		PortRange *clusterRange `json:"portRange,omitempty"`
	}
)

// maxPriority is the highest priority of a ClusterNetworkPolicy or AdminNetworkPolicy.
const maxPriority = 1000

// readClusterPolicy reads one of the three kinds. Rules keep their order; a type applies only where there are rules.
func readClusterPolicy(p *policy, spec *clusterSpec) *fieldError {
	allow := "Allow"
	switch p.ref.Kind {
	case "ClusterNetworkPolicy":
		allow = "Accept"
		switch spec.Tier {
		case "Admin":
			p.tier = tierAdmin
		case "Baseline":
			p.tier = tierBaseline
		default:
			return fault("spec.tier", "write Admin or Baseline", "unknown tier %q", spec.Tier)
		}
	case "AdminNetworkPolicy":
		p.tier = tierANP
	case "BaselineAdminNetworkPolicy":
		p.tier, p.order = tierBANP, orderKubernetes
	}
	if p.ref.Kind != "BaselineAdminNetworkPolicy" {
		if spec.Priority == nil || *spec.Priority < 0 || *spec.Priority > maxPriority {
			return fault("spec.priority", "", "must be from 0 to %d", maxPriority)
		}
		p.order = float64(*spec.Priority)
	}
	subject, err := clusterSelector("spec.subject", &spec.Subject)
	if err != nil {
		return err
	}
	if subject == nil {
		return fault("spec.subject", "", "one of namespaces and pods must be given")
	}
	p.subject = newClause("", subject)
	p.applies = [2]bool{len(spec.Ingress) > 0, len(spec.Egress) > 0}
	for i := range spec.Ingress {
		r := &spec.Ingress[i]
		if err := clusterRules(p, Ingress, fmt.Sprintf("spec.ingress[%d]", i), "from", r, r.From, allow); err != nil {
			return err
		}
	}
	for i := range spec.Egress {
		r := &spec.Egress[i]
		if err := clusterRules(p, Egress, fmt.Sprintf("spec.egress[%d]", i), "to", r, r.To, allow); err != nil {
			return err
		}
	}
	return nil
}

// clusterSelector returns the pods that a subject means; nil if it means none by selector.
func clusterSelector(path string, subject *clusterPeer) (*expression, *fieldError) {
	e, err := clusterPeers(path, subject)
	if e == nil || err != nil {
		return nil, err
	}
	return both(isPod, e), nil
}

// clusterPeers returns what a peer means. Calico takes namespaces alone for all that is in them, network sets included.
func clusterPeers(path string, peer *clusterPeer) (*expression, *fieldError) {
	switch {
	case peer.Namespaces != nil && peer.Pods != nil:
		return nil, fault(path, "", "only one of namespaces and pods may be given")
	case peer.Namespaces != nil:
		e, err := kubeSelector(peer.Namespaces, prefixNamespace, path+".namespaces")
		if err != nil {
			return nil, err
		}
		return e.ofNamespaces(), nil
	case peer.Pods != nil:
		namespaces, err := kubeSelector(&peer.Pods.NamespaceSelector, prefixNamespace, path+".pods.namespaceSelector")
		if err != nil {
			return nil, err
		}
		pods, err := kubeSelector(&peer.Pods.PodSelector, "", path+".pods.podSelector")
		return both(isPod, both(namespaces, pods)), err
	}
	return nil, nil
}

func clusterRules(p *policy, dir Direction, path, list string, r *clusterRule, peers []clusterPeer, allow string) *fieldError {
	action := Allow
	switch {
	case r.Action == allow:
	case r.Action == "Deny":
		action = Deny
	case r.Action == "Pass" && p.ref.Kind != "BaselineAdminNetworkPolicy":
		action = Pass
	default:
		return fault(path+".action", "", "unknown action %q", r.Action)
	}
	if len(peers) == 0 {
		return fault(path+"."+list, "", "must name at least one peer")
	}
	if at, what := unsupported(path, list, r, peers); what != "" {
		p.replaceRule(dir, action, path, at, what)
		return nil
	}
	matches, err := clusterPorts(p, path, r)
	if err != nil {
		return err
	}
	for i := range peers {
		e, err := clusterEntity(fmt.Sprintf("%s.%s[%d]", path, list, i), dir, &peers[i])
		if err != nil {
			return err
		}
		for _, m := range matches {
			p.rules[dir] = append(p.rules[dir], &rule{action: action, path: path, peer: e, ports: m})
		}
	}
	return nil
}

// unsupported returns what of a rule Calico does not know, and where.
func unsupported(path, list string, r *clusterRule, peers []clusterPeer) (at, what string) {
	for i, protocol := range r.Protocols {
		if protocol.DestinationNamedPort != "" {
			return fmt.Sprintf("%s.protocols[%d].destinationNamedPort", path, i), "named ports"
		}
	}
	for i, peer := range peers {
		if peer.Nodes != nil && list == "to" {
			return fmt.Sprintf("%s.%s[%d].nodes", path, list, i), "nodes"
		}
		if len(peer.DomainNames) > 0 && list == "to" {
			return fmt.Sprintf("%s.%s[%d].domainNames", path, list, i), "domain names"
		}
	}
	return "", ""
}

// replaceRule does what Calico does to a rule that it cannot turn into its own: it leaves one that allows out, and puts
// a Deny of everything in the place of any other.
func (p *policy) replaceRule(dir Direction, action Action, path, at, what string) {
	if action == Allow {
		p.flaw = fault(at, "write the rule without them", "Calico does not know %s here, and leaves the rule out", what)
		return
	}
	p.flaw = fault(at, "write the rule without them", "Calico does not know %s here, and denies everything in the place of the rule", what)
	p.rules[dir] = append(p.rules[dir], &rule{action: Deny, path: path, ports: portMatch{base: AllPorts()}})
}

func clusterEntity(path string, dir Direction, peer *clusterPeer) (entity, *fieldError) {
	selector, err := clusterPeers(path, peer)
	switch {
	case err != nil:
		return entity{}, err
	case selector != nil:
		return entity{pos: newClause("", selector)}, nil
	case dir == Ingress:
		return entity{}, fault(path, "", "one of namespaces and pods must be given")
	case len(peer.Networks) > 0:
		prefixes := make([]netip.Prefix, len(peer.Networks))
		for i, text := range peer.Networks {
			p, err := netip.ParsePrefix(text)
			if err != nil || p.Addr().Is4In6() {
				return entity{}, fault(fmt.Sprintf("%s.networks[%d]", path, i), "", "%q is not a CIDR", text)
			}
			prefixes[i] = p
		}
		nets := AddressesOf(prefixes...)
		return entity{nets: &nets}, nil
	}
	return entity{}, fault(path, "", "one of namespaces, pods, nodes, networks and domainNames must be given")
}

func clusterPorts(p *policy, path string, r *clusterRule) ([]portMatch, *fieldError) {
	var out []portMatch
	add := func(at, protocol string, lo, hi int64) *fieldError {
		number, err := protocolNumber(protocol)
		if _, ok := portBase(number); err != nil || !ok {
			return fault(at, "write TCP, UDP or SCTP", "unknown protocol %q", protocol)
		}
		if lo < 1 || hi > 65535 || hi < lo {
			return fault(at, "", "%d to %d is no range of ports from 1 to 65535", lo, hi)
		}
		set, _ := PortRange(protocol, uint16(lo), uint16(hi))
		out = append(out, portMatch{base: set})
		return nil
	}
	for i, protocol := range r.Protocols {
		at := fmt.Sprintf("%s.protocols[%d]", path, i)
		text, d := "TCP", protocol.TCP
		if protocol.UDP != nil {
			text, d = "UDP", protocol.UDP
		} else if protocol.SCTP != nil {
			text, d = "SCTP", protocol.SCTP
		}
		switch {
		case d == nil:
			return nil, fault(at, "", "one of tcp, udp, sctp and destinationNamedPort must be given")
		case d.DestinationPort == nil:
			set, _ := Protocol(text)
			out = append(out, portMatch{base: set})
		case d.DestinationPort.Range != nil:
			if err := add(at, text, d.DestinationPort.Range.Start, d.DestinationPort.Range.End); err != nil {
				return nil, err
			}
		default:
			if err := add(at, text, d.DestinationPort.Number, d.DestinationPort.Number); err != nil {
				return nil, err
			}
		}
	}
	for i, port := range r.Ports {
		at := fmt.Sprintf("%s.ports[%d]", path, i)
		var err *fieldError
		switch {
		case port.NamedPort != nil:
			p.flaw = fault(at+".namedPort", "write the number", "Calico does not know named ports here, and lets the rule match every port")
			return []portMatch{{base: AllPorts()}}, nil
		case port.PortNumber != nil:
			err = add(at, port.PortNumber.Protocol, port.PortNumber.Port, port.PortNumber.Port)
		case port.PortRange != nil:
			protocol := port.PortRange.Protocol
			if protocol == "" {
				protocol = "TCP"
			}
			err = add(at, protocol, port.PortRange.Start, port.PortRange.End)
		default:
			err = fault(at, "", "one of portNumber, namedPort and portRange must be given")
		}
		if err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return []portMatch{{base: AllPorts()}}, nil
	}
	return out, nil
}
