package reach

import (
	"maps"
	"slices"
	"strings"
)

// The workloads that policies imply are found in three steps, of which each regards what the ones before have found: the
// pod that stands for any other, in every namespace that has a name and in one that has none; for each cluster-wide
// clause that no workload is an example of, pods in the namespaces that it may mean; for each clause of a namespace, pods
// in it. The last step of one namespace is all that a change of the namespace's own policies has to do again.

// anyOther is the pod that stands for all of a namespace that no selector asks for.
func (w *World) anyOther(r *room) *Endpoint {
	own := r.own
	if r.name == "" {
		own = inherited{known: true}
	}
	return w.pod(witness{}.figure(), own)
}

// cast makes an implied workload one of a room. A namespace that nothing names has the labels that its pods say.
func (w *World) cast(r *room, e *Endpoint, named bool) *Endpoint {
	fresh := *e
	if named {
		fresh.view = w.viewIn(r, &fresh)
	}
	fresh.at = w.whereabouts(&fresh)
	return &fresh
}

// figures turns a witness into pods of the namespaces that it asks for; one that asks for none is worth one pod, in a
// namespace that nothing names, since that shows what a selector over all namespaces does.
func (w *World) figures(wit witness) []*Endpoint {
	f := wit.figure()
	var out []*Endpoint
	add := func(r *room) {
		if r.named() && fits(r.own, f.of) {
			out = append(out, w.cast(r, w.pod(f, r.own), true))
		}
	}
	if f.space != "" {
		add(w.room(f.space))
	} else if wit.asksNamespace() {
		for _, name := range w.roomNames() {
			add(w.room(name))
		}
	}
	if own := f.invented(); !w.room(f.space).object {
		r := w.room(own.name)
		out = append(out, w.cast(r, w.pod(f, own), r.named()))
	}
	return out
}

// asksNamespace reports whether a witness says anything of the pod's namespace.
func (wit witness) asksNamespace() bool {
	for key := range wit {
		if key == labelNamespace || strings.HasPrefix(key, prefixNamespace) {
			return true
		}
	}
	return false
}

// implyWide finds the workloads that cluster-wide clauses imply, by namespace.
func (w *World) implyWide() map[string][]*Endpoint {
	out := map[string][]*Endpoint{}
	found := newLookup(nil)
	for _, r := range w.rooms.all() {
		for _, e := range r.given {
			found.add(e)
		}
	}
	clauses := map[string]*clause{}
	for text, c := range w.clauses.all() {
		clauses[text] = c.clause
	}
	for _, text := range sortedKeys(clauses) {
		if found.example(clauses[text]) {
			continue
		}
		for _, wit := range clauses[text].witnesses() {
			for _, e := range w.figures(wit) {
				if !hasLike(w.room(e.Namespace).given, e) && !hasLike(out[e.Namespace], e) {
					out[e.Namespace] = append(out[e.Namespace], e)
					found.add(e)
				}
			}
		}
	}
	return out
}

// hasLike reports whether there is a workload with the same labels.
func hasLike(endpoints []*Endpoint, e *Endpoint) bool {
	return slices.ContainsFunc(endpoints, func(f *Endpoint) bool { return maps.Equal(e.labels, f.labels) })
}

// complete adds to a room the workloads that are implied, and sorts all.
func (w *World) complete(r *room) {
	r.endpoints, r.numbers = slices.Clone(r.given), nil
	if w.config.Implied {
		r.endpoints = append(r.endpoints, w.implied[r.name]...)
		for _, p := range r.policies {
			w.implyOwn(r, p)
		}
	}
	slices.SortFunc(r.endpoints, compareEndpoints)
}

// implyOwn adds what a policy's clauses about its own namespace imply.
func (w *World) implyOwn(r *room, p *policy) {
	if p.broken != nil {
		return
	}
	for _, c := range p.clauses() {
		if c.namespace == "" || slices.ContainsFunc(r.endpoints, func(e *Endpoint) bool { return !e.host && c.eval(e.view) == yes }) {
			continue
		}
		for _, wit := range c.witnesses() {
			for _, e := range w.figures(wit) {
				if !hasLike(r.endpoints, e) {
					r.endpoints = append(r.endpoints, e)
				}
			}
		}
	}
}
