package reach

import (
	"fmt"
	"slices"
)

// Peer is one end of a question: a workload, addresses, or a group of pods whose own policies count as allow-all.
type Peer struct {
	endpoint  func(*World) (*Endpoint, error)
	addresses Addresses
	pods      func(namespace string) bool // nil: no group
	text      string
}

// String returns the peer as it was asked for.
func (p Peer) String() string { return p.text }

// PodPeer is a workload of the world by namespace and name.
func PodPeer(namespace, name string) Peer {
	return Peer{text: namespace + "/" + name, endpoint: func(w *World) (*Endpoint, error) {
		if e := w.Endpoint(namespace, name); e != nil {
			return e, nil
		}
		return nil, fmt.Errorf("finding workload %s/%s: there is none of that name", namespace, name)
	}}
}

// LabelledPeer is a workload that is not in the world, as a PolicyTest names it: its labels are known, its container
// ports are not.
func LabelledPeer(workload Workload) Peer {
	return Peer{text: workload.Namespace + "/" + workload.Name, endpoint: func(w *World) (*Endpoint, error) {
		e := workload.endpoint()
		e.view = w.viewOf(e)
		return e, nil
	}}
}

// AddressPeer is addresses that are no known pod's. All of them are meant.
func AddressPeer(addresses Addresses) Peer {
	return Peer{addresses: addresses, text: addresses.String()}
}

// InternetPeer is every address outside the special ranges; see Internet.
func InternetPeer() Peer { return Peer{addresses: Internet(), text: "internet"} }

// PodsPeer is every pod, known or not, with whatever labels, of the namespaces for which match holds. Their own
// policies count as allow-all: the other end must decide alone. match is asked about namespaces of the world and about
// "", which stands for any other namespace.
func PodsPeer(text string, match func(namespace string) bool) Peer {
	return Peer{pods: match, text: text}
}

// AnyonePeer is every pod of every namespace and every address.
func AnyonePeer() Peer {
	return Peer{pods: func(string) bool { return true }, addresses: AllAddresses(), text: "anyone"}
}

// group reports whether the peer stands for many and so has no policies of its own.
func (p Peer) group() bool { return p.pods != nil }

// instances are the concrete pods that stand for a group: those of the world, a pod without labels, and one for each
// way to satisfy a selector of the other end's program, in each namespace that the group has.
func (w *World) instances(p Peer, pr *program) []*Endpoint {
	var out []*Endpoint
	for _, e := range w.Endpoints() {
		if p.pods(e.Namespace) && !e.host {
			out = append(out, e)
		}
	}
	witnesses := []witness{{}}
	for _, s := range pr.stages {
		for _, a := range s.applied {
			for _, r := range a.policy.rules[pr.dir] {
				for _, c := range []*clause{r.peer.pos, r.peer.neg} {
					if c != nil {
						witnesses = append(witnesses, c.witnesses()...)
					}
				}
			}
		}
	}
	seen := map[string]bool{}
	for _, wit := range witnesses {
		for _, e := range w.imply(wit, p.pods) {
			if key := e.key(); !seen[key] {
				seen[key] = true
				out = append(out, e)
			}
		}
	}
	return out
}

// Namespaces returns every namespace that is known, by an object or by a workload in it, sorted. "" is among them where a
// workload stands for those of namespaces that are not known.
func (w *World) Namespaces() []string {
	return slices.DeleteFunc(w.roomNames(), func(name string) bool { return !w.knows(name) })
}
