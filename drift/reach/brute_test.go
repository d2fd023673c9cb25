package reach

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// The brute-force evaluator judges one packet after the other, straight from the texts of the two APIs, and shares no
// matching code with the engine: its selectors are closures, its sets are loops.

type bruteSelector struct {
	text string // in Calico's language
	kube any    // the same as a Kubernetes label selector; nil where there is none
	fn   func(labels map[string]string) bool
}

type brutePod struct {
	namespace, name, account string
	labels                   map[string]string
	ip                       netip.Addr
	ports                    map[string][2]any // name → protocol, number
}

type bruteSet struct {
	namespace, name string
	labels          map[string]string
	nets            []netip.Prefix
}

type bruteTier struct {
	name   string
	order  *float64
	action string
}

type brutePort struct {
	name   string
	lo, hi int
}

type bruteEntity struct {
	selector, notSelector, namespaces *bruteSelector
	global                            bool // namespaceSelector: global()
	accounts                          []string
	nets, notNets                     []netip.Prefix
	ports, notPorts                   []brutePort
}

type bruteRule struct {
	action             string
	version            int
	protocol, notProto string
	icmpType           *int
	source, dest       bruteEntity
}

// bruteKubeRule is a rule of a Kubernetes NetworkPolicy: nil slices are absent.
type bruteKubeRule struct {
	peers []bruteKubePeer
	ports []bruteKubePort
}

type bruteKubePeer struct {
	pods, namespaces *bruteSelector
	block            *netip.Prefix
	except           []netip.Prefix
}

type bruteKubePort struct {
	protocol string // "" is TCP
	port     *brutePort
}

type brutePolicy struct {
	kind            string // KNP, NP, GNP, CNP
	namespace, name string
	tier            string
	order           *float64
	staged          bool
	types           []string
	selector        *bruteSelector
	namespaces      *bruteSelector // GNP, CNP
	ingress, egress []bruteRule
	kubeIn, kubeOut []bruteKubeRule
}

type bruteWorld struct {
	namespaces map[string]map[string]string
	pods       []*brutePod
	sets       []bruteSet
	tiers      []bruteTier
	policies   []*brutePolicy
	version    string
	pending    bool
}

type brutePacket struct {
	protocol string // TCP, UDP, SCTP, ICMP, or a number
	port     int    // or ICMP type
}

// bruteEnd is a pod (with the address it has in this packet) or an outside address.
type bruteEnd struct {
	pod *brutePod
	ip  netip.Addr
}

func (w *bruteWorld) allowed(src, dst bruteEnd, p brutePacket) bool {
	return w.side(src, dst, p, true) && w.side(src, dst, p, false)
}

func (w *bruteWorld) side(src, dst bruteEnd, p brutePacket, egress bool) bool {
	self, peer := dst, src
	if egress {
		self, peer = src, dst
	}
	if self.pod == nil {
		return true
	}
	for _, t := range w.sortedTiers() {
		policies := w.applying(self.pod, t.name, egress)
		if len(policies) == 0 {
			continue
		}
		switch w.tier(policies, self, peer, src, dst, p, egress) {
		case "Allow":
			return true
		case "Deny":
			return false
		case "Pass":
			continue
		}
		if t.action != "Pass" {
			return false
		}
	}
	return true
}

func (w *bruteWorld) sortedTiers() []bruteTier {
	have := map[string]bool{}
	tiers := slices.Clone(w.tiers)
	for _, t := range tiers {
		have[t.name] = true
	}
	number := func(f float64) *float64 { return &f }
	for _, t := range []bruteTier{{"default", number(1e6), "Deny"}, {"kube-admin", number(1000), "Pass"}, {"kube-baseline", number(1e7), "Pass"}} {
		if !have[t.name] {
			tiers = append(tiers, t)
			have[t.name] = true
		}
	}
	for i := range tiers {
		if tiers[i].order == nil {
			tiers[i].order = number(1e6) // as the API server writes it down
		}
	}
	slices.SortFunc(tiers, func(a, b bruteTier) int {
		return cmp.Or(cmp.Compare(infinite(a.order), infinite(b.order)), strings.Compare(a.name, b.name))
	})
	var ghosts []bruteTier
	for _, p := range w.policies {
		if !have[p.tier] {
			have[p.tier] = true
			ghosts = append(ghosts, bruteTier{p.tier, nil, "Deny"})
		}
	}
	slices.SortFunc(ghosts, func(a, b bruteTier) int { return strings.Compare(a.name, b.name) })
	return append(tiers, ghosts...)
}

func infinite(order *float64) float64 {
	if order == nil {
		return math.Inf(1)
	}
	return *order
}

