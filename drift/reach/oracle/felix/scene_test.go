package felix

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/projectcalico/calico/app-policy/checker"
	"github.com/projectcalico/calico/app-policy/policystore"
	"github.com/projectcalico/calico/felix/ipsets"
	"github.com/projectcalico/calico/felix/proto"
	"github.com/projectcalico/calico/felix/rules"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scene is the least world: pod x/a with the address 10.0.0.1 and the port web, judged by what is added.
type scene struct {
	objects []dict
	pending bool
}

func newScene(more ...dict) scene {
	pod := object("v1", "Pod", "x", "a", dict{"app": "a"}, dict{
		"nodeName": node, "serviceAccountName": "default",
		"containers": []any{dict{"name": "c", "ports": []any{dict{"name": "web", "containerPort": int64(80)}}}},
	})
	pod["status"] = dict{"podIP": "10.0.0.1", "podIPs": []any{dict{"ip": "10.0.0.1"}, dict{"ip": "fd00::1"}}}
	return scene{objects: append([]dict{object("v1", "Namespace", "", "x", nil, nil), pod}, more...)}
}

// ingress is a policy of the tier default over every pod.
func ingress(kind, name string, more dict, rules ...any) dict {
	spec := dict{"selector": "all()", "types": []any{"Ingress"}, "ingress": rules}
	for k, v := range more {
		spec[k] = v
	}
	return object("projectcalico.org/v3", kind, "", name, nil, spec)
}

// unaided is what Calico's checker says on its own, of a packet to the pod: the action of the rule that decides, or "" if
// it gives up.
func (s scene) unaided(t *testing.T, from string, p Packet) string {
	t.Helper()
	updates, _, err := gather(s.objects)
	require.NoError(t, err)
	store, err := compute(updates, func(u *proto.IPSetUpdate) policystore.IPSet {
		set := policystore.NewIPSet(u.Type)
		for _, member := range u.Members {
			set.AddString(member)
		}
		return set
	})
	require.NoError(t, err)
	require.Len(t, store.Endpoints, 1)
	for id := range store.PolicyByID {
		if strings.Contains(id.Name, "staged:") {
			delete(store.PolicyByID, id) // as ProcessUpdate does unless it is asked for them
		}
	}
	for _, endpoint := range store.Endpoints {
		source := netip.MustParseAddr(from)
		trace := checker.Evaluate(rules.RuleDirIngress, store, endpoint, &flow{p, source, s.address(source)})
		if len(trace) > 0 {
			return trace[len(trace)-1].Action.String()
		}
	}
	return ""
}

func (s scene) address(source netip.Addr) netip.Addr {
	if source.Is4() {
		return netip.MustParseAddr("10.0.0.1")
	}
	return netip.MustParseAddr("fd00::1")
}

func (s scene) engine(t *testing.T) *reach.World {
	t.Helper()
	config := reach.Config{Pending: s.pending, WholeWorld: true}
	for _, o := range s.objects {
		config.Objects = append(config.Objects, reach.Object{Content: o})
	}
	engine, err := reach.New(config)
	require.NoError(t, err)
	return engine
}

// agreed is what the reference and the engine both say.
func (s scene) agreed(t *testing.T, from string, p Packet) string {
	t.Helper()
	source := netip.MustParseAddr(from)
	reference, err := New(s.objects, s.pending)
	require.NoError(t, err)
	allowed, err := reference.Allowed(End{"", source}, End{"x/a", s.address(source)}, p)
	require.NoError(t, err)
	engine := s.engine(t)
	require.Empty(t, engine.Problems())
	verdict, err := engine.Decide(peerOf(End{"", source}), reach.PodPeer("x", "a"), reach.AllPorts())
	require.NoError(t, err)
	assert.Equal(t, allowed, holds(verdict.Allowed, p))
	assert.Equal(t, !allowed, holds(verdict.Denied, p))
	return map[bool]string{true: "Allow", false: "Deny"}[allowed]
}

// filter is the match of Felix's iptables rule for a rule of the scene's policy, for one version of IP; "" if it has none.
func (s scene) filter(t *testing.T, version uint8) string {
	t.Helper()
	updates, _, err := gather(s.objects)
	require.NoError(t, err)
	store, err := compute(updates, func(u *proto.IPSetUpdate) policystore.IPSet { return newKernelSet(u, &flow{}) })
	require.NoError(t, err)
	renderer := rules.NewRenderer(rules.Config{
		IPSetConfigV4: ipsets.NewIPVersionConfig(ipsets.IPFamilyV4, "cali", nil, nil),
		IPSetConfigV6: ipsets.NewIPVersionConfig(ipsets.IPFamilyV6, "cali", nil, nil),
		MarkAccept:    0x80, MarkPass: 0x100, MarkScratch0: 0x200, MarkScratch1: 0x400, MarkDrop: 0x800, MarkEndpoint: 0xff000,
	})
	var out []string
	for id, policy := range store.PolicyByID {
		for _, r := range policy.InboundRules {
			for _, rendered := range renderer.ProtoRuleToIptablesRules(r, version, rules.RuleOwnerTypePolicy, rules.RuleDirIngress, 0, id.Name, false) {
				if rendered.Match != nil {
					out = append(out, rendered.Match.Render())
				}
			}
		}
	}
	return strings.Join(out, "\n")
}
