package felix

import (
	"net/netip"
	"testing"

	"github.com/projectcalico/calico/app-policy/policystore"
	"github.com/projectcalico/calico/felix/proto"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each test here is one class of packets on which two parts of Calico differ, and says who is right. Where it is the
// checker (app-policy/checker) and the packet filter (felix/rules), it is the packet filter: it is what packets meet.

// The checker finds no address in a network of /25 to /31 within an IP set: its tree ends at /24 and looks single
// addresses up from there (app-policy/policystore/ipset.go, containsIP). The kernel's hash:net, which Felix fills with the
// same members, finds it.
func TestCheckerLosesNets(t *testing.T) {
	for cidr, found := range map[string]bool{"10.0.0.0/24": true, "10.0.0.0/25": false, "10.0.0.0/31": false, "10.0.0.1/32": true} {
		theirs := policystore.NewIPSet(proto.IPSetUpdate_NET)
		theirs.AddString(cidr)
		assert.Equal(t, found, theirs.Contains("10.0.0.1"), cidr)
		assert.True(t, newKernelSet(&proto.IPSetUpdate{Type: proto.IPSetUpdate_NET, Members: []string{cidr}}, nil).Contains("10.0.0.1"))
	}
	s := newScene(
		object("projectcalico.org/v3", "GlobalNetworkSet", "", "s", dict{"role": "peer"}, dict{"nets": []any{"203.0.113.0/30"}}),
		ingress("GlobalNetworkPolicy", "p", nil, dict{"action": "Allow", "source": dict{"selector": "role == 'peer'"}}))
	assert.Equal(t, "Deny", s.unaided(t, "203.0.113.1", Packet{Protocol: 6, Port: 80}))
	assert.Equal(t, "Allow", s.agreed(t, "203.0.113.1", Packet{Protocol: 6, Port: 80}))
	assert.Contains(t, s.filter(t, 4), "--match-set cali40s:")
}

// The checker looks "80" up among members such as "10.0.0.1,tcp:80" (app-policy/checker/match.go, matchPort), so no named
// port ever matches. Felix has the kernel look up address, protocol and port.
func TestCheckerLosesNamedPorts(t *testing.T) {
	s := newScene(ingress("GlobalNetworkPolicy", "p", nil, dict{"action": "Allow", "protocol": "TCP", "destination": dict{"ports": []any{"web"}}}))
	assert.Equal(t, "Deny", s.unaided(t, "203.0.113.1", Packet{Protocol: 6, Port: 80}))
	assert.Equal(t, "Allow", s.agreed(t, "203.0.113.1", Packet{Protocol: 6, Port: 80}))
	assert.Equal(t, "Deny", s.agreed(t, "203.0.113.1", Packet{Protocol: 6, Port: 81}))
	assert.Equal(t, "Deny", s.agreed(t, "203.0.113.1", Packet{Protocol: 17, Port: 80}))
	assert.Contains(t, s.filter(t, 4), "dst,dst")
}

// The checker has no name for SCTP (app-policy/checker/match.go, protocolMapL4), so that it never finds an SCTP port of a
// Service. Felix's sets and the kernel have.
func TestCheckerLosesSCTP(t *testing.T) {
	set := &proto.IPSetUpdate{Type: proto.IPSetUpdate_IP_AND_PORT, Members: []string{"10.0.0.1,sctp:80"}}
	packet := &flow{Packet{Protocol: 132, Port: 80}, netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("10.0.0.1")}
	ours := newKernelSet(set, packet)
	const asked = "10.0.0.1,:80" // what matchDstIPPortSetIds makes of the packet
	assert.True(t, ours.Contains(asked))
	theirs := policystore.NewIPSet(set.Type)
	theirs.AddString(set.Members[0])
	assert.False(t, theirs.Contains(asked))
}

// The checker does not look at ICMP types and codes (app-policy/checker/match.go). Felix renders them.
func TestCheckerLeavesOutICMP(t *testing.T) {
	s := newScene(ingress("GlobalNetworkPolicy", "p", nil, dict{"action": "Allow", "protocol": "ICMP", "icmp": dict{"type": int64(8), "code": int64(0)}}))
	assert.Equal(t, "Allow", s.unaided(t, "203.0.113.1", Packet{Protocol: protocolICMP, Type: 3}))
	assert.Equal(t, "Deny", s.agreed(t, "203.0.113.1", Packet{Protocol: protocolICMP, Type: 3}))
	assert.Equal(t, "Allow", s.agreed(t, "203.0.113.1", Packet{Protocol: protocolICMP, Type: 8}))
	assert.Contains(t, s.filter(t, 4), "--icmp-type 8/0")
	assert.Empty(t, s.filter(t, 6))
}

// The checker does not look at the IP version of a rule, and takes a rule whose notNets are all of the other version for
// one without. Felix does not render such rules (felix/rules/policy.go, FilterRuleToIPVersion).
func TestCheckerMixesVersions(t *testing.T) {
	for _, rule := range []dict{
		{"action": "Allow", "ipVersion": int64(6)},
		{"action": "Allow", "source": dict{"notNets": []any{"fd00::/16"}}},
	} {
		s := newScene(ingress("GlobalNetworkPolicy", "p", nil, rule))
		assert.Equal(t, "Allow", s.unaided(t, "203.0.113.1", Packet{Protocol: 6, Port: 80}))
		assert.Equal(t, "Deny", s.agreed(t, "203.0.113.1", Packet{Protocol: 6, Port: 80}))
		assert.Equal(t, "Allow", s.agreed(t, "2001:db8::1", Packet{Protocol: 6, Port: 80}))
		assert.Empty(t, s.filter(t, 4))
	}
}

// The checker gives up where a tier has no end (app-policy/checker/check.go, ruleActionFromStr), as one that does not
// exist. Felix drops what comes to the end of a tier unless it says Pass (felix/rules/endpoints.go).
func TestCheckerFailsWithoutTier(t *testing.T) {
	s := newScene(ingress("GlobalNetworkPolicy", "ghost.p", dict{"tier": "ghost"}, dict{"action": "Allow", "protocol": "TCP"}))
	assert.Equal(t, "Allow", s.unaided(t, "203.0.113.1", Packet{Protocol: 6, Port: 80}))
	assert.Empty(t, s.unaided(t, "203.0.113.1", Packet{Protocol: 17, Port: 80}))
	assert.Equal(t, "Deny", s.agreed(t, "203.0.113.1", Packet{Protocol: 17, Port: 80}))
}

// The checker's store leaves staged policies out, but the endpoints still name them, and after such a name the checker
// forgets the end of the tier (app-policy/checker/check.go, checkTiers). Felix renders the end of a tier that has another
// policy (felix/rules/endpoints.go).
func TestCheckerTripsOverStaged(t *testing.T) {
	s := newScene(
		ingress("GlobalNetworkPolicy", "p", nil, dict{"action": "Allow", "protocol": "TCP"}),
		ingress("StagedGlobalNetworkPolicy", "q", nil, dict{"action": "Deny"}))
	assert.Equal(t, "Allow", s.unaided(t, "203.0.113.1", Packet{Protocol: 17, Port: 80}))
	assert.Equal(t, "Deny", s.agreed(t, "203.0.113.1", Packet{Protocol: 17, Port: 80}))
	alone := newScene(ingress("StagedGlobalNetworkPolicy", "q", nil, dict{"action": "Deny"}))
	assert.Equal(t, "Allow", alone.agreed(t, "203.0.113.1", Packet{Protocol: 6, Port: 80}))
	alone.pending = true
	assert.Equal(t, "Deny", alone.agreed(t, "203.0.113.1", Packet{Protocol: 6, Port: 80}))
}

// Calico's view of what a StagedKubernetesNetworkPolicy would do leaves its egress rules out where it says no policyTypes
// (libcalico-go/lib/backend/k8s/conversion, K8sNetworkPolicyToCalico: the API server's defaults are taken for granted, and
// this kind never meets them). drift/reach is right: the API says that egress rules imply the type, and the policy that
// comes of it, once it is enforced, has them.
func TestStagedTypes(t *testing.T) {
	staged := object("projectcalico.org/v3", "StagedKubernetesNetworkPolicy", "x", "p", nil, dict{
		"podSelector": dict{}, "egress": []any{dict{"to": []any{dict{"ipBlock": dict{"cidr": "203.0.113.0/24"}}}}},
	})
	enforced := object("networking.k8s.io/v1", "NetworkPolicy", "x", "p", nil, staged["spec"].(dict))
	inside, outside := End{"x/a", netip.MustParseAddr("10.0.0.1")}, End{"", netip.MustParseAddr("198.51.100.1")}
	for _, row := range []struct {
		policy         dict
		calico, engine bool
	}{{staged, true, false}, {enforced, false, false}} {
		s := newScene(row.policy)
		s.pending = true
		reference, err := New(s.objects, true)
		require.NoError(t, err)
		allowed, err := reference.Allowed(inside, outside, Packet{Protocol: 6, Port: 80})
		require.NoError(t, err)
		assert.Equal(t, row.calico, allowed)
		verdict, err := s.engine(t).Decide(peerOf(inside), peerOf(outside), reach.AllPorts())
		require.NoError(t, err)
		assert.Equal(t, row.engine, verdict.Outcome == reach.Allowed)
	}
}

// Calico's conversion of a Kubernetes NetworkPolicy makes a rule without addresses of an ipBlock that it cannot read
// (libcalico-go/lib/backend/k8s/conversion, k8sPeerToCalicoFields), such as one with a leading zero, which the API server
// takes: the rule then lets everyone in. drift/reach says that the policy is malformed, and that nothing is known of it.
func TestUnreadableBlock(t *testing.T) {
	policy := kubernetesPolicy(dict{"ingress": []any{dict{"from": []any{dict{"ipBlock": dict{"cidr": "010.0.0.0/8"}}}}}})
	s := newScene(policy)
	reference, err := New(s.objects, false)
	require.NoError(t, err)
	source, pod := End{"", netip.MustParseAddr("203.0.113.1")}, End{"x/a", netip.MustParseAddr("10.0.0.1")}
	allowed, err := reference.Allowed(source, pod, Packet{Protocol: 6, Port: 80})
	require.NoError(t, err)
	assert.True(t, allowed)
	engine := s.engine(t)
	require.Len(t, engine.Problems(), 1)
	verdict, err := engine.Decide(peerOf(source), peerOf(pod), reach.AllPorts())
	require.NoError(t, err)
	assert.Equal(t, reach.Unknown, verdict.Outcome)
}

// A rule about a Service without a namespace means one of the policy's namespace, says the API (ServiceMatch). Felix looks
// for it in none (felix/calc/rule_scanner.go), and the rule matches nothing; so says drift/reach, and that it is a problem.
func TestServiceWithoutNamespace(t *testing.T) {
	service := object("v1", "Service", "x", "s", nil, dict{"ports": []any{dict{"port": int64(80)}}})
	slice := object("discovery.k8s.io/v1", "EndpointSlice", "x", "s-1", dict{"kubernetes.io/service-name": "s"}, nil)
	slice["addressType"], slice["endpoints"] = "IPv4", []any{dict{"addresses": []any{"203.0.113.1"}}}
	slice["ports"] = []any{dict{"port": int64(80), "protocol": "TCP"}}
	for namespace, want := range map[string]reach.Outcome{"x": reach.Allowed, "": reach.Denied} {
		s := newScene(service, slice, calicoPolicy(dict{"ingress": []any{
			dict{"action": "Allow", "source": dict{"services": dict{"name": "s", "namespace": namespace}}},
		}}))
		reference, err := New(s.objects, false)
		require.NoError(t, err)
		source, pod := End{"", netip.MustParseAddr("203.0.113.1")}, End{"x/a", netip.MustParseAddr("10.0.0.1")}
		allowed, err := reference.Allowed(source, pod, Packet{Protocol: 6, Port: 80})
		require.NoError(t, err)
		assert.Equal(t, want == reach.Allowed, allowed)
		engine := s.engine(t)
		assert.Equal(t, namespace == "", len(engine.Problems()) == 1)
		verdict, err := engine.Decide(peerOf(source), peerOf(pod), reach.AllPorts())
		require.NoError(t, err)
		assert.Equal(t, want, verdict.Outcome)
	}
}
