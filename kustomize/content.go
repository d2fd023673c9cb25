package kustomize

import (
	"fmt"
	"net"
	"slices"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/kustomize/valid"
)

// checkContent finds values that the API server would refuse for certain. The object
// has passed strictCheck. Sources: Kubernetes' pkg/apis/networking/validation, and
// package valid.
func checkContent(o Object, rules valid.Config) []mismatch {
	c := contents{rules: rules}
	c.calico(o)
	switch o.Kind.GroupKind() {
	case kinds.NetworkPolicy.GroupKind():
		p := &networkingv1.NetworkPolicy{}
		decoded(&c, o, p, func() { c.kubernetes(fieldPath{"spec"}, p.Spec) })
	case calicoKind(calico.KindStagedKubernetesNetworkPolicy):
		p := &calico.StagedKubernetesNetworkPolicy{}
		decoded(&c, o, p, func() {
			c.kubernetes(fieldPath{"spec"}, networkingv1.NetworkPolicySpec{
				PodSelector: p.Spec.PodSelector, Ingress: p.Spec.Ingress, Egress: p.Spec.Egress, PolicyTypes: p.Spec.PolicyTypes,
			})
		})
	}
	return c.found
}

// contents collects what is wrong with the values of one object.
type contents struct {
	rules valid.Config
	found []mismatch
}

func (c *contents) add(at fieldPath, format string, args ...any) {
	c.found = append(c.found, mismatch{path: at, message: at.String() + " " + fmt.Sprintf(format, args...)})
}

// decoded calls check when typed holds the object.
func decoded[T any](c *contents, o Object, typed *T, check func()) {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, typed); err != nil {
		c.found = append(c.found, mismatch{message: fmt.Sprintf("%s %q cannot be read: %v", o.GetKind(), o.GetName(), err)})
		return
	}
	check()
}

// kubernetes checks a spec of networking.k8s.io.
func (c *contents) kubernetes(at fieldPath, spec networkingv1.NetworkPolicySpec) {
	c.selector(at.at("podSelector"), &spec.PodSelector)
	for i, t := range spec.PolicyTypes {
		c.direction(at.at("policyTypes", i), string(t), i, func(j int) string { return string(spec.PolicyTypes[j]) })
	}
	for i, rule := range spec.Ingress {
		c.ports(at.at("ingress", i, "ports"), rule.Ports)
		c.peers(at.at("ingress", i, "from"), rule.From)
	}
	for i, rule := range spec.Egress {
		c.ports(at.at("egress", i, "ports"), rule.Ports)
		c.peers(at.at("egress", i, "to"), rule.To)
	}
}

func (c *contents) direction(at fieldPath, t string, i int, earlier func(int) string) {
	if t != "Ingress" && t != "Egress" {
		c.add(at, "is %q, and must be Ingress or Egress", t)
		return
	}
	for j := range i {
		if earlier(j) == t {
			c.add(at, "repeats %s", t)
			return
		}
	}
}

func (c *contents) selector(at fieldPath, s *metav1.LabelSelector) {
	if s == nil {
		return
	}
	if _, err := metav1.LabelSelectorAsSelector(s); err != nil {
		c.add(at, "is not a valid selector: %s", plain(err.Error()))
	}
}

func (c *contents) peers(at fieldPath, peers []networkingv1.NetworkPolicyPeer) {
	for i, p := range peers {
		at := at.at(i)
		c.selector(at.at("podSelector"), p.PodSelector)
		c.selector(at.at("namespaceSelector"), p.NamespaceSelector)
		switch {
		case p.IPBlock != nil && (p.PodSelector != nil || p.NamespaceSelector != nil):
			c.add(at.at("ipBlock"), "cannot stand beside a podSelector or namespaceSelector; make it a list item of its own")
		case p.IPBlock != nil:
			c.block(at.at("ipBlock"), p.IPBlock)
		case p.PodSelector == nil && p.NamespaceSelector == nil:
			c.add(at, "names no peer; it needs podSelector, namespaceSelector or ipBlock")
		}
	}
}

func (c *contents) block(at fieldPath, b *networkingv1.IPBlock) {
	outer := c.cidr(at.at("cidr"), b.CIDR)
	for i, e := range b.Except {
		at := at.at("except", i)
		inner := c.cidr(at, e)
		if outer == nil || inner == nil {
			continue
		}
		outerBits, outerSize := outer.Mask.Size()
		innerBits, innerSize := inner.Mask.Size()
		if outerSize != innerSize || innerBits <= outerBits || !outer.Contains(inner.IP) {
			c.add(at, "is %s, which is not a part of %s", e, b.CIDR)
		}
	}
}

// cidr returns a parsed CIDR, nil if it is none.
func (c *contents) cidr(at fieldPath, s string) *net.IPNet {
	_, n, err := net.ParseCIDR(s)
	if err != nil {
		c.add(at, "is %q, which is not a CIDR such as 10.0.0.0/8", s)
		return nil
	}
	return n
}

func (c *contents) ports(at fieldPath, ports []networkingv1.NetworkPolicyPort) {
	for i, p := range ports {
		at := at.at(i)
		if p.Protocol != nil && !slices.Contains([]corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}, *p.Protocol) {
			c.add(at.at("protocol"), "is %q, and must be TCP, UDP or SCTP", *p.Protocol)
		}
		switch {
		case p.Port == nil:
			if p.EndPort != nil {
				c.add(at.at("endPort"), "needs a port beside it")
			}
			continue
		case p.Port.Type == intstr.String:
			if errs := validation.IsValidPortName(p.Port.StrVal); len(errs) > 0 {
				c.add(at.at("port"), "is %q, which is not a port's name: %s", p.Port.StrVal, plain(errs[0]))
			}
			if p.EndPort != nil {
				c.add(at.at("endPort"), "cannot stand beside a port's name")
			}
			continue
		}
		if errs := validation.IsValidPortNum(p.Port.IntValue()); len(errs) > 0 {
			c.add(at.at("port"), "is %d, and a port is 1 to 65535", p.Port.IntValue())
		}
		if end := p.EndPort; end != nil && (*end < p.Port.IntVal || *end > 65535) {
			c.add(at.at("endPort"), "is %d, and must be from port to 65535", *end)
		}
	}
}
