package reach

import (
	"net/netip"
	"strings"
)

type dict = map[string]any

// objects renders a brute-force world as Kubernetes objects, the only form that the engine is given.
func (w *bruteWorld) objects() []Object {
	var out []Object
	add := func(apiVersion, kind, namespace, name string, labels map[string]string, rest dict) {
		meta := dict{"name": name}
		if namespace != "" {
			meta["namespace"] = namespace
		}
		if len(labels) > 0 {
			meta["labels"] = anyMap(labels)
		}
		o := dict{"apiVersion": apiVersion, "kind": kind, "metadata": meta}
		for k, v := range rest {
			o[k] = v
		}
		out = append(out, Object{Content: o, Origin: Origin{File: strings.ToLower(kind) + ".yaml", Line: len(out) + 1}})
	}
	for name, labels := range w.namespaces {
		add("v1", "Namespace", "", name, labels, nil)
	}
	for _, p := range w.pods {
		var ports []any
		for name, port := range p.ports {
			ports = append(ports, dict{"name": name, "protocol": port[0], "containerPort": port[1]})
		}
		rest := dict{"spec": dict{"serviceAccountName": p.account, "containers": []any{dict{"name": "c", "ports": ports}}}}
		if p.ip.IsValid() {
			rest["status"] = dict{"podIP": p.ip.String()}
		}
		add("v1", "Pod", p.namespace, p.name, p.labels, rest)
	}
	for _, s := range w.sets {
		kind := "GlobalNetworkSet"
		if s.namespace != "" {
			kind = "NetworkSet"
		}
		add("projectcalico.org/v3", kind, s.namespace, s.name, s.labels, dict{"spec": dict{"nets": texts(s.nets)}})
	}
	for _, t := range w.tiers {
		spec := dict{"defaultAction": t.action}
		if t.order != nil {
			spec["order"] = *t.order
		}
		add("projectcalico.org/v3", "Tier", "", t.name, nil, dict{"spec": spec})
	}
	for _, p := range w.policies {
		apiVersion, kind, spec := p.render(w.version)
		add(apiVersion, kind, p.namespace, p.objectName(w.version), nil, dict{"spec": spec})
	}
	return out
}

func (p *brutePolicy) objectName(version string) string {
	if version == "3.31" && (p.kind == "NP" || p.kind == "GNP") && p.tier != "default" {
		return p.tier + "." + p.name
	}
	return p.name
}

func (p *brutePolicy) render(string) (apiVersion, kind string, spec dict) {
	switch p.kind {
	case "KNP":
		spec = dict{"podSelector": p.selector.kube}
		if len(p.types) > 0 {
			spec["policyTypes"] = anyList(p.types)
		}
		setList(spec, "ingress", kubeObjects("from", p.kubeIn))
		setList(spec, "egress", kubeObjects("to", p.kubeOut))
		return "networking.k8s.io/v1", "NetworkPolicy", spec
	case "CNP":
		spec = dict{
			"tier": map[string]string{"kube-admin": "Admin", "kube-baseline": "Baseline"}[p.tier], "priority": int64(*p.order),
			"subject": dict{"pods": dict{"namespaceSelector": p.namespaces.kube, "podSelector": p.selector.kube}},
		}
		setList(spec, "ingress", clusterObjects("from", p.ingress))
		setList(spec, "egress", clusterObjects("to", p.egress))
		return "policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", spec
	}
	spec = dict{"selector": p.selector.text, "tier": p.tier}
	if p.order != nil {
		spec["order"] = *p.order
	}
	if p.namespaces != nil {
		spec["namespaceSelector"] = p.namespaces.text
	}
	if len(p.types) > 0 {
		spec["types"] = anyList(p.types)
	}
	setList(spec, "ingress", calicoObjects(p.ingress))
	setList(spec, "egress", calicoObjects(p.egress))
	kind = map[string]string{"NP": "NetworkPolicy", "GNP": "GlobalNetworkPolicy"}[p.kind]
	if p.staged {
		kind = "Staged" + kind
	}
	return "projectcalico.org/v3", kind, spec
}

func setList(spec dict, key string, list []any) {
	if len(list) > 0 {
		spec[key] = list
	}
}

