package reach

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"pgregory.net/rapid"
)

// scaled returns the number of rounds: all of them with RINGFENCE_SCALE=full, else a tenth.
func scaled(rounds int) int {
	if os.Getenv("RINGFENCE_SCALE") == "full" {
		return rounds
	}
	return rounds / 10
}

var (
	randomKeys   = []string{"app", "role"}
	randomValues = []string{"a", "b", "ab"}
	randomNets   = []string{"10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/32", "0.0.0.0/0", "203.0.0.0/8", "10.0.0.0/8", "fd00::/16", "::/0"}
)

func oneOf[T any](t *rapid.T, label string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, label)
}

func chance(t *rapid.T, label string, percent int) bool {
	return rapid.IntRange(0, 99).Draw(t, label) >= 100-percent
}

func drawLabels(t *rapid.T) map[string]string {
	out := map[string]string{}
	for _, key := range randomKeys {
		if chance(t, "has "+key, 60) {
			out[key] = oneOf(t, key, randomValues...)
		}
	}
	return out
}

// drawSelector makes a selector of Calico's language and the closure that it means.
func drawSelector(t *rapid.T, depth int) *bruteSelector {
	key, value := oneOf(t, "key", randomKeys...), oneOf(t, "value", randomValues...)
	kind := rapid.IntRange(0, 9).Draw(t, "selector")
	if depth == 0 && kind > 7 {
		kind = 2
	}
	switch kind {
	case 0:
		return &bruteSelector{text: "all()", fn: func(l map[string]string) bool { _, none := l[noNamespace]; return !none }}
	case 1:
		return &bruteSelector{text: "has(" + key + ")", fn: func(l map[string]string) bool { _, ok := l[key]; return ok }}
	case 2:
		return &bruteSelector{text: key + " == '" + value + "'", fn: func(l map[string]string) bool { v, ok := l[key]; return ok && v == value }}
	case 3:
		return &bruteSelector{text: key + ` != "` + value + `"`, fn: func(l map[string]string) bool { return l[key] != value }}
	case 4:
		return &bruteSelector{text: key + " in {'" + value + "', 'zz'}", fn: func(l map[string]string) bool { return l[key] == value }}
	case 5:
		return &bruteSelector{text: key + " not in {'" + value + "'}", fn: func(l map[string]string) bool { return l[key] != value }}
	case 6:
		return &bruteSelector{text: key + " starts with '" + value + "'", fn: func(l map[string]string) bool { return strings.HasPrefix(l[key], value) }}
	case 7:
		return &bruteSelector{text: key + " contains 'b'", fn: func(l map[string]string) bool { return strings.Contains(l[key], "b") }}
	case 8:
		inner := drawSelector(t, depth-1)
		return &bruteSelector{text: "!(" + inner.text + ")", fn: func(l map[string]string) bool { return !inner.fn(l) }}
	}
	a, b := drawSelector(t, depth-1), drawSelector(t, depth-1)
	if chance(t, "or", 50) {
		return &bruteSelector{text: "(" + a.text + ") || (" + b.text + ")", fn: func(l map[string]string) bool { return a.fn(l) || b.fn(l) }}
	}
	return &bruteSelector{text: "(" + a.text + ") && (" + b.text + ")", fn: func(l map[string]string) bool { return a.fn(l) && b.fn(l) }}
}

// drawKube makes a Kubernetes label selector and the closure that it means.
func drawKube(t *rapid.T) *bruteSelector {
	key, value := oneOf(t, "key", randomKeys...), oneOf(t, "value", randomValues...)
	expr := func(op string, values ...any) map[string]any {
		e := map[string]any{"key": key, "operator": op}
		if len(values) > 0 {
			e["values"] = values
		}
		return map[string]any{"matchExpressions": []any{e}}
	}
	switch rapid.IntRange(0, 5).Draw(t, "kube selector") {
	case 0:
		return &bruteSelector{kube: map[string]any{}, fn: func(l map[string]string) bool { _, none := l[noNamespace]; return !none }}
	case 1:
		return &bruteSelector{kube: expr("Exists"), fn: func(l map[string]string) bool { _, ok := l[key]; return ok }}
	case 2:
		return &bruteSelector{kube: expr("DoesNotExist"), fn: func(l map[string]string) bool { _, ok := l[key]; return !ok }}
	case 3:
		return &bruteSelector{kube: expr("NotIn", value), fn: func(l map[string]string) bool { return l[key] != value }}
	case 4:
		return &bruteSelector{kube: expr("In", value, "zz"), fn: func(l map[string]string) bool { return l[key] == value }}
	}
	return &bruteSelector{
		kube: map[string]any{"matchLabels": map[string]any{key: value}},
		fn:   func(l map[string]string) bool { return l[key] == value },
	}
}

