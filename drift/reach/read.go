package reach

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	networkingv1 "k8s.io/api/networking/v1"
)

// item is one object as the model uses it; exactly one of the pointers is set, or none for objects that say nothing
// about traffic.
type item struct {
	key       Ref
	origin    Origin
	crd       bool // stored form, crd.projectcalico.org/v1
	problem   *Problem
	namespace *inherited
	account   *inherited
	policy    *policy
	set       *rawSet
	tier      *tier
	endpoint  *Endpoint
	service   *service
	slice     *slice
	node      *node
	hostEnd   bool
}

// rawSet is a network set before it is known what its namespace's labels are.
type rawSet struct {
	labels    map[string]string
	addresses Addresses
	broken    bool
}

// node is a Node: its addresses are those of its hostNetwork pods.
type node struct {
	name      string
	addresses []netip.Addr
}

// reader turns objects into items.
type reader struct{ prefixed bool } // prefixed: Calico up to 3.31, whose policy names carry the tier

// read returns what the model makes of an object. used is false for objects that it has no use for.
func (rd *reader) read(o Object) (it *item, used bool) {
	content, err := plain(any(o.Content))
	root, _ := content.(map[string]any)
	h, headErr := readHeader(root)
	it = &item{key: h.ref(), origin: o.Origin, crd: h.group == groupCalicoCRD}
	if err = errors.Join(err, headErr); err != nil {
		h.placed()
		it.key = h.ref()
		it.problem = &Problem{Object: it.key, Origin: o.Origin, Message: err.Error()}
		it.policy = headless(h, o.Origin, err)
		return it, true
	}
	if it.crd {
		storedLabels(&h)
	}
	h.placed()
	it.key = h.ref()
	known, fail := rd.fill(it, h, root)
	if !known {
		return it, false
	}
	if fail != nil {
		it.problem = &Problem{it.key, o.Origin, fail.field, fail.message, fail.hint}
	}
	return it, true
}

// placed gives the header the namespace that the API server would.
func (h *header) placed() {
	if clusterScoped[h.kind] {
		h.namespace = ""
	} else if h.namespace == "" {
		h.namespace = "default"
	}
}

// clusterScoped are the kinds without a namespace; the API server ignores one that is written.
var clusterScoped = map[string]bool{
	"Namespace": true, "Node": true, "Tier": true, "GlobalNetworkPolicy": true, "StagedGlobalNetworkPolicy": true,
	"GlobalNetworkSet": true, "HostEndpoint": true, "ClusterNetworkPolicy": true, "AdminNetworkPolicy": true,
	"BaselineAdminNetworkPolicy": true,
}

// storedLabels adds the labels that Calico's API server keeps in an annotation of what it stores.
func storedLabels(h *header) {
	var meta struct {
		Labels map[string]string `json:"labels"`
	}
	if json.Unmarshal([]byte(h.annotations["projectcalico.org/metadata"]), &meta) == nil && len(meta.Labels) > 0 {
		labels := maps.Clone(meta.Labels)
		maps.Copy(labels, h.labels)
		h.labels = labels
	}
}

func (rd *reader) fill(it *item, h header, root map[string]any) (known bool, fail *fieldError) {
	switch h.group {
	case "":
		return rd.fillCore(it, h, root)
	case "apps", "batch":
		if _, ok := templates[h.kind]; !ok {
			return false, nil
		}
		it.endpoint, fail = readWorkload(h, root, it.origin)
	case "discovery.k8s.io":
		if h.kind != "EndpointSlice" {
			return false, nil
		}
		it.slice = readSlice(h, root)
	case groupNetwork:
		if h.kind != "NetworkPolicy" {
			return false, nil
		}
		fail = rd.fillKubernetes(it, root, false)
	case groupPolicy:
		return rd.fillCluster(it, h, root)
	case groupCalico, groupCalicoCRD:
		return rd.fillCalico(it, h, root)
	default:
		return false, nil
	}
	return true, fail
}

