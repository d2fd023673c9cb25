package reach

import (
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// fieldError is a fault at a path in an object, before the object's identity is added.
type fieldError struct {
	field, message, hint string
}

func (e *fieldError) Error() string { return e.field + ": " + e.message }

func fault(field, hint, format string, args ...any) *fieldError {
	return &fieldError{field, fmt.Sprintf(format, args...), hint}
}

// orderKubernetes is the order that Calico gives to every Kubernetes NetworkPolicy in its default tier.
const orderKubernetes = 1000

// readKubernetesPolicy turns the spec of a Kubernetes NetworkPolicy into a policy of Calico's default tier that has
// only Allow rules, as Calico does; the default tier's Deny is then what the API calls isolation
// (https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/).
func readKubernetesPolicy(p *policy, spec *networkingv1.NetworkPolicySpec) *fieldError {
	selector, err := kubeSelector(&spec.PodSelector, "", "spec.podSelector")
	if err != nil {
		return err
	}
	p.subject = newClause(p.ref.Namespace, both(isPod, selector))
	p.applies[Ingress], p.applies[Egress] = len(spec.PolicyTypes) == 0, len(spec.PolicyTypes) == 0 && len(spec.Egress) > 0
	if len(spec.PolicyTypes) > 2 {
		return fault("spec.policyTypes", "", "there are no more than two")
	}
	for i, t := range spec.PolicyTypes {
		switch t {
		case networkingv1.PolicyTypeIngress:
			p.applies[Ingress] = true
		case networkingv1.PolicyTypeEgress:
			p.applies[Egress] = true
		default:
			return fault(fmt.Sprintf("spec.policyTypes[%d]", i), "write Ingress or Egress", "unknown policy type %q", t)
		}
	}
	for i, r := range spec.Ingress {
		if err := kubeRules(p, Ingress, fmt.Sprintf("spec.ingress[%d]", i), "from", r.From, r.Ports); err != nil {
			return err
		}
	}
	for i, r := range spec.Egress {
		if err := kubeRules(p, Egress, fmt.Sprintf("spec.egress[%d]", i), "to", r.To, r.Ports); err != nil {
			return err
		}
	}
	return nil
}

// isPod is the clause that keeps network sets and host endpoints out of what Kubernetes selectors match.
var isPod = equals(labelOrchestrator, "k8s")

func kubeRules(p *policy, dir Direction, path, list string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) *fieldError {
	matches, err := kubePorts(path+".ports", ports)
	if err != nil {
		return err
	}
	entities := []entity{{}}
	if len(peers) > 0 {
		entities = entities[:0]
	}
	for i := range peers {
		e, err := kubePeer(p.ref.Namespace, fmt.Sprintf("%s.%s[%d]", path, list, i), &peers[i])
		if err != nil {
			return err
		}
		entities = append(entities, e)
	}
	for _, e := range entities {
		for _, m := range matches {
			p.rules[dir] = append(p.rules[dir], &rule{action: Allow, path: path, peer: e, ports: m})
		}
	}
	return nil
}

func kubePeer(namespace, path string, peer *networkingv1.NetworkPolicyPeer) (entity, *fieldError) {
	if peer.IPBlock != nil {
		if peer.PodSelector != nil || peer.NamespaceSelector != nil {
			return entity{}, fault(path, "split it into two peers", "ipBlock excludes podSelector and namespaceSelector")
		}
		return kubeBlock(path+".ipBlock", peer.IPBlock)
	}
	if peer.PodSelector == nil && peer.NamespaceSelector == nil {
		return entity{}, fault(path, "leave the list out to mean every peer", "an empty peer is refused by the API server")
	}
	pods := everything
	if peer.PodSelector != nil {
		var err *fieldError
		if pods, err = kubeSelector(peer.PodSelector, "", path+".podSelector"); err != nil {
			return entity{}, err
		}
	}
	if peer.NamespaceSelector == nil {
		return entity{pos: newClause(namespace, both(isPod, pods))}, nil
	}
	namespaces, err := kubeSelector(peer.NamespaceSelector, prefixNamespace, path+".namespaceSelector")
	if err != nil {
		return entity{}, err
	}
	return entity{pos: newClause("", both(isPod, both(namespaces, pods)))}, nil
}

func kubeBlock(path string, block *networkingv1.IPBlock) (entity, *fieldError) {
	cidr, err := netip.ParsePrefix(block.CIDR)
	if err != nil || cidr.Addr().Is4In6() {
		return entity{}, fault(path+".cidr", "", "%q is not a CIDR", block.CIDR)
	}
	nets := AddressesOf(cidr)
	e := entity{nets: &nets}
	if len(block.Except) == 0 {
		return e, nil
	}
	without := Addresses{}
	for i, text := range block.Except {
		except, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			return entity{}, fault(fmt.Sprintf("%s.except[%d]", path, i), "", "%q is not a CIDR", text)
		case except.Addr().BitLen() != cidr.Addr().BitLen() || !cidr.Masked().Contains(except.Addr()) || except.Bits() <= cidr.Bits():
			return entity{}, fault(fmt.Sprintf("%s.except[%d]", path, i), "", "%s is not a strict subset of %s", text, block.CIDR)
		}
		without = without.Union(AddressesOf(except))
	}
	nets = nets.Minus(without)
	return e, nil
}