func drawPrefixes(t *rapid.T) []netip.Prefix {
	var out []netip.Prefix
	for range rapid.IntRange(1, 2).Draw(t, "nets") {
		out = append(out, netip.MustParsePrefix(oneOf(t, "net", randomNets...)))
	}
	return out
}

func drawPort(t *rapid.T) brutePort {
	switch rapid.IntRange(0, 3).Draw(t, "port kind") {
	case 0:
		return brutePort{name: oneOf(t, "port name", "web", "db")}
	case 1:
		return brutePort{lo: 80, hi: 443}
	}
	n := oneOf(t, "port", 80, 443, 53)
	return brutePort{lo: n, hi: n}
}

func drawEntity(t *rapid.T) bruteEntity {
	var e bruteEntity
	if chance(t, "selector", 40) {
		e.selector = drawSelector(t, 1)
	}
	if chance(t, "notSelector", 20) {
		e.notSelector = drawSelector(t, 1)
	}
	if chance(t, "namespaceSelector", 20) {
		e.namespaces = drawSelector(t, 1)
	} else if chance(t, "global()", 8) {
		e.global = true
	}
	if chance(t, "accounts", 10) {
		e.accounts = []string{oneOf(t, "account", "default", "robot")}
	}
	if chance(t, "nets", 20) {
		e.nets = drawPrefixes(t)
	}
	if chance(t, "notNets", 15) {
		e.notNets = drawPrefixes(t)
	}
	return e
}

func drawRule(t *rapid.T) bruteRule {
	r := bruteRule{action: oneOf(t, "action", "Allow", "Allow", "Deny", "Pass", "Log")}
	switch rapid.IntRange(0, 5).Draw(t, "protocol") {
	case 0, 1:
		r.protocol = oneOf(t, "proto", "TCP", "UDP", "SCTP")
		for range rapid.IntRange(0, 2).Draw(t, "ports") {
			r.dest.ports = append(r.dest.ports, drawPort(t))
		}
		if chance(t, "notPorts", 20) {
			r.dest.notPorts = []brutePort{drawPort(t)}
		}
	case 2:
		r.protocol = "ICMP"
		if chance(t, "icmp type", 50) {
			eight := 8
			r.icmpType = &eight
		}
	case 3:
		r.notProto = oneOf(t, "not proto", "TCP", "ICMP", "47")
	}
	if chance(t, "ipVersion", 10) {
		r.version = oneOf(t, "version", 4, 6)
	}
	ports, notPorts := r.dest.ports, r.dest.notPorts
	if chance(t, "source", 60) {
		r.source = drawEntity(t)
	}
	if chance(t, "destination", 60) {
		r.dest = drawEntity(t)
	}
	r.dest.ports, r.dest.notPorts = ports, notPorts
	return r
}

func drawRules(t *rapid.T, limit int) []bruteRule {
	var out []bruteRule
	for range rapid.IntRange(0, limit).Draw(t, "rules") {
		out = append(out, drawRule(t))
	}
	return out
}

func drawKubeRules(t *rapid.T) []bruteKubeRule {
	var out []bruteKubeRule
	for range rapid.IntRange(0, 2).Draw(t, "rules") {
		var r bruteKubeRule
		for range rapid.IntRange(0, 2).Draw(t, "peers") {
			r.peers = append(r.peers, drawKubePeer(t))
		}
		for range rapid.IntRange(0, 2).Draw(t, "ports") {
			p := bruteKubePort{protocol: oneOf(t, "proto", "", "TCP", "UDP", "SCTP")}
			if chance(t, "port given", 70) {
				port := drawPort(t)
				p.port = &port
			}
			r.ports = append(r.ports, p)
		}
		out = append(out, r)
	}
	return out
}

func drawKubePeer(t *rapid.T) bruteKubePeer {
	switch rapid.IntRange(0, 3).Draw(t, "peer") {
	case 0:
		return bruteKubePeer{pods: drawKube(t)}
	case 1:
		return bruteKubePeer{namespaces: drawKube(t)}
	case 2:
		return bruteKubePeer{pods: drawKube(t), namespaces: drawKube(t)}
	}
	block := netip.MustParsePrefix(oneOf(t, "block", "10.0.0.0/30", "0.0.0.0/0", "203.0.0.0/8", "::/0"))
	p := bruteKubePeer{block: &block}
	if block.Addr().Is4() && chance(t, "except", 50) {
		p.except = []netip.Prefix{netip.MustParsePrefix(map[int]string{30: "10.0.0.0/31", 0: "10.0.0.0/8", 8: "203.0.113.0/24"}[block.Bits()])}
	}
	return p
}

func drawTypes(t *rapid.T) []string {
	return oneOf(t, "types", nil, nil, []string{"Ingress"}, []string{"Egress"}, []string{"Ingress", "Egress"})
}

