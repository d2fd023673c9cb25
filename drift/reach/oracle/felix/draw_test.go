package felix

import (
	"fmt"
	"net/netip"

	"pgregory.net/rapid"
)

type dict = map[string]any

// world is a random world: the objects, and what questions are asked of it.
type world struct {
	objects []dict
	pods    []End // one for each address
	pending bool
}

// The words of the worlds are few, so that what is written meets.
var (
	keys     = []string{"app", "role"}
	values   = []string{"a", "b", "ab"}
	nets4    = []string{"10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/32", "203.0.0.0/8", "10.0.0.0/8", "0.0.0.0/1"}
	nets6    = []string{"fd00::/16", "fd00::2/127", "2001:db8::/32", "8000::/1"}
	wholes   = []string{"0.0.0.0/0", "::/0"}
	accounts = []string{"default", "robot"}
)

// below draws a number from 0 to n-1, all of them equally often: rapid's own numbers are small ones mostly, which makes
// worlds in which nothing happens. They shrink to 0.
func below(t *rapid.T, label string, n int) int {
	const bits = 10
	return rapid.Custom(func(t *rapid.T) int {
		v := 0
		for range bits {
			v *= 2
			if rapid.Bool().Draw(t, "bit") {
				v++
			}
		}
		return v * n >> bits
	}).Draw(t, label)
}

func oneOf[T any](t *rapid.T, label string, values ...T) T {
	return values[below(t, label, len(values))]
}

func chance(t *rapid.T, label string, percent int) bool {
	return below(t, label, 100) >= 100-percent
}

func between(t *rapid.T, label string, lo, hi int) int {
	return lo + below(t, label, hi-lo+1)
}

func list[T any](t *rapid.T, label string, lo, hi int, draw func(t *rapid.T) T) []any {
	var out []any
	for range between(t, label, lo, hi) {
		out = append(out, draw(t))
	}
	return out
}

// set gives a field a list, unless it is empty.
func set(d dict, key string, list []any) {
	if len(list) > 0 {
		d[key] = list
	}
}

func object(apiVersion, kind, namespace, name string, labels, spec dict) dict {
	meta := dict{"name": name}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	if len(labels) > 0 {
		meta["labels"] = labels
	}
	out := dict{"apiVersion": apiVersion, "kind": kind, "metadata": meta}
	if spec != nil {
		out["spec"] = spec
	}
	return out
}

func drawLabels(t *rapid.T) dict {
	out := dict{}
	for _, key := range keys {
		if chance(t, "has "+key, 60) {
			out[key] = oneOf(t, key, values...)
		}
	}
	return out
}

// drawWorld makes a world of two namespaces, a few pods, network sets, Services, tiers and policies.
func drawWorld(t *rapid.T) *world {
	w := &world{pending: chance(t, "pending", 40)}
	for _, namespace := range []string{"x", "y"} {
		w.objects = append(w.objects, object("v1", "Namespace", "", namespace, drawLabels(t), nil))
		for _, account := range accounts {
			w.objects = append(w.objects, object("v1", "ServiceAccount", namespace, account, drawLabels(t), nil))
		}
	}
	for i := range between(t, "pods", 2, 4) {
		w.drawPod(t, i)
	}
	if chance(t, "host", 25) {
		w.drawHost(t)
	}
	for i := range between(t, "sets", 0, 2) {
		w.objects = append(w.objects, drawSet(t, i))
	}
	for _, name := range []string{"x", "y"} {
		if chance(t, "service "+name, 30) {
			w.drawService(t, name)
		}
	}
	for _, name := range []string{"security", "platform", "zone"} {
		if chance(t, "tier "+name, 60) {
			spec := dict{"defaultAction": oneOf(t, "end of tier", "Deny", "Pass")}
			drawOrder(t, spec)
			w.objects = append(w.objects, object("projectcalico.org/v3", "Tier", "", name, nil, spec))
		}
	}
	staged := w.pending || chance(t, "staged policies", 20)
	for i := range between(t, "policies", 1, 8) {
		w.objects = append(w.objects, drawPolicy(t, i, staged))
	}
	if chance(t, "baseline", 20) {
		w.objects = append(w.objects, drawAdmin(t, "BaselineAdminNetworkPolicy", "default"))
	}
	return w
}

