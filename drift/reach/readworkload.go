package reach

import (
	"net/netip"
	"strings"
)

// at walks into nested mappings; nil where the path ends early.
func at(value any, path ...string) any {
	for _, key := range path {
		m, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = m[key]
	}
	return value
}

func textAt(value any, path ...string) string {
	text, _ := at(value, path...).(string)
	return text
}

func listAt(value any, path ...string) []any {
	list, _ := at(value, path...).([]any)
	return list
}

func numberAt(value any, path ...string) int64 {
	switch n := at(value, path...).(type) {
	case int64:
		return n
	case float64:
		return int64(n)
	}
	return 0
}

// templates says where each workload kind keeps its pod template; a Pod is its own.
var templates = map[string][]string{
	"Pod":                   {},
	"Deployment":            {"spec", "template"},
	"StatefulSet":           {"spec", "template"},
	"DaemonSet":             {"spec", "template"},
	"ReplicaSet":            {"spec", "template"},
	"ReplicationController": {"spec", "template"},
	"Job":                   {"spec", "template"},
	"CronJob":               {"spec", "jobTemplate", "spec", "template"},
}

// readWorkload returns the endpoint of a pod or of a pod template; nil if no pod comes of it (it has run to its end).
func readWorkload(h header, content map[string]any, origin Origin) (*Endpoint, *fieldError) {
	pod := at(content, templates[h.kind]...)
	if phase := textAt(content, "status", "phase"); h.kind == "Pod" && (phase == "Succeeded" || phase == "Failed") {
		return nil, nil
	}
	labels, err := textMap(at(pod, "metadata", "labels"))
	if err != nil {
		return nil, fault("metadata.labels", "", "%v", err)
	}
	e := &Endpoint{
		Ref: h.ref(), Origin: origin, Namespace: h.namespace, Name: h.name,
		labels: ownLabels(labels), account: textAt(pod, "spec", "serviceAccountName"), node: textAt(pod, "spec", "nodeName"),
		portsKnown: true, single: h.kind == "Pod", owner: controller(content),
	}
	e.host, _ = at(pod, "spec", "hostNetwork").(bool)
	if e.account == "" {
		e.account = "default"
	}
	for _, list := range []string{"containers", "initContainers"} {
		for _, container := range listAt(pod, "spec", list) {
			for _, port := range listAt(container, "ports") {
				e.addPort(port)
			}
		}
	}
	addresses := listAt(content, "status", "podIPs")
	if len(addresses) == 0 {
		addresses = []any{map[string]any{"ip": textAt(content, "status", "podIP")}}
	}
	for _, item := range addresses {
		if addr, err := netip.ParseAddr(textAt(item, "ip")); err == nil && h.kind == "Pod" {
			e.addresses = append(e.addresses, addr.Unmap())
		}
	}
	return e, nil
}

func (e *Endpoint) addPort(port any) {
	name, number := textAt(port, "name"), numberAt(port, "containerPort")
	protocol := textAt(port, "protocol")
	if protocol == "" {
		protocol = "TCP"
	}
	code, err := protocolNumber(protocol)
	if _, ok := portBase(code); name == "" || err != nil || !ok || number < 1 || number > 65535 {
		return
	}
	e.namedPorts = append(e.namedPorts, namedPort{name, code, uint16(number)})
}

// ownLabels drops the labels that pretend to come from a namespace or a service account, as Calico does.
func ownLabels(labels map[string]string) map[string]string {
	out := make(map[string]string, len(labels))
	for k, v := range labels {
		if !strings.HasPrefix(k, prefixNamespace) && !strings.HasPrefix(k, prefixAccount) {
			out[k] = v
		}
	}
	return out
}

// controller returns "Kind/name" of an object's controlling owner.
func controller(content map[string]any) string {
	for _, owner := range listAt(content, "metadata", "ownerReferences") {
		if is, _ := at(owner, "controller").(bool); is {
			return textAt(owner, "kind") + "/" + textAt(owner, "name")
		}
	}
	return ""
}

// service is what rules with services, and the model's documentation, need of a Service.
type service struct {
	ref      Ref
	selector map[string]string
	ports    []servicePort
}

type servicePort struct {
	protocol uint8
	number   uint16
	name     string // of a container port, where the target is a name
}

func readService(h header, content map[string]any) *service {
	selector, _ := textMap(at(content, "spec", "selector"))
	s := &service{ref: h.ref(), selector: selector}
	for _, item := range listAt(content, "spec", "ports") {
		protocol := textAt(item, "protocol")
		if protocol == "" {
			protocol = "TCP"
		}
		code, err := protocolNumber(protocol)
		if err != nil {
			continue
		}
		port := servicePort{protocol: code, number: uint16(numberAt(item, "port"))}
		if name := textAt(item, "targetPort"); name != "" {
			port.number, port.name = 0, name
		} else if number := numberAt(item, "targetPort"); number > 0 {
			port.number = uint16(number)
		}
		s.ports = append(s.ports, port)
	}
	return s
}

// slice is one EndpointSlice: addresses and the ports that go with them.
type slice struct {
	namespace, service string
	addresses          Addresses
	pods               map[string]bool // of the same namespace
	ports              Ports
}

func readSlice(h header, content map[string]any) *slice {
	s := &slice{namespace: h.namespace, service: h.labels["kubernetes.io/service-name"], pods: map[string]bool{}}
	for _, item := range listAt(content, "endpoints") {
		if textAt(item, "targetRef", "kind") == "Pod" {
			s.pods[textAt(item, "targetRef", "name")] = true
		}
		for _, text := range listAt(item, "addresses") {
			text, _ := text.(string)
			if a, err := ParseAddresses(text); err == nil {
				s.addresses = s.addresses.Union(a)
			}
		}
	}
	for _, item := range listAt(content, "ports") {
		protocol := textAt(item, "protocol")
		if protocol == "" {
			protocol = "TCP"
		}
		number := numberAt(item, "port")
		if number == 0 {
			if all, err := Protocol(protocol); err == nil {
				s.ports = s.ports.Union(all)
			}
			continue
		}
		if one, err := PortRange(protocol, uint16(number), uint16(number)); err == nil {
			s.ports = s.ports.Union(one)
		}
	}
	return s
}
