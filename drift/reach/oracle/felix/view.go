package felix

import (
	"net"
	"net/netip"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/calico/app-policy/policystore"
	"github.com/projectcalico/calico/felix/proto"
	"github.com/projectcalico/calico/felix/rules"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/model"
)

// viewKey is what Felix renders rules for apart: a version of IP, and here also one type and code of ICMP, which the
// checker does not look at (TestCheckerLeavesOutICMP).
type viewKey struct {
	v4         bool
	icmp       bool
	kind, code uint8
}

const (
	protocolICMP   = 1
	protocolICMPv6 = 58
)

// view returns the store as it is for one packet. Felix renders each policy once for IPv4 and once for IPv6, and leaves
// out of either what only concerns the other; the checker reads the policies before that is done.
func (r *Reference) view(v4 bool, packet Packet) *policystore.PolicyStore {
	key := viewKey{v4: v4}
	if packet.Protocol == protocolICMP || packet.Protocol == protocolICMPv6 {
		key = viewKey{v4, true, packet.Type, packet.Code}
	}
	if v := r.views[key]; v != nil {
		return v
	}
	v := policystore.NewPolicyStore()
	v.ProfileByID, v.IPSetByID = r.store.ProfileByID, r.store.IPSetByID
	for id, policy := range r.store.PolicyByID {
		v.PolicyByID[id] = &proto.Policy{
			Namespace: policy.Namespace, InboundRules: key.rules(policy.InboundRules), OutboundRules: key.rules(policy.OutboundRules),
		}
	}
	r.views[key] = v
	return v
}

// rules returns the rules that Felix renders for packets of the view.
func (k viewKey) rules(all []*proto.Rule) []*proto.Rule {
	var out []*proto.Rule
	version := uint8(6)
	if k.v4 {
		version = 4
	}
	for _, r := range all {
		if r = rules.FilterRuleToIPVersion(version, r); r != nil && k.matches(r) {
			out = append(out, r)
		}
	}
	return out
}

// matches reports whether the ICMP fields of a rule hold.
func (k viewKey) matches(r *proto.Rule) bool {
	if !k.icmp {
		return r.Icmp == nil && r.NotIcmp == nil
	}
	switch want := r.Icmp.(type) {
	case *proto.Rule_IcmpType:
		if want.IcmpType != int32(k.kind) {
			return false
		}
	case *proto.Rule_IcmpTypeCode:
		if want.IcmpTypeCode.Type != int32(k.kind) || want.IcmpTypeCode.Code != int32(k.code) {
			return false
		}
	}
	switch not := r.NotIcmp.(type) {
	case *proto.Rule_NotIcmpType:
		return not.NotIcmpType != int32(k.kind)
	case *proto.Rule_NotIcmpTypeCode:
		return not.NotIcmpTypeCode.Type != int32(k.kind) || not.NotIcmpTypeCode.Code != int32(k.code)
	}
	return true
}

// rendered returns the endpoint as Felix renders it (felix/rules/endpoints.go): without the staged policies in its tiers,
// unless they are pending, and with Deny for the end of a tier that is none of Pass, as that of a tier that does not exist.
func (r *Reference) rendered(endpoint *proto.WorkloadEndpoint) *proto.WorkloadEndpoint {
	out := &proto.WorkloadEndpoint{ProfileIds: endpoint.ProfileIds}
	for _, tier := range endpoint.Tiers {
		t := &proto.TierInfo{Name: tier.Name, DefaultAction: string(calico.Deny), IngressPolicies: tier.IngressPolicies, EgressPolicies: tier.EgressPolicies}
		if tier.DefaultAction == string(calico.Pass) {
			t.DefaultAction = tier.DefaultAction
		}
		if !r.pending {
			t.IngressPolicies, t.EgressPolicies = withoutStaged(tier.IngressPolicies), withoutStaged(tier.EgressPolicies)
		}
		out.Tiers = append(out.Tiers, t)
	}
	return out
}

func withoutStaged(names []string) []string {
	var out []string
	for _, name := range names {
		if !model.PolicyIsStaged(name) {
			out = append(out, name)
		}
	}
	return out
}

// flow is a packet as Calico's checker wants it. It has no principals: those come from a service mesh.
type flow struct {
	Packet
	source, destination netip.Addr
}

func (f *flow) GetSourceIP() net.IP                { return f.source.AsSlice() }
func (f *flow) GetDestIP() net.IP                  { return f.destination.AsSlice() }
func (f *flow) GetSourcePort() int                 { return 0 }
func (f *flow) GetDestPort() int                   { return int(f.Port) }
func (f *flow) GetProtocol() int                   { return int(f.Protocol) }
func (f *flow) GetHttpMethod() *string             { return nil } //nolint:revive // the name is the checker's
func (f *flow) GetHttpPath() *string               { return nil } //nolint:revive // the name is the checker's
func (f *flow) GetSourcePrincipal() *string        { return nil }
func (f *flow) GetDestPrincipal() *string          { return nil }
func (f *flow) GetSourceLabels() map[string]string { return nil }
func (f *flow) GetDestLabels() map[string]string   { return nil }