func drawOrder(t *rapid.T) *float64 {
	if chance(t, "no order", 20) {
		return nil
	}
	order := oneOf(t, "order", 1.0, 2.0, 1000.0, 5000.0)
	return &order
}

func drawPolicy(t *rapid.T, i int) *brutePolicy {
	p := &brutePolicy{kind: oneOf(t, "kind", "KNP", "NP", "GNP", "CNP"), name: fmt.Sprintf("p%d", i), tier: "default"}
	if p.kind == "KNP" || p.kind == "NP" {
		p.namespace = oneOf(t, "namespace", "x", "y")
	}
	switch p.kind {
	case "KNP":
		thousand := 1000.0
		p.order, p.types, p.selector = &thousand, drawTypes(t), drawKube(t)
		p.kubeIn, p.kubeOut = drawKubeRules(t), drawKubeRules(t)
		return p
	case "CNP":
		order := float64(rapid.IntRange(0, 2).Draw(t, "priority"))
		p.tier, p.order = oneOf(t, "cnp tier", "kube-admin", "kube-baseline"), &order
		p.selector, p.namespaces = drawKube(t), drawKube(t)
		p.ingress, p.egress = drawClusterRules(t, false), drawClusterRules(t, true)
		return p
	}
	p.tier = oneOf(t, "tier", "default", "security", "ghost", "platform")
	p.order, p.types, p.selector = drawOrder(t), drawTypes(t), drawSelector(t, 1)
	p.staged = chance(t, "staged", 10)
	if p.kind == "GNP" && chance(t, "namespaceSelector", 40) {
		p.namespaces = drawSelector(t, 1)
	}
	p.ingress, p.egress = drawRules(t, 3), drawRules(t, 3)
	return p
}

func drawClusterRules(t *rapid.T, egress bool) []bruteRule {
	var out []bruteRule
	for range rapid.IntRange(0, 2).Draw(t, "rules") {
		r := bruteRule{action: oneOf(t, "action", "Allow", "Deny", "Pass")}
		peer := bruteEntity{namespaces: drawKube(t)}
		if chance(t, "pods", 50) {
			peer.selector = drawKube(t)
		}
		if egress && chance(t, "networks", 20) {
			peer = bruteEntity{nets: []netip.Prefix{netip.MustParsePrefix(oneOf(t, "net", randomNets...))}}
		}
		if chance(t, "ports", 50) {
			r.protocol = oneOf(t, "proto", "TCP", "UDP", "SCTP")
			if chance(t, "port given", 60) {
				r.dest.ports = []brutePort{{lo: 80, hi: 80 + 363*rapid.IntRange(0, 1).Draw(t, "range")}}
			}
		}
		if ports := r.dest.ports; egress {
			r.dest = peer
			r.dest.ports = ports
		} else {
			r.source = peer
		}
		// A NetworkSet is no pod: the API's peers are pods.
		out = append(out, r)
	}
	return out
}

// drawWorld makes a small world; known says that every pod's address is known.
func drawWorld(t *rapid.T, known bool) *bruteWorld {
	w := &bruteWorld{namespaces: map[string]map[string]string{}, version: oneOf(t, "version", "3.31", "3.32"), pending: chance(t, "pending", 20)}
	for _, name := range []string{"x", "y"} {
		w.namespaces[name] = drawLabels(t)
	}
	for i := range rapid.IntRange(2, 3).Draw(t, "pods") {
		p := &brutePod{
			namespace: oneOf(t, "pod namespace", "x", "y"), name: fmt.Sprintf("pod%d", i), account: oneOf(t, "sa", "default", "robot"),
			labels: drawLabels(t), ports: map[string][2]any{},
		}
		if known {
			p.ip = netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", i))
			if chance(t, "v6", 15) {
				p.ip = netip.MustParseAddr(fmt.Sprintf("fd00::%d", i))
			}
		}
		if chance(t, "web", 50) {
			p.ports["web"] = [2]any{oneOf(t, "web protocol", "TCP", "UDP"), oneOf(t, "web port", 80, 8080)}
		}
		w.pods = append(w.pods, p)
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "sets") {
		s := bruteSet{name: fmt.Sprintf("set%d", i), labels: drawLabels(t), namespace: oneOf(t, "set namespace", "", "x")}
		if chance(t, "set nets", 90) {
			s.nets = drawPrefixes(t)
		}
		w.sets = append(w.sets, s)
	}
	for _, name := range []string{"security", "platform"} {
		if chance(t, "tier "+name, 70) {
			w.tiers = append(w.tiers, bruteTier{name, drawOrder(t), oneOf(t, "tier action", "Deny", "Pass")})
		}
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "policies") {
		w.policies = append(w.policies, drawPolicy(t, i))
	}
	return w
}
