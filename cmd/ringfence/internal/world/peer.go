package world

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/drift/reach"
)

// nameLabels are the label keys by which people know a workload, the best first.
var nameLabels = []string{"app.kubernetes.io/name", "app", "k8s-app", "name"}

// groups are the peers that stand for many.
var groups = []string{"internet", "anyone", "cluster", "other-tenants"}

// Question is two peers as people write them; see [World.Peers] for the forms.
type Question struct {
	From, To string
	// Tenant is the namespace that a peer without one is in; "" if there is none.
	Tenant string
}

// Peers reads both ends of a question. A peer is "namespace/workload", a workload alone where the question has a
// tenant, an address or CIDR, "internet" (every address outside the special ranges), "anyone" (every pod and address),
// "cluster" (every pod outside the other end's namespace) or "other-tenants" (those of other tenants' namespaces). A
// workload is meant by its name, by labels ("app=web,tier=front"), or by the value of the label that names it, if one
// workload of the namespace alone has it.
func (w *World) Peers(q Question) (from, to reach.Peer, err error) {
	from, errFrom := w.peer(q.From, q.Tenant, namespaceOf(q.To, q.Tenant))
	to, errTo := w.peer(q.To, q.Tenant, namespaceOf(q.From, q.Tenant))
	return from, to, errors.Join(errFrom, errTo)
}

// Ask answers one question. What is missing from the world and what is wrong with it makes the answer unknown where it
// may matter: policies by what they may judge, other objects by the namespaces of the two ends. The error is that of a
// question that cannot be asked.
func (w *World) Ask(q Question, ports reach.Ports) (Answer, error) {
	from, to, err := w.Peers(q)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{From: from, To: to, Ports: ports}
	if a.Verdict, err = w.Decide(from, to, ports); err != nil {
		return Answer{}, err
	}
	ends := []string{namespaceOf(q.From, q.Tenant), namespaceOf(q.To, q.Tenant)}
	many := slices.Contains(groups[1:], q.From) || slices.Contains(groups[1:], q.To)
	for _, p := range w.Problems() {
		if !isPolicy(p.Object.Kind) && p.Object.Kind != "Tier" && (many || concerns(p, ends)) {
			a.Outcome = reach.Unknown
			a.Reasons = append(a.Reasons, reach.Reason{Unknown: true, Origin: p.Origin, Text: "unknown: " + p.Object.String() + " is not as it seems: " + p.Message})
		}
	}
	return a, nil
}

// namespaceOf returns the namespace of a workload as it is written, "" for other peers.
func namespaceOf(text, tenant string) string {
	if _, err := reach.ParseAddresses(text); err == nil || slices.Contains(groups, text) {
		return ""
	}
	if namespace, _, found := strings.Cut(text, "/"); found && !strings.Contains(namespace, "=") {
		return namespace
	}
	return tenant
}

func (w *World) peer(text, tenant, other string) (reach.Peer, error) {
	switch text {
	case "":
		return reach.Peer{}, errors.New("a peer is missing: write both --from and --to")
	case "internet":
		return reach.InternetPeer(), nil
	case "anyone":
		return reach.AnyonePeer(), nil
	case "cluster", "other-tenants":
		return w.group(text, other)
	}
	if addresses, err := reach.ParseAddresses(text); err == nil {
		return reach.AddressPeer(addresses), nil
	}
	namespace, name, found := strings.Cut(text, "/")
	if !found || strings.Contains(namespace, "=") {
		if namespace, name = tenant, text; namespace == "" {
			return reach.Peer{}, fmt.Errorf("peer %q is no address and has no namespace (hint: write NAMESPACE/%s, or --tenant)", text, text)
		}
	}
	return w.workload(namespace, name)
}

func (w *World) group(text, other string) (reach.Peer, error) {
	if other == "" {
		return reach.Peer{}, fmt.Errorf("peer %q means pods outside of a namespace: the other end must be a workload", text)
	}
	if text == "cluster" {
		return reach.PodsPeer(text, func(namespace string) bool { return namespace != other }), nil
	}
	return reach.PodsPeer(text, func(namespace string) bool {
		return namespace != "" && namespace != other && w.isTenant(namespace)
	}), nil
}

func (w *World) workload(namespace, name string) (reach.Peer, error) {
	if w.Endpoint(namespace, name) != nil {
		return reach.PodPeer(namespace, name), nil
	}
	if strings.Contains(name, "=") {
		labels := map[string]string{}
		for part := range strings.SplitSeq(name, ",") {
			key, value, found := strings.Cut(part, "=")
			if !found || key == "" {
				return reach.Peer{}, fmt.Errorf("peer %s/%s: %q is no label (hint: write key=value)", namespace, name, part)
			}
			labels[key] = value
		}
		return reach.LabelledPeer(reach.Workload{Namespace: namespace, Name: name, Labels: labels}), nil
	}
	for _, key := range nameLabels {
		var found []string
		for _, e := range w.Endpoints() {
			if value, ok := e.Label(key); ok && value == name && e.Namespace == namespace {
				found = append(found, e.Name)
			}
		}
		if len(found) == 1 {
			return reach.PodPeer(namespace, found[0]), nil
		}
	}
	return reach.Peer{}, w.noWorkload(namespace, name)
}

func (w *World) noWorkload(namespace, name string) error {
	var names []string
	for _, e := range w.Endpoints() {
		if e.Namespace == namespace {
			names = append(names, e.Name)
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("there is no workload %s/%s, and none in that namespace (hint: describe it by its labels: %s/app=%s)", namespace, name, namespace, name)
	}
	return fmt.Errorf("there is no workload %s/%s; known there: %s (hint: any other can be described by its labels: %s/app=%s)",
		namespace, name, strings.Join(names, "; "), namespace, name)
}
