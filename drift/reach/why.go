package reach

import (
	"slices"
	"strings"
)

// Explain gives each unknown connection the reason why it is unknown: what is missing, and the rule that asks for it. Of
// the members of groups, one pair is looked at; they are unknown for the same reason mostly, and never surely allowed.
func (w *World) Explain(unknown []Connection) {
	for i := range unknown {
		c := &unknown[i]
		from, to, ok := w.sample(c.From, c.To)
		if !ok {
			continue
		}
		verdict, err := w.Decide(from, to, portsOfRows(c.Ports))
		if err != nil {
			continue
		}
		if at := slices.IndexFunc(verdict.Reasons, func(r Reason) bool { return r.Unknown }); at >= 0 {
			c.Reason = verdict.Reasons[at].why()
		}
	}
}

// why says what makes a reason uncertain, and where that is written.
func (r Reason) why() string {
	text := strings.TrimPrefix(r.Text, "unknown: ")
	at := r.Origin.String()
	if r.Policy != (Ref{}) {
		text += ": " + r.Policy.String()
		if r.Field != "" && r.Field != "spec" {
			text += " " + r.Field
		}
	}
	if at != "" {
		text += " (" + at + ")"
	}
	return text
}

// sample returns one peer for each of two places, not the same pod twice; ok is false if there is no such pair.
func (w *World) sample(from, to Place) (source, destination Peer, ok bool) {
	sources, destinations := w.membersOf(from), w.membersOf(to)
	for _, s := range sources {
		for _, d := range destinations {
			if s == nil || s != d || !s.single {
				return sampled(from, s), sampled(to, d), true
			}
		}
	}
	return Peer{}, Peer{}, false
}

// membersOf returns the first pods that a place stands for, or nil alone for addresses.
func (w *World) membersOf(p Place) []*Endpoint {
	if p.CIDR != "" || p.Any == "address" {
		return []*Endpoint{nil}
	}
	if p.Any != "" {
		return firstPods(w.Endpoints(), func(e *Endpoint) bool { return !e.host })
	}
	if p.Namespace == "*" {
		p.Namespace = ""
	}
	return firstPods(w.room(p.Namespace).endpoints, func(e *Endpoint) bool { return e.Name == p.Workload || (p.Workload == "*" && !e.host) })
}

// firstPods returns at most two pods that are meant.
func firstPods(among []*Endpoint, meant func(*Endpoint) bool) []*Endpoint {
	var out []*Endpoint
	for _, e := range among {
		if meant(e) {
			out = append(out, e)
		}
		if len(out) == 2 {
			break
		}
	}
	return out
}

func sampled(p Place, e *Endpoint) Peer {
	if e != nil {
		return Peer{text: e.String(), endpoint: func(*World) (*Endpoint, error) { return e, nil }}
	}
	if p.CIDR == "" {
		return AddressPeer(AllAddresses())
	}
	addresses, err := ParseAddresses(p.CIDR)
	if err != nil {
		return AddressPeer(Addresses{})
	}
	return AddressPeer(addresses)
}