// kubePorts joins all numeric ports into one match and keeps one more for each protocol that has named ones.
func kubePorts(path string, ports []networkingv1.NetworkPolicyPort) ([]portMatch, *fieldError) {
	if len(ports) == 0 {
		return []portMatch{{base: AllPorts()}}, nil
	}
	numeric := Ports{}
	names := map[uint8][]string{}
	for i, port := range ports {
		at := fmt.Sprintf("%s[%d]", path, i)
		protocol := corev1.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		if protocol != corev1.ProtocolTCP && protocol != corev1.ProtocolUDP && protocol != corev1.ProtocolSCTP {
			return nil, fault(at+".protocol", "write TCP, UDP or SCTP", "unknown protocol %q", protocol)
		}
		number, _ := protocolNumber(string(protocol))
		if port.EndPort != nil && (port.Port == nil || port.Port.Type == intstr.String) {
			return nil, fault(at+".endPort", "", "needs a numeric port")
		}
		if port.Port != nil && port.Port.Type == intstr.String {
			if err := kubePortName(port.Port.StrVal); err != "" {
				return nil, fault(at+".port", "a number is written without quotes", "%s", err)
			}
			names[number] = append(names[number], port.Port.StrVal)
			continue
		}
		set := protocolSet(number)
		if port.Port != nil {
			lo, hi := port.Port.IntVal, port.Port.IntVal
			if port.EndPort != nil {
				hi = *port.EndPort
			}
			if lo < 1 || hi > 65535 || hi < lo {
				return nil, fault(at, "", "%d to %d is no range of ports from 1 to 65535", lo, hi)
			}
			set, _ = PortRange(string(protocol), uint16(lo), uint16(hi))
		}
		numeric = numeric.Union(set)
	}
	var out []portMatch
	if !numeric.Empty() {
		out = append(out, portMatch{base: numeric})
	}
	for _, number := range []uint8{numberTCP, numberUDP, numberSCTP} {
		if len(names[number]) > 0 {
			out = append(out, portMatch{base: protocolSet(number), limited: true, named: names[number], protocol: number})
		}
	}
	return out, nil
}

// kubePortName returns what is wrong with a port name, "" if nothing is: 1 to 15 of a-z, 0-9 and -, with a letter.
func kubePortName(name string) string {
	letters := strings.ContainsFunc(name, func(r rune) bool { return r >= 'a' && r <= 'z' })
	other := strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
	if len(name) == 0 || len(name) > 15 || !letters || other || strings.Contains(name, "--") ||
		strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-") {
		return fmt.Sprintf("%q is no port name", name)
	}
	return ""
}

// labelSyntax says what is wrong with a label's key or values, as the API server does.
func labelSyntax(path, key string, values ...string) *fieldError {
	const hint = "letters, digits, -, _ and . are allowed, at most 63, and a letter or digit at both ends"
	if len(validation.IsQualifiedName(key)) > 0 {
		return fault(path, hint, "%q is no key of a label", key)
	}
	for _, value := range values {
		if len(validation.IsValidLabelValue(value)) > 0 {
			return fault(path, hint, "%q is no value of a label", value)
		}
	}
	return nil
}

// kubeSelector turns a Kubernetes label selector into an expression over keys with a prefix.
func kubeSelector(s *metav1.LabelSelector, prefix, path string) (*expression, *fieldError) {
	var parts []*expression
	for _, key := range sortedKeys(s.MatchLabels) {
		if err := labelSyntax(path+".matchLabels", key, s.MatchLabels[key]); err != nil {
			return nil, err
		}
		parts = append(parts, equals(prefix+key, s.MatchLabels[key]))
	}
	for i, r := range s.MatchExpressions {
		at := fmt.Sprintf("%s.matchExpressions[%d]", path, i)
		set := in(prefix+r.Key, r.Values)
		switch r.Operator {
		case metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn:
			if len(r.Values) == 0 {
				return nil, fault(at+".values", "", "must be given for %s", r.Operator)
			}
			if r.Operator == metav1.LabelSelectorOpNotIn {
				set.op = opNotIn
			}
		case metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist:
			if len(r.Values) > 0 {
				return nil, fault(at+".values", "", "must not be given for %s", r.Operator)
			}
			set = has(prefix + r.Key)
			if r.Operator == metav1.LabelSelectorOpDoesNotExist {
				set = negation(set)
			}
		default:
			return nil, fault(at+".operator", "write In, NotIn, Exists or DoesNotExist", "unknown operator %q", r.Operator)
		}
		if err := labelSyntax(at, r.Key, r.Values...); err != nil {
			return nil, err
		}
		parts = append(parts, set)
	}
	switch len(parts) {
	case 0:
		return everything, nil
	case 1:
		return parts[0], nil
	}
	return &expression{op: opAnd, parts: parts}, nil
}
