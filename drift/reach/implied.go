package reach

import (
	"slices"
	"strings"
)

// addImplied adds the workloads that the policies' own selectors imply and that no given workload is an example of, and
// those that stand for any other pod.
func (w *World) addImplied(items []*item) {
	seen := w.placed()
	var found []*Endpoint
	add := func(endpoints []*Endpoint) {
		for _, e := range endpoints {
			if key := placeOf(e); !seen[key] {
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
			if done[c.text] || w.hasExample(c) || isExample(found, c) {
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

// addCast adds the workloads that the policies of other worlds imply, but for those that this one has.
func (w *World) addCast() {
	have := w.placed()
	for _, e := range w.config.Cast {
		if key := placeOf(e); !have[key] {
			have[key] = true
			fresh := *e
			fresh.view = w.impliedView(&fresh)
			w.endpoints = append(w.endpoints, &fresh)
		}
	}
	w.sortEndpoints()
}

// placed are the workloads that there are, as placeOf names them.
func (w *World) placed() map[string]bool {
	out := map[string]bool{}
	for _, e := range w.endpoints {
		out[placeOf(e)] = true
	}
	return out
}

// placeOf is equal for workloads of one namespace with the same labels.
func placeOf(e *Endpoint) string { return e.Namespace + "\x00" + impliedName(e.labels) }

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
		return slices.ContainsFunc(w.endpoints, func(e *Endpoint) bool { return !e.host && c.eval(e.view) == yes })
	}
	for _, i := range w.byNamespace[c.namespace] {
		if e := w.endpoints[i]; !e.host && c.eval(e.view) == yes {
			return true
		}
	}
	return false
}

// isExample reports whether one of the pods is surely meant by a clause.
func isExample(pods []*Endpoint, c *clause) bool {
	return slices.ContainsFunc(pods, func(e *Endpoint) bool { return c.eval(e.view) == yes })
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
