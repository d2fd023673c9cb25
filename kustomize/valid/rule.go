package valid

import (
	"slices"
	"strconv"
	"strings"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
)

var (
	actions   = []calico.Action{calico.Allow, calico.Deny, calico.Log, calico.Pass}
	protocols = []string{
		numorstring.ProtocolTCP, numorstring.ProtocolUDP, numorstring.ProtocolICMP,
		numorstring.ProtocolICMPv6, numorstring.ProtocolSCTP, numorstring.ProtocolUDPLite,
	}
)

func (k *checks) rule(at path, r *calico.Rule) {
	if !slices.Contains(actions, r.Action) {
		k.add(at.at("action"), "is %q, and must be Allow, Deny, Log or Pass", r.Action)
	}
	k.protocol(at.at("protocol"), r.Protocol)
	k.protocol(at.at("notProtocol"), r.NotProtocol)
	if v := r.IPVersion; v != nil && *v != 4 && *v != 6 {
		k.add(at.at("ipVersion"), "is %d, and must be 4 or 6", *v)
	}
	k.icmp(at, r)
	k.http(at, r)
	havePorts := r.Protocol != nil && r.Protocol.SupportsPorts()
	k.entity(at.at("source"), &r.Source, havePorts)
	k.entity(at.at("destination"), &r.Destination, havePorts)
	k.families(at, r)
	if r.Destination.Services != nil && len(r.Destination.Ports)+len(r.Destination.NotPorts) > 0 {
		k.add(at.at("destination", "services"), "cannot stand beside ports: a Service brings its own")
	}
	if r.Metadata != nil {
		k.metadata(at.at("metadata"), nil, r.Metadata.Annotations)
	}
}

func (k *checks) protocol(at path, p *numorstring.Protocol) {
	if p == nil || p.Type == numorstring.NumOrStringNum && p.NumVal > 0 || slices.Contains(protocols, p.StrVal) {
		return
	}
	if n, err := strconv.ParseUint(p.StrVal, 10, 8); err == nil && n > 0 {
		return
	}
	k.add(at, "is %q, and must be TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or 1 to 255", p.String())
}

// named reports whether a protocol is given by this name.
func named(p *numorstring.Protocol, name string) bool {
	return p != nil && p.Type == numorstring.NumOrStringString && p.StrVal == name
}

func (k *checks) icmp(at path, r *calico.Rule) {
	if r.ICMP != nil && !named(r.Protocol, numorstring.ProtocolICMP) && !named(r.Protocol, numorstring.ProtocolICMPv6) {
		k.add(at.at("icmp"), "needs protocol: ICMP or ICMPv6, by name, in the rule")
	}
	k.icmpFields(at.at("icmp"), r.ICMP)
	k.icmpFields(at.at("notICMP"), r.NotICMP)
	if r.IPVersion != nil {
		k.icmpVersion(at.at("protocol"), r.Protocol, *r.IPVersion)
		k.icmpVersion(at.at("notProtocol"), r.NotProtocol, *r.IPVersion)
	}
}

func (k *checks) icmpVersion(at path, p *numorstring.Protocol, version int) {
	if named(p, numorstring.ProtocolICMP) && version != 4 || named(p, numorstring.ProtocolICMPv6) && version != 6 {
		k.add(at, "is %s, which is not of IPv%d, as the rule is", p, version)
	}
}

func (k *checks) icmpFields(at path, icmp *calico.ICMPFields) {
	if icmp == nil {
		return
	}
	if t := icmp.Type; t != nil && (*t < 0 || *t > 254) {
		k.add(at.at("type"), "is %d, and must be 0 to 254", *t)
	}
	if c := icmp.Code; c != nil && (*c < 0 || *c > 255) {
		k.add(at.at("code"), "is %d, and must be 0 to 255", *c)
	}
	if icmp.Code != nil && icmp.Type == nil {
		k.add(at.at("code"), "needs a type beside it")
	}
}

func (k *checks) http(at path, r *calico.Rule) {
	if r.HTTP == nil {
		return
	}
	at = at.at("http")
	if r.Action != calico.Allow {
		k.add(at, "can only be in a rule that allows")
	}
	if r.Protocol != nil && !named(r.Protocol, numorstring.ProtocolTCP) {
		k.add(at, "needs protocol: TCP, by name, or none")
	}
	unique(k, at.at("methods"), r.HTTP.Methods)
	for i, p := range r.HTTP.Paths {
		text := p.Exact + p.Prefix
		switch {
		case (p.Exact == "") == (p.Prefix == ""):
			k.add(at.at("paths", i), "must have one of exact and prefix")
		case text[0] != '/' || strings.ContainsAny(text, "? #"):
			k.add(at.at("paths", i), "is %q, and must begin with / and hold no ?, # or space", text)
		}
	}
}
