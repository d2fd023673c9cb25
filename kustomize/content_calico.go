package kustomize

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

func calicoKind(kind string) schema.GroupKind {
	return schema.GroupKind{Group: kinds.GroupCalico, Kind: kind}
}

// calico checks the types and rules of a Calico policy.
func (c *contents) calico(types []calico.PolicyType, ingress, egress []calico.Rule) {
	for i, t := range types {
		c.direction(fieldPath{"spec", "types", i}, string(t), i, func(j int) string { return string(types[j]) })
	}
	for i, r := range ingress {
		c.calicoRule(fieldPath{"spec", "ingress", i}, r)
	}
	for i, r := range egress {
		c.calicoRule(fieldPath{"spec", "egress", i}, r)
	}
}

var (
	calicoActions   = []calico.Action{calico.Allow, calico.Deny, calico.Log, calico.Pass}
	calicoProtocols = []string{
		numorstring.ProtocolTCP, numorstring.ProtocolUDP, numorstring.ProtocolICMP,
		numorstring.ProtocolICMPv6, numorstring.ProtocolSCTP, numorstring.ProtocolUDPLite,
	}
)

func (c *contents) calicoRule(at fieldPath, r calico.Rule) {
	if !slices.Contains(calicoActions, r.Action) {
		c.add(at.at("action"), "is %q, and must be Allow, Deny, Log or Pass", r.Action)
	}
	c.calicoProtocol(at.at("protocol"), r.Protocol)
	c.calicoProtocol(at.at("notProtocol"), r.NotProtocol)
	if r.IPVersion != nil && *r.IPVersion != 4 && *r.IPVersion != 6 {
		c.add(at.at("ipVersion"), "is %d, and must be 4 or 6", *r.IPVersion)
	}
	havePorts := r.Protocol != nil && r.Protocol.SupportsPorts()
	c.calicoEntity(at.at("source"), r.Source, havePorts)
	c.calicoEntity(at.at("destination"), r.Destination, havePorts)
}

func (c *contents) calicoProtocol(at fieldPath, p *numorstring.Protocol) {
	if p == nil || p.Type == numorstring.NumOrStringNum || slices.Contains(calicoProtocols, p.StrVal) {
		return
	}
	if n, err := strconv.ParseUint(p.StrVal, 10, 8); err == nil && n > 0 {
		return
	}
	c.add(at, "is %q, and must be TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or 1 to 255", p.StrVal)
}

func (c *contents) calicoEntity(at fieldPath, e calico.EntityRule, havePorts bool) {
	for _, list := range []struct {
		field string
		nets  []string
	}{{"nets", e.Nets}, {"notNets", e.NotNets}} {
		for i, s := range list.nets {
			c.network(at.at(list.field, i), s)
		}
	}
	for _, list := range []struct {
		field string
		ports []numorstring.Port
	}{{"ports", e.Ports}, {"notPorts", e.NotPorts}} {
		if len(list.ports) > 0 && !havePorts {
			c.add(at.at(list.field), "needs a protocol of TCP, UDP or SCTP in the rule")
		}
	}
}

// network checks a CIDR in a rule, where Calico wants the network's own address.
func (c *contents) network(at fieldPath, s string) {
	if c.cidr(at, s) == nil {
		return
	}
	if ip, n, _ := net.ParseCIDR(s); !ip.Equal(n.IP) {
		c.add(at, "is %s, which has address bits beyond its prefix; write %s", s, n)
	}
}

// nets checks the members of a network set, which may be addresses too.
func (c *contents) nets(nets []string) {
	for i, s := range nets {
		if !isAddress(s) {
			c.cidr(fieldPath{"spec", "nets", i}, s)
		}
	}
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}
