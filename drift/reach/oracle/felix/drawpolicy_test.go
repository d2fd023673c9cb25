package felix

import (
	"fmt"

	"pgregory.net/rapid"
)

func drawPolicy(t *rapid.T, i int, staged bool) dict {
	name := fmt.Sprintf("p%d", i)
	switch between(t, "policy", 0, 9) {
	case 0, 1, 2:
		return object("networking.k8s.io/v1", "NetworkPolicy", oneOf(t, "namespace", "x", "y"), name, nil, drawKubeSpec(t))
	case 3:
		return object("projectcalico.org/v3", "StagedKubernetesNetworkPolicy", oneOf(t, "namespace", "x", "y"), name, nil, drawStagedKubeSpec(t))
	case 4:
		return drawAdmin(t, "AdminNetworkPolicy", name)
	case 5, 6:
		return drawCalico(t, name, "NetworkPolicy", oneOf(t, "namespace", "x", "y"), staged)
	}
	return drawCalico(t, name, "GlobalNetworkPolicy", "", staged)
}

func drawTypes(t *rapid.T) []any {
	return oneOf(t, "types", nil, nil, []any{"Ingress"}, []any{"Egress"}, []any{"Ingress", "Egress"})
}

func drawCalico(t *rapid.T, name, kind, namespace string, staged bool) dict {
	tier := oneOf(t, "tier", "default", "default", "default", "security", "security", "platform", "zone", "ghost")
	spec := dict{"tier": tier, "selector": "all()"}
	if chance(t, "subject", 60) {
		spec["selector"] = drawSelector(t, 1)
	}
	if tier != "default" {
		name = tier + "." + name
	}
	drawOrder(t, spec)
	if set(spec, "types", drawTypes(t)); chance(t, "types twice", 3) {
		spec["types"] = []any{"Egress", "Egress"}
	}
	if kind == "GlobalNetworkPolicy" && chance(t, "subject's namespaces", 25) {
		spec["namespaceSelector"] = drawNamespaces(t)
	}
	if chance(t, "subject's accounts", 15) {
		spec["serviceAccountSelector"] = drawAccounts(t)
	}
	set(spec, "ingress", list(t, "ingress", 0, 3, func(t *rapid.T) dict { return drawRule(t, false) }))
	set(spec, "egress", list(t, "egress", 0, 3, func(t *rapid.T) dict { return drawRule(t, true) }))
	if staged && chance(t, "staged", 40) {
		kind = "Staged" + kind
	}
	return object("projectcalico.org/v3", kind, namespace, name, nil, spec)
}

func drawRule(t *rapid.T, egress bool) dict {
	r := dict{"action": oneOf(t, "action", "Allow", "Allow", "Deny", "Pass", "Log")}
	source, destination := dict{}, dict{}
	nets := oneOf(t, "family", nets4, nets4, nets6)
	if chance(t, "families", 5) {
		nets = append(append(append([]string{}, nets4...), nets6...), wholes...)
	}
	if chance(t, "source", 45) {
		source = drawEntity(t, nets)
	}
	if chance(t, "destination", 45) {
		destination = drawEntity(t, nets)
	}
	drawProtocol(t, r, destination)
	if chance(t, "services beside others", 3) {
		destination["services"] = dict{"name": "svc", "namespace": "x"}
	}
	if chance(t, "services", 8) {
		services := dict{"services": dict{"name": oneOf(t, "service", "svc", "svc", "none"), "namespace": oneOf(t, "service namespace", "x", "y")}}
		if egress {
			destination = services
			for _, field := range []string{"protocol", "icmp", "notICMP"} {
				delete(r, field)
			}
		} else {
			source = services
		}
	}
	if chance(t, "ipVersion", 10) {
		r["ipVersion"] = oneOf(t, "version", int64(4), int64(6))
	}
	r["source"], r["destination"] = source, destination
	return r
}

// drawProtocol restricts protocol, ports and ICMP.
func drawProtocol(t *rapid.T, r, destination dict) {
	switch between(t, "protocol", 0, 5) {
	case 0, 1:
		r["protocol"] = oneOf[any](t, "with ports", "TCP", "TCP", "UDP", "SCTP", int64(6), int64(17))
		set(destination, "ports", list(t, "ports", 0, 2, drawPort))
		if chance(t, "notPorts", 20) {
			destination["notPorts"] = []any{drawPort(t)}
		}
	case 2:
		r["protocol"] = oneOf[any](t, "without ports", "ICMP", "ICMPv6", "UDPLite", int64(47))
		if p := r["protocol"]; p == "ICMP" || p == "ICMPv6" {
			for _, field := range []string{"icmp", "notICMP"} {
				if chance(t, field, 30) {
					r[field] = oneOf(t, "type", dict{"type": int64(8)}, dict{"type": int64(8), "code": int64(0)}, dict{"type": int64(0), "code": int64(1)}, dict{"type": int64(128)})
				}
			}
		}
	case 3:
		r["notProtocol"] = oneOf[any](t, "not protocol", "TCP", "ICMP", int64(47))
	}
}

func drawPort(t *rapid.T) any {
	return oneOf[any](t, "port", int64(80), int64(443), int64(53), "80:443", "web", "db")
}

