package reach

import "slices"

// wants is what the rules of a policy ask of the world, without doubles.
type wants struct {
	clauses  []*clause
	services []serviceRef
	ports    []string // of any pod, by the name that its containers give
}

// clausesOf returns the clauses of a rule's two sides.
func (r *rule) clauses() []*clause {
	var out []*clause
	for _, c := range []*clause{r.peer.pos, r.peer.neg, r.self.pos, r.self.neg} {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

func (p *policy) wants() wants {
	var out wants
	for dir, rules := range p.rules {
		for _, r := range rules {
			for _, c := range r.clauses() {
				if !slices.ContainsFunc(out.clauses, func(d *clause) bool { return d.text == c.text }) {
					out.clauses = append(out.clauses, c)
				}
			}
			for _, s := range []*serviceRef{r.peer.service, r.self.service} {
				if s != nil && !slices.Contains(out.services, *s) {
					out.services = append(out.services, *s)
				}
			}
			if r.asksPorts(Direction(dir)) {
				out.ports = append(append(out.ports, r.ports.named...), r.ports.notNamed...)
			}
		}
	}
	slices.Sort(out.ports)
	out.ports = slices.Compact(out.ports)
	return out
}

// asks lists the cluster-wide clauses of a policy.
func (p *policy) asks(want wants) map[asked]*clause {
	out := map[asked]*clause{}
	for _, c := range want.clauses {
		if c.namespace == "" {
			out[asked{c.text, false}] = c
		}
	}
	if p.subject.namespace == "" && p.broken == nil {
		out[asked{p.subject.text, true}] = p.subject
	}
	return out
}

// enlist notes what a policy asks of the world, and returns the texts of the cluster-wide clauses that nothing asked before.
func (w *World) enlist(p *policy) (came []string) {
	want := p.wants()
	for key, c := range p.asks(want) {
		w.askers.add(key, p)
		if _, known := w.clauses.get(c.text); !known {
			w.clauses.set(c.text, &wideClause{c, w.setMatchOf(c)})
			came = append(came, c.text)
		}
	}
	for _, s := range want.services {
		w.services.add(s, p)
	}
	for _, name := range want.ports {
		w.ports.add(name, p)
	}
	return came
}

// dismiss takes back what enlist noted, and returns the texts of the cluster-wide clauses that nothing asks any more.
func (w *World) dismiss(p *policy) (went []string) {
	want := p.wants()
	for key, c := range p.asks(want) {
		if w.askers.drop(key, p) && len(w.askers.of(asked{key.text, !key.subject})) == 0 {
			w.clauses.remove(c.text)
			went = append(went, c.text)
		}
	}
	for _, s := range want.services {
		w.services.drop(s, p)
	}
	for _, name := range want.ports {
		w.ports.drop(name, p)
	}
	return went
}

// clauses returns the selectors of a policy: its subject's and its rules'.
func (p *policy) clauses() []*clause {
	out := []*clause{p.subject}
	for _, rules := range p.rules {
		for _, r := range rules {
			out = append(out, r.clauses()...)
		}
	}
	return out
}
