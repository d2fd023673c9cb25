package felix

import (
	"fmt"
	"net/netip"

	"github.com/projectcalico/calico/app-policy/policystore"
	"github.com/projectcalico/calico/felix/proto"
)

// newKernelSet makes an IP set that answers as the kernel's sets do, which Felix fills with the same members. Those that
// Calico's checker has itself do not: see TestCheckerLosesNets and TestCheckerLosesNamedPorts.
func newKernelSet(update *proto.IPSetUpdate, packet *flow) policystore.IPSet {
	var set policystore.IPSet = netSet{}
	if update.Type == proto.IPSetUpdate_IP_AND_PORT {
		set = &portSet{policystore.NewIPSet(update.Type), packet}
	}
	for _, member := range update.Members {
		set.AddString(member)
	}
	return set
}

// netSet is a set of CIDRs (hash:net).
type netSet map[netip.Prefix]bool

// AddString adds a CIDR.
func (s netSet) AddString(cidr string) { s[netip.MustParsePrefix(cidr)] = true }

// RemoveString removes a CIDR.
func (s netSet) RemoveString(cidr string) { delete(s, netip.MustParsePrefix(cidr)) }

// Contains reports whether an address is in any of the CIDRs.
func (s netSet) Contains(address string) bool {
	addr := netip.MustParseAddr(address)
	for cidr := range s {
		if cidr.Contains(addr) {
			return true
		}
	}
	return false
}

// Members returns the CIDRs.
func (s netSet) Members() []string {
	var out []string
	for cidr := range s {
		out = append(out, cidr.String())
	}
	return out
}

// portSet is a set of addresses with protocol and port (hash:ip,port), in which a packet is looked up by its destination's
// address, protocol and port together, whatever the checker asks for.
type portSet struct {
	policystore.IPSet
	packet *flow
}

// Contains reports whether the destination of the packet is in the set.
func (s *portSet) Contains(string) bool {
	p := s.packet
	return s.IPSet.Contains(fmt.Sprintf("%s,%s:%d", p.destination, protocolNames[p.Protocol], p.Port))
}

var protocolNames = map[uint8]string{6: "tcp", 17: "udp", 132: "sctp"}