func (rd *reader) fillCore(it *item, h header, root map[string]any) (bool, *fieldError) {
	var fail *fieldError
	switch h.kind {
	case "Namespace":
		it.namespace = &inherited{h.name, h.labels, true}
	case "ServiceAccount":
		it.account = &inherited{h.name, h.labels, true}
	case "Service":
		it.service = readService(h, root)
	case "Node":
		it.node = &node{name: h.name}
		for _, address := range listAt(root, "status", "addresses") {
			if addr, err := netip.ParseAddr(textAt(address, "address")); err == nil {
				it.node.addresses = append(it.node.addresses, addr.Unmap())
			}
		}
	default:
		if _, ok := templates[h.kind]; !ok {
			return false, nil
		}
		it.endpoint, fail = readWorkload(h, root, it.origin)
	}
	return true, fail
}

func (rd *reader) newPolicy(it *item, tierName string) *policy {
	it.policy = &policy{ref: it.key, origin: it.origin, tier: tierName, order: math.Inf(1)}
	return it.policy
}

// brokenIf marks the policy as one that nothing is known about but where it applies.
func (p *policy) brokenIf(fail *fieldError) {
	if fail == nil {
		return
	}
	p.broken = &Problem{p.ref, p.origin, fail.field, fail.message, fail.hint}
	p.subject = newClause(p.ref.Namespace, everything)
	p.applies = [2]bool{true, true}
	p.rules = [2][]*rule{}
}

// tieKey is the text by which policies of equal order are sorted: up to Calico 3.31 the name of the stored policy, from
// then on its name, namespace and kind (felix/calc/policy_sorter.go).
func (rd *reader) tieKey(ref Ref, stored string, staged bool) string {
	switch {
	case !rd.prefixed && ref.Kind == "NetworkPolicy" && ref.Group == groupNetwork:
		return ref.Name + "/" + ref.Namespace + "/KubernetesNetworkPolicy"
	case !rd.prefixed:
		return ref.Name + "/" + ref.Namespace + "/" + ref.Kind
	case staged:
		stored = "staged:" + stored
	}
	if ref.Namespace != "" {
		stored = ref.Namespace + "/" + stored
	}
	return stored
}

func (rd *reader) fillKubernetes(it *item, root map[string]any, staged bool) *fieldError {
	p := rd.newPolicy(it, tierDefault)
	p.order, p.staged = orderKubernetes, staged
	p.tieKey = rd.tieKey(it.key, "knp.default."+it.key.Name, staged)
	spec, fail := rd.kubernetesSpec(root, staged)
	if fail == nil {
		fail = readKubernetesPolicy(p, spec)
	}
	p.brokenIf(fail)
	return fail
}

func (rd *reader) kubernetesSpec(root map[string]any, staged bool) (*networkingv1.NetworkPolicySpec, *fieldError) {
	raw := at(root, "spec")
	if m, ok := raw.(map[string]any); ok && staged {
		m = maps.Clone(m)
		delete(m, "stagedAction")
		raw = m
	}
	spec := &networkingv1.NetworkPolicySpec{}
	if err := decode(raw, spec); err != nil {
		return nil, fault("spec", "", "%v", err)
	}
	return spec, nil
}

func (rd *reader) fillCluster(it *item, h header, root map[string]any) (bool, *fieldError) {
	versions := map[string]string{"ClusterNetworkPolicy": "v1alpha2", "AdminNetworkPolicy": "v1alpha1", "BaselineAdminNetworkPolicy": "v1alpha1"}
	version, ok := versions[h.kind]
	if !ok || (version == "v1alpha1" && !rd.prefixed) {
		return false, nil
	}
	p := rd.newPolicy(it, "")
	p.tieKey = clusterTieKeys[h.kind] + h.name
	if !rd.prefixed {
		p.tieKey = h.name + "//KubernetesClusterNetworkPolicy"
	}
	var fail *fieldError
	spec := &clusterSpec{}
	if h.version != version {
		fail = fault("apiVersion", "write "+groupPolicy+"/"+version, "%s/%s is not understood", h.group, h.version)
	} else if err := decode(at(root, "spec"), spec); err != nil {
		fail = fault("spec", "", "%v", err)
	} else {
		fail = readClusterPolicy(p, spec)
	}
	if p.brokenIf(fail); p.tier == "" {
		p.tier = tierAdmin
	}
	if fail == nil {
		fail = p.flaw
	}
	return true, fail
}