func kubeObjects(side string, rules []bruteKubeRule) []any {
	var out []any
	for _, r := range rules {
		o := dict{}
		var peers, ports []any
		for _, k := range r.peers {
			peer := dict{}
			if k.pods != nil {
				peer["podSelector"] = k.pods.kube
			}
			if k.namespaces != nil {
				peer["namespaceSelector"] = k.namespaces.kube
			}
			if k.block != nil {
				block := dict{"cidr": k.block.String()}
				setList(block, "except", texts(k.except))
				peer["ipBlock"] = block
			}
			peers = append(peers, peer)
		}
		for _, k := range r.ports {
			port := dict{}
			if k.protocol != "" {
				port["protocol"] = k.protocol
			}
			if k.port != nil {
				port["port"] = int64(k.port.lo)
				if k.port.name != "" {
					port["port"] = k.port.name
				} else if k.port.hi != k.port.lo {
					port["endPort"] = int64(k.port.hi)
				}
			}
			ports = append(ports, port)
		}
		setList(o, side, peers)
		setList(o, "ports", ports)
		out = append(out, o)
	}
	return out
}

func clusterObjects(side string, rules []bruteRule) []any {
	var out []any
	for _, r := range rules {
		o := dict{"action": map[string]string{"Allow": "Accept"}[r.action]}
		if r.action != "Allow" {
			o["action"] = r.action
		}
		e := r.source
		if side == "to" {
			e = r.dest
		}
		peer := dict{}
		switch {
		case len(e.nets) > 0:
			peer["networks"] = texts(e.nets)
		case e.selector != nil:
			peer["pods"] = dict{"namespaceSelector": e.namespaces.kube, "podSelector": e.selector.kube}
		default:
			peer["namespaces"] = e.namespaces.kube
		}
		o[side] = []any{peer}
		if r.protocol != "" {
			match := dict{}
			for _, p := range r.dest.ports {
				match["destinationPort"] = dict{"number": int64(p.lo)}
				if p.lo != p.hi {
					match["destinationPort"] = dict{"range": dict{"start": int64(p.lo), "end": int64(p.hi)}}
				}
			}
			o["protocols"] = []any{dict{strings.ToLower(r.protocol): match}}
		}
		out = append(out, o)
	}
	return out
}

func calicoObjects(rules []bruteRule) []any {
	var out []any
	for _, r := range rules {
		o := dict{"action": r.action, "source": calicoObject(r.source), "destination": calicoObject(r.dest)}
		if r.protocol != "" {
			o["protocol"] = r.protocol
		}
		if r.notProto != "" {
			o["notProtocol"] = r.notProto
			if r.notProto == "47" {
				o["notProtocol"] = int64(47)
			}
		}
		if r.version != 0 {
			o["ipVersion"] = int64(r.version)
		}
		if r.icmpType != nil {
			o["icmp"] = dict{"type": int64(*r.icmpType)}
		}
		out = append(out, o)
	}
	return out
}

func calicoObject(e bruteEntity) dict {
	o := dict{}
	if e.selector != nil {
		o["selector"] = e.selector.text
	}
	if e.notSelector != nil {
		o["notSelector"] = e.notSelector.text
	}
	if e.namespaces != nil {
		o["namespaceSelector"] = e.namespaces.text
	}
	if e.global {
		o["namespaceSelector"] = "global()"
	}
	if len(e.accounts) > 0 {
		o["serviceAccounts"] = dict{"names": anyList(e.accounts)}
	}
	setList(o, "nets", texts(e.nets))
	setList(o, "notNets", texts(e.notNets))
	setList(o, "ports", calicoPortObjects(e.ports))
	setList(o, "notPorts", calicoPortObjects(e.notPorts))
	return o
}

func calicoPortObjects(ports []brutePort) []any {
	var out []any
	for _, p := range ports {
		switch {
		case p.name != "":
			out = append(out, p.name)
		case p.lo == p.hi:
			out = append(out, int64(p.lo))
		default:
			out = append(out, itoa(p.lo)+":"+itoa(p.hi))
		}
	}
	return out
}

func anyMap(m map[string]string) dict {
	out := dict{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func anyList(list []string) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

func texts(prefixes []netip.Prefix) []any {
	var out []any
	seen := map[string]bool{}
	for _, p := range prefixes {
		if !seen[p.String()] {
			seen[p.String()] = true
			out = append(out, p.String())
		}
	}
	return out
}