func (w *bruteWorld) applying(pod *brutePod, tier string, egress bool) []*brutePolicy {
	var out []*brutePolicy
	for _, p := range w.policies {
		if p.tier != tier || (p.staged && !w.pending) || !p.judges(egress) {
			continue
		}
		if p.namespace != "" && p.namespace != pod.namespace {
			continue
		}
		if !p.selector.fn(w.effective(pod)) {
			continue
		}
		if p.namespaces != nil && !p.namespaces.fn(w.namespaceLabels(pod.namespace)) {
			continue
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *brutePolicy) int {
		return cmp.Or(cmp.Compare(infinite(a.order), infinite(b.order)), strings.Compare(w.tie(a), w.tie(b)))
	})
	return out
}

// tie is the text by which policies of equal order are sorted: policy-semantics.md §1.2.
func (w *bruteWorld) tie(p *brutePolicy) string {
	if w.version == "3.32" {
		kinds := map[string]string{"KNP": "KubernetesNetworkPolicy", "NP": "NetworkPolicy", "GNP": "GlobalNetworkPolicy", "CNP": "KubernetesClusterNetworkPolicy"}
		if p.staged {
			return p.name + "/" + p.namespace + "/Staged" + kinds[p.kind]
		}
		return p.name + "/" + p.namespace + "/" + kinds[p.kind]
	}
	staged := ""
	if p.staged {
		staged = "staged:"
	}
	switch p.kind {
	case "KNP":
		return p.namespace + "/knp.default." + p.name
	case "NP":
		return p.namespace + "/" + staged + p.tier + "." + p.name
	case "CNP":
		return "kcnp." + p.name
	}
	return staged + p.tier + "." + p.name
}

func (p *brutePolicy) judges(egress bool) bool {
	types := p.types
	if len(types) == 0 {
		in, out := len(p.ingress)+len(p.kubeIn) > 0, len(p.egress)+len(p.kubeOut) > 0
		switch {
		case p.kind == "CNP":
			return (egress && out) || (!egress && in)
		case p.kind == "KNP" && out:
			types = []string{"Ingress", "Egress"}
		case p.kind == "KNP":
			types = []string{"Ingress"}
		case in && out:
			types = []string{"Ingress", "Egress"}
		case out:
			types = []string{"Egress"}
		default:
			types = []string{"Ingress"}
		}
	}
	if egress {
		return slices.Contains(types, "Egress")
	}
	return slices.Contains(types, "Ingress")
}

func (w *bruteWorld) namespaceLabels(name string) map[string]string {
	out := map[string]string{"projectcalico.org/name": name, "kubernetes.io/metadata.name": name}
	for k, v := range w.namespaces[name] {
		out[k] = v
	}
	return out
}

// noNamespace is the label by which the closure of all() knows that it is asked about something in no namespace: within a
// namespaceSelector all() means every namespace, while any other term is asked of labels that are not there.
const noNamespace = "\x00none"

func (w *bruteWorld) namespaceOrNone(name string) map[string]string {
	if name == "" {
		return map[string]string{noNamespace: ""}
	}
	return w.namespaceLabels(name)
}

func (w *bruteWorld) effective(pod *brutePod) map[string]string {
	out := map[string]string{}
	for k, v := range pod.labels {
		if !strings.HasPrefix(k, "pcns.") && !strings.HasPrefix(k, "pcsa.") {
			out[k] = v
		}
	}
	out["projectcalico.org/namespace"] = pod.namespace
	out["projectcalico.org/orchestrator"] = "k8s"
	out["projectcalico.org/serviceaccount"] = pod.account
	for k, v := range w.namespaceLabels(pod.namespace) {
		out["pcns."+k] = v
	}
	return out
}

// tier returns what the first rule that matches says, "" if none does.
func (w *bruteWorld) tier(policies []*brutePolicy, _, peer, src, dst bruteEnd, p brutePacket, egress bool) string {
	for _, pol := range policies {
		if pol.kind == "KNP" {
			rules := pol.kubeIn
			if egress {
				rules = pol.kubeOut
			}
			for _, r := range rules {
				if w.kubeRule(pol, r, peer, dst, p) {
					return "Allow"
				}
			}
			continue
		}
		rules := pol.ingress
		if egress {
			rules = pol.egress
		}
		for _, r := range rules {
			if r.action != "Log" && w.rule(pol, r, src, dst, p) {
				return r.action
			}
		}
	}
	return ""
}

func (w *bruteWorld) kubeRule(pol *brutePolicy, r bruteKubeRule, peer, dst bruteEnd, p brutePacket) bool {
	peerOK := len(r.peers) == 0
	for _, k := range r.peers {
		switch {
		case k.block != nil:
			in := k.block.Contains(peer.ip)
			for _, e := range k.except {
				in = in && !e.Contains(peer.ip)
			}
			peerOK = peerOK || in
		case peer.pod == nil:
		default:
			ok := k.pods == nil || k.pods.fn(peer.pod.labels)
			if k.namespaces == nil {
				ok = ok && peer.pod.namespace == pol.namespace
			} else {
				ok = ok && k.namespaces.fn(w.namespaceLabels(peer.pod.namespace))
			}
			peerOK = peerOK || ok
		}
	}
	portOK := len(r.ports) == 0
	for _, k := range r.ports {
		protocol := k.protocol
		if protocol == "" {
			protocol = "TCP"
		}
		if protocol == p.protocol && (k.port == nil || portMatches(*k.port, dst.pod, p)) {
			portOK = true
		}
	}
	return peerOK && portOK
}

