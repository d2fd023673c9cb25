package reach

import "strings"

// addImplied adds the workloads that the policies' own selectors imply and that no given workload is an example of, and
// those that stand for any other pod.
func (w *World) addImplied(items []*item) {
	seen := map[string]bool{}
	for _, e := range w.endpoints {
		seen[e.Namespace+"\x00"+impliedName(e.labels)] = true
	}
	var found []*Endpoint
	add := func(endpoints []*Endpoint) {
		for _, e := range endpoints {
			if key := e.Namespace + "\x00" + impliedName(e.labels); !seen[key] {
				seen[key] = true
				found = append(found, e)
			}
		}
	}
	anywhere := func(string) bool { return true }
	add(w.imply(witness{}, anywhere))
	done := map[string]bool{}
	for _, it := range items {
		if it.policy == nil || it.policy.broken != nil || (it.policy.staged && !w.config.Pending) {
			continue
		}
		for _, c := range it.policy.clauses() {
			if done[c.text] || w.hasExample(c) {
				continue
			}
			done[c.text] = true
			for _, wit := range c.witnesses() {
				add(w.imply(wit, w.within(wit)))
			}
		}
	}
	for _, e := range found {
		e.view = w.impliedView(e)
	}
	w.endpoints = append(w.endpoints, found...)
	w.sortEndpoints()
}

// within says in which namespaces a witness is worth a pod: where it asks for a namespace, in all that fit, else in one
// that nothing names, since one pod shows what a selector over all namespaces does.
func (w *World) within(wit witness) func(string) bool {
	for key := range wit {
		if key == labelNamespace || strings.HasPrefix(key, prefixNamespace) {
			return func(string) bool { return true }
		}
	}
	return func(namespace string) bool { return namespace == "" }
}

// impliedView keeps the labels of a namespace that only a witness knows.
func (w *World) impliedView(e *Endpoint) labelSource {
	if _, known := w.namespaces[e.Namespace]; known || len(w.byNamespace[e.Namespace]) > 0 {
		return w.viewOf(e)
	}
	return e.view
}

func (w *World) hasExample(c *clause) bool {
	if c.namespace == "" {
		for _, e := range w.endpoints {
			if !e.host && c.eval(e.view) == yes {
				return true
			}
		}
		return false
	}
	for _, i := range w.byNamespace[c.namespace] {
		if e := w.endpoints[i]; !e.host && c.eval(e.view) == yes {
			return true
		}
	}
	return false
}

// clauses returns the selectors of a policy: its subject's and its rules'.
func (p *policy) clauses() []*clause {
	out := []*clause{p.subject}
	for _, rules := range p.rules {
		for _, r := range rules {
			for _, c := range []*clause{r.peer.pos, r.peer.neg, r.self.pos, r.self.neg} {
				if c != nil {
					out = append(out, c)
				}
			}
		}
	}
	return out
}