func drawEntity(t *rapid.T, nets []string) dict {
	e := dict{}
	if chance(t, "selector", 40) {
		e["selector"] = drawSelector(t, 1)
	}
	if chance(t, "notSelector", 20) {
		e["notSelector"] = drawSelector(t, 1)
	}
	switch between(t, "namespaces", 0, 9) {
	case 7, 8:
		e["namespaceSelector"] = drawNamespaces(t)
	case 9:
		e["namespaceSelector"] = "global()"
	}
	if chance(t, "accounts", 12) {
		match := dict{}
		set(match, "names", list(t, "account names", 0, 2, func(t *rapid.T) string { return oneOf(t, "account", accounts...) }))
		if chance(t, "account selector", 50) {
			match["selector"] = drawAccounts(t)
		}
		e["serviceAccounts"] = match
	}
	drawNet := func(t *rapid.T) string { return oneOf(t, "net", nets...) }
	if chance(t, "nets", 20) {
		e["nets"] = list(t, "nets", 1, 2, drawNet)
	}
	if chance(t, "notNets", 15) {
		e["notNets"] = list(t, "notNets", 1, 2, drawNet)
	}
	return e
}

func drawKubeSpec(t *rapid.T) dict {
	spec := dict{"podSelector": drawPods(t)}
	set(spec, "policyTypes", drawTypes(t))
	set(spec, "ingress", list(t, "ingress", 0, 2, func(t *rapid.T) dict { return drawKubeRule(t, "from") }))
	set(spec, "egress", list(t, "egress", 0, 2, func(t *rapid.T) dict { return drawKubeRule(t, "to") }))
	return spec
}

// drawStagedKubeSpec makes one that says its types; see TestStagedTypes.
func drawStagedKubeSpec(t *rapid.T) dict {
	spec := drawKubeSpec(t)
	if spec["policyTypes"] == nil {
		spec["policyTypes"] = []any{"Ingress", "Egress"}
	}
	return spec
}

func drawKubeRule(t *rapid.T, side string) dict {
	r := dict{}
	set(r, side, list(t, "peers", 0, 2, drawKubePeer))
	set(r, "ports", list(t, "ports", 0, 2, func(t *rapid.T) dict {
		port := dict{}
		if protocol := oneOf(t, "protocol", "", "TCP", "UDP", "SCTP"); protocol != "" {
			port["protocol"] = protocol
		}
		switch value := oneOf[any](t, "port", nil, int64(80), int64(443), "web", "db", "range"); value {
		case nil:
		case "range":
			port["port"], port["endPort"] = int64(80), int64(443)
		default:
			port["port"] = value
		}
		return port
	}))
	return r
}

func drawKubePeer(t *rapid.T) dict {
	switch between(t, "peer", 0, 4) {
	case 0:
		return dict{"podSelector": drawPods(t)}
	case 1:
		return dict{"namespaceSelector": drawKubeNamespaces(t)}
	case 2:
		return dict{"podSelector": drawPods(t), "namespaceSelector": drawKubeNamespaces(t)}
	}
	blocks := map[string][]any{
		"10.0.0.0/30": {"10.0.0.0/31"}, "0.0.0.0/0": {"10.0.0.0/8", "203.0.113.0/24"}, "203.0.0.0/8": {"203.0.113.0/24"},
		"::/0": {"fd00::/16"}, "fd00::/16": {"fd00::2/127"},
	}
	cidr := oneOf(t, "cidr", "10.0.0.0/30", "0.0.0.0/0", "203.0.0.0/8", "::/0", "fd00::/16")
	block := dict{"cidr": cidr}
	if chance(t, "except", 50) {
		block["except"] = blocks[cidr]
	}
	return dict{"ipBlock": block}
}

// drawAdmin makes an AdminNetworkPolicy or the BaselineAdminNetworkPolicy.
func drawAdmin(t *rapid.T, kind, name string) dict {
	spec := dict{"subject": drawAdminPeer(t)}
	actions := []string{"Allow", "Deny"}
	if kind == "AdminNetworkPolicy" {
		actions = append(actions, "Pass")
		spec["priority"] = oneOf(t, "priority", int64(0), int64(5), int64(6))
	}
	set(spec, "ingress", list(t, "ingress", 0, 2, func(t *rapid.T) dict { return drawAdminRule(t, "from", actions) }))
	set(spec, "egress", list(t, "egress", 0, 2, func(t *rapid.T) dict { return drawAdminRule(t, "to", actions) }))
	return object("policy.networking.k8s.io/v1alpha1", kind, "", name, nil, spec)
}

func drawAdminPeer(t *rapid.T) dict {
	if chance(t, "namespaces", 50) {
		return dict{"namespaces": drawKubeNamespaces(t)}
	}
	return dict{"pods": dict{"namespaceSelector": drawKubeNamespaces(t), "podSelector": drawPods(t)}}
}

func drawAdminRule(t *rapid.T, side string, actions []string) dict {
	r := dict{"action": oneOf(t, "action", actions...)}
	r[side] = list(t, "peers", 1, 2, func(t *rapid.T) dict {
		if side == "to" && chance(t, "networks", 30) {
			return dict{"networks": list(t, "networks", 1, 2, func(t *rapid.T) string {
				return oneOf(t, "network", append(append(append([]string{}, nets4...), nets6...), wholes...)...)
			})}
		}
		return drawAdminPeer(t)
	})
	set(r, "ports", list(t, "ports", 0, 2, func(t *rapid.T) dict {
		protocol := oneOf(t, "protocol", "TCP", "UDP", "SCTP")
		if chance(t, "range", 40) {
			return dict{"portRange": dict{"protocol": protocol, "start": int64(80), "end": int64(443)}}
		}
		return dict{"portNumber": dict{"protocol": protocol, "port": oneOf(t, "port", int64(80), int64(443))}}
	}))
	return r
}