// portMatches looks a named port up on a pod, where there is one.
func portMatches(port brutePort, pod *brutePod, p brutePacket) bool {
	if port.name == "" {
		return p.port >= port.lo && p.port <= port.hi
	}
	if pod == nil {
		return false
	}
	has, ok := pod.ports[port.name]
	return ok && has[0] == p.protocol && has[1] == p.port
}

func (w *bruteWorld) rule(pol *brutePolicy, r bruteRule, src, dst bruteEnd, p brutePacket) bool {
	if r.version != 0 && (r.version == 4) != src.ip.Is4() {
		return false
	}
	if r.protocol != "" && r.protocol != p.protocol {
		return false
	}
	if r.notProto != "" && r.notProto == p.protocol {
		return false
	}
	if r.icmpType != nil && *r.icmpType != p.port {
		return false
	}
	// A named port is that of a pod which the rule's selector selects by its labels.
	named := dst.pod
	if is := w.members(pol, r.dest); dst.pod != nil && is != nil && !is(w.effective(dst.pod), dst.pod.namespace) {
		named = nil
	}
	if len(r.dest.ports) > 0 && !slices.ContainsFunc(r.dest.ports, func(b brutePort) bool { return portMatches(b, named, p) }) {
		return false
	}
	if slices.ContainsFunc(r.dest.notPorts, func(b brutePort) bool { return portMatches(b, named, p) }) {
		return false
	}
	return w.entity(pol, r.source, src) && w.entity(pol, r.dest, dst)
}

// entity collects the addresses that a selector stands for, as Calico fills its IP sets, and looks the packet's up.
func (w *bruteWorld) entity(pol *brutePolicy, e bruteEntity, who bruteEnd) bool {
	if len(e.nets) > 0 && !slices.ContainsFunc(e.nets, func(n netip.Prefix) bool { return n.Contains(who.ip) }) {
		return false
	}
	if len(e.notNets) > 0 {
		if slices.ContainsFunc(e.notNets, func(n netip.Prefix) bool { return n.Contains(who.ip) }) {
			return false
		}
		if !slices.ContainsFunc(e.notNets, func(n netip.Prefix) bool { return n.Addr().Is4() == who.ip.Is4() }) {
			return false
		}
	}
	if is := w.members(pol, e); is != nil {
		return w.anyMember(pol, e, who, is)
	}
	return e.notSelector == nil ||
		!w.anyMember(pol, e, who, func(labels map[string]string, _ string) bool { return e.notSelector.fn(labels) })
}

// members returns what the rule selects; nil where it has no selector, or one that only says what it does not mean.
func (w *bruteWorld) members(pol *brutePolicy, e bruteEntity) func(labels map[string]string, namespace string) bool {
	if e.selector == nil && e.notSelector == nil && e.namespaces == nil && !e.global && len(e.accounts) == 0 {
		return nil
	}
	local := pol.namespace != "" && e.namespaces == nil && !e.global
	if e.selector == nil && e.namespaces == nil && !e.global && len(e.accounts) == 0 && !local {
		return nil
	}
	return func(labels map[string]string, namespace string) bool {
		if local && namespace != pol.namespace {
			return false
		}
		if e.global && namespace != "" {
			return false
		}
		if e.namespaces != nil && !e.namespaces.fn(w.namespaceOrNone(namespace)) {
			return false
		}
		if len(e.accounts) > 0 && !slices.Contains(e.accounts, labels["projectcalico.org/serviceaccount"]) {
			return false
		}
		return (e.selector == nil || e.selector.fn(labels)) && (e.notSelector == nil || !e.notSelector.fn(labels))
	}
}

func (w *bruteWorld) anyMember(pol *brutePolicy, e bruteEntity, who bruteEnd, is func(map[string]string, string) bool) bool {
	if who.pod != nil && is(w.effective(who.pod), who.pod.namespace) {
		return true
	}
	if pol.kind == "CNP" && e.selector != nil {
		return false // a peer with a pod selector is pods
	}
	for _, s := range w.sets {
		labels := map[string]string{}
		for k, v := range s.labels {
			labels[k] = v
		}
		if s.namespace != "" {
			labels["projectcalico.org/namespace"] = s.namespace
			for k, v := range w.namespaceLabels(s.namespace) {
				labels["pcns."+k] = v
			}
		}
		if is(labels, s.namespace) && slices.ContainsFunc(s.nets, func(n netip.Prefix) bool { return n.Contains(who.ip) }) {
			return true
		}
	}
	return false
}