var clusterTieKeys = map[string]string{
	"AdminNetworkPolicy": "kanp.adminnetworkpolicy.", "BaselineAdminNetworkPolicy": "kbanp.baselineadminnetworkpolicy.",
	"ClusterNetworkPolicy": "kcnp.",
}

// mirrors are the prefixes of names under which Calico's API shows policies of other APIs once more.
var mirrors = []string{"knp.default.", "kanp.adminnetworkpolicy.", "kbanp.baselineadminnetworkpolicy.", "kcnp."}

func (rd *reader) fillCalico(it *item, h header, root map[string]any) (bool, *fieldError) {
	switch h.kind {
	case "Tier":
		fail := fillTier(it, h, root)
		it.tier.broken = fail != nil
		return true, fail
	case "NetworkSet", "GlobalNetworkSet":
		return true, fillSet(it, h, root)
	case "HostEndpoint":
		it.hostEnd = true
		return true, nil
	case "StagedKubernetesNetworkPolicy":
		switch textAt(root, "spec", "stagedAction") {
		case "Delete", "Ignore":
			return false, nil
		}
		return true, rd.fillKubernetes(it, root, true)
	case "NetworkPolicy", "GlobalNetworkPolicy", "StagedNetworkPolicy", "StagedGlobalNetworkPolicy":
		if slices.ContainsFunc(mirrors, func(prefix string) bool { return strings.HasPrefix(h.name, prefix) }) {
			return false, nil
		}
		return rd.fillCalicoPolicy(it, h, root)
	}
	return false, nil
}

func (rd *reader) fillCalicoPolicy(it *item, h header, root map[string]any) (bool, *fieldError) {
	tierName := textAt(root, "spec", "tier")
	if it.crd && rd.prefixed {
		tierName, _, _ = strings.Cut(h.name, ".")
		if tierName == h.name {
			tierName = ""
		}
	}
	if tierName == "" {
		tierName = tierDefault
	}
	bare := h.name
	if it.crd || rd.prefixed {
		bare = bareName(h.name, tierName)
	}
	if it.key.Name = bare; rd.prefixed && tierName != tierDefault {
		it.key.Name = tierName + "." + bare // up to 3.31 tiers have names of their own
	}
	p := rd.newPolicy(it, tierName)
	p.staged = strings.HasPrefix(h.kind, "Staged")
	p.tieKey = rd.tieKey(Ref{Kind: h.kind, Namespace: h.namespace, Name: bare}, tierName+"."+bare, p.staged)
	spec, action, fail := calicoSpecOf(p, h.kind, at(root, "spec"))
	if action == calico.StagedActionDelete || action == calico.StagedActionIgnore {
		return false, nil
	}
	if fail == nil {
		fail = readCalicoPolicy(p, spec)
	}
	p.brokenIf(fail)
	if fail == nil {
		fail = p.flaw
	}
	return true, fail
}