func (w *world) drawPod(t *rapid.T, i int) {
	namespace, name := oneOf(t, "pod namespace", "x", "y"), fmt.Sprintf("pod%d", i)
	labels := drawLabels(t)
	if chance(t, "spoof", 5) {
		labels[oneOf(t, "spoofed", "pcns.app", "pcsa.app", "projectcalico.org/namespace", "projectcalico.org/serviceaccount")] = oneOf(t, "spoof", "a", "x", "y", "robot")
	}
	v4, v6 := fmt.Sprintf("10.0.0.%d", i), fmt.Sprintf("fd00::%d", i)
	var ips []any
	for _, ip := range oneOf(t, "addresses", []string{v4}, []string{v4}, []string{v6}, []string{v4, v6}, []string{v4, v6}) {
		ips = append(ips, dict{"ip": ip})
		w.pods = append(w.pods, End{namespace + "/" + name, netip.MustParseAddr(ip)})
	}
	ports := list(t, "container ports", 0, 2, func(t *rapid.T) dict {
		port := dict{"containerPort": oneOf(t, "container port", int64(80), int64(443), int64(8080)), "name": oneOf(t, "port name", "web", "db")}
		if protocol := oneOf(t, "container protocol", "", "TCP", "UDP", "SCTP"); protocol != "" {
			port["protocol"] = protocol
		}
		return port
	})
	container := dict{"name": "c"}
	set(container, "ports", ports)
	pod := object("v1", "Pod", namespace, name, labels, dict{
		"nodeName": node, "serviceAccountName": oneOf(t, "account", accounts...), "containers": []any{container},
	})
	pod["status"] = dict{"podIP": ips[0].(dict)["ip"], "podIPs": ips}
	w.objects = append(w.objects, pod)
}

// drawHost makes a pod of another node's network: to Calico it is an address outside.
func (w *world) drawHost(t *rapid.T) {
	ip := oneOf(t, "node address", "203.0.113.1", "192.168.0.1")
	host := object("v1", "Pod", "x", "host", drawLabels(t), dict{
		"nodeName": "other", "hostNetwork": true, "serviceAccountName": "default",
		"containers": []any{dict{"name": "c", "ports": []any{dict{"name": "web", "containerPort": int64(80)}}}},
	})
	host["status"] = dict{"podIP": ip, "podIPs": []any{dict{"ip": ip}}}
	w.objects = append(w.objects, host)
	w.pods = append(w.pods, End{"x/host", netip.MustParseAddr(ip)})
}

func drawSet(t *rapid.T, i int) dict {
	kind, namespace := "GlobalNetworkSet", ""
	if chance(t, "namespaced set", 50) {
		kind, namespace = "NetworkSet", oneOf(t, "set namespace", "x", "y")
	}
	choice := append(append(append([]string{}, nets4...), nets6...), "10.0.0.1", "203.0.113.7", "0.0.0.0/0", "::/0")
	spec := dict{}
	set(spec, "nets", list(t, "set nets", 0, 2, func(t *rapid.T) string { return oneOf(t, "set net", choice...) }))
	return object("projectcalico.org/v3", kind, namespace, fmt.Sprintf("set%d", i), drawLabels(t), spec)
}

// drawService makes a Service, called as its namespace, with an EndpointSlice of some of the namespace's pods and others.
func (w *world) drawService(t *rapid.T, namespace string) {
	w.objects = append(w.objects, object("v1", "Service", namespace, "svc", nil, dict{
		"selector": dict{"app": "a"}, "ports": []any{dict{"port": int64(80), "protocol": "TCP"}},
	}))
	var endpoints []any
	for _, pod := range w.pods {
		if pod.Addr.Is4() && chance(t, "behind "+pod.Pod, 40) {
			endpoints = append(endpoints, dict{"addresses": []any{pod.Addr.String()}})
		}
	}
	if chance(t, "behind outside", 20) {
		endpoints = append(endpoints, dict{"addresses": []any{"203.0.113.7"}})
	}
	slice := object("discovery.k8s.io/v1", "EndpointSlice", namespace, "svc-1", dict{"kubernetes.io/service-name": "svc"}, nil)
	slice["addressType"] = "IPv4"
	set(slice, "endpoints", endpoints)
	set(slice, "ports", list(t, "slice ports", 0, 2, func(t *rapid.T) dict {
		return dict{"port": oneOf(t, "slice port", int64(80), int64(443)), "protocol": oneOf(t, "slice protocol", "TCP", "UDP", "SCTP")}
	}))
	w.objects = append(w.objects, slice)
}

func drawOrder(t *rapid.T, spec dict) {
	if !chance(t, "no order", 20) {
		spec["order"] = oneOf(t, "order", 1.0, 1.0, 1.0, 2.0, 1000.0, 1000.0, 1_000_000.0, 20_000_000.0)
	}
}