// calicoSpecOf decodes the spec of one of four kinds into what they have in common, and notes the flags that concern
// hosts.
func calicoSpecOf(p *policy, kind string, raw any) (spec calicoSpec, action calico.StagedAction, fail *fieldError) {
	var err error
	switch kind {
	case "NetworkPolicy":
		var s calico.NetworkPolicySpec
		err = decode(raw, &s)
		spec = calicoSpec{s.Order, s.Selector, "", s.ServiceAccountSelector, s.Types, s.PerformanceHints, s.Ingress, s.Egress}
	case "StagedNetworkPolicy":
		var s calico.StagedNetworkPolicySpec
		err = decode(raw, &s)
		action = s.StagedAction
		spec = calicoSpec{s.Order, s.Selector, "", s.ServiceAccountSelector, s.Types, s.PerformanceHints, s.Ingress, s.Egress}
	case "GlobalNetworkPolicy":
		var s calico.GlobalNetworkPolicySpec
		err = decode(raw, &s)
		spec = calicoSpec{s.Order, s.Selector, s.NamespaceSelector, s.ServiceAccountSelector, s.Types, s.PerformanceHints, s.Ingress, s.Egress}
		fail = p.hostFlags(s.DoNotTrack, s.PreDNAT, s.ApplyOnForward, len(s.Egress) > 0)
	case "StagedGlobalNetworkPolicy":
		var s calico.StagedGlobalNetworkPolicySpec
		err = decode(raw, &s)
		action = s.StagedAction
		spec = calicoSpec{s.Order, s.Selector, s.NamespaceSelector, s.ServiceAccountSelector, s.Types, s.PerformanceHints, s.Ingress, s.Egress}
		fail = p.hostFlags(s.DoNotTrack, s.PreDNAT, s.ApplyOnForward, len(s.Egress) > 0)
	}
	if err != nil {
		fail = fault("spec", "", "%v", err)
	}
	return spec, action, fail
}

func (p *policy) hostFlags(doNotTrack, preDNAT, applyOnForward, egress bool) *fieldError {
	switch {
	case doNotTrack && preDNAT:
		return fault("spec.preDNAT", "", "cannot be combined with doNotTrack")
	case (doNotTrack || preDNAT) && !applyOnForward:
		return fault("spec.applyOnForward", "", "must be true with doNotTrack or preDNAT")
	case preDNAT && egress:
		return fault("spec.egress", "", "a preDNAT policy has no egress rules")
	case doNotTrack:
		p.hosts = "doNotTrack"
	case preDNAT:
		p.hosts = "preDNAT"
	case applyOnForward:
		p.hosts = "applyOnForward"
	}
	p.notPods = doNotTrack || preDNAT
	return nil
}

func fillTier(it *item, h header, root map[string]any) *fieldError {
	var spec calico.TierSpec
	it.tier = &tier{name: h.name, order: math.Inf(1), action: Deny, ref: it.key, origin: it.origin, real: true}
	builtin := builtinTiers()[h.name]
	if builtin != nil {
		it.tier.order, it.tier.action = builtin.order, builtin.action
	}
	if err := decode(at(root, "spec"), &spec); err != nil {
		return fault("spec", "", "%v", err)
	}
	switch {
	case spec.Order != nil:
		it.tier.order = *spec.Order
	case !it.crd && builtin == nil:
		// Calico's API server writes it down (libcalico-go/lib/resources/tier.go); in what is stored without it, it is
		// infinite.
		it.tier.order = orderDefaultTier
	}
	if spec.DefaultAction != nil {
		switch *spec.DefaultAction {
		case calico.Deny:
			it.tier.action = Deny
		case calico.Pass:
			it.tier.action = Pass
		default:
			return fault("spec.defaultAction", "write Deny or Pass", "unknown action %q", *spec.DefaultAction)
		}
	}
	if builtin != nil && it.tier.order != builtin.order {
		return fault("spec.order", "", "that of the tier %s is %.0f", h.name, builtin.order)
	}
	return nil
}

func fillSet(it *item, h header, root map[string]any) *fieldError {
	var spec calico.NetworkSetSpec
	it.set = &rawSet{labels: h.labels}
	if err := decode(at(root, "spec"), &spec); err != nil {
		it.set.broken = true
		return fault("spec", "", "%v", err)
	}
	var fail *fieldError
	for i, text := range spec.Nets {
		nets, err := ParseAddresses(text)
		if err != nil {
			it.set.broken = true
			fail = fault("spec.nets["+itoa(i)+"]", "Calico skips what it cannot read, or the whole set", "%v", err)
			continue
		}
		it.set.addresses = it.set.addresses.Union(nets)
	}
	return fail
}
