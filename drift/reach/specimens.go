package reach

import (
	"maps"
	"slices"
)

// Specimens returns label sets of pods that the selectors of all policies tell apart: for each selector one that it
// selects and one that it does not; with pairs, also of each two of these one that has the labels of both, unless they
// contradict each other. There are at most limit, the single ones first; none is empty. What only the pod's namespace decides
// is left out.
//
// Implied workloads show what a world does; pods like these show what a change of one of its policies would do, be it that
// the policy is what isolates them or that another one does.
func (w *World) Specimens(limit int, pairs bool) []map[string]string {
	var single []map[string]string
	seen := map[string]bool{}
	for _, c := range w.everyClause() {
		for _, want := range []bool{true, false} {
			for _, wit := range c.expr.ways(want) {
				labels := wit.figure().labels
				if name := impliedName(labels); len(labels) > 0 && !seen[name] {
					seen[name] = true
					single = append(single, labels)
				}
			}
		}
	}
	out := slices.Clone(single)
	if !pairs {
		return out[:min(len(out), limit)]
	}
	for i, a := range single {
		for _, b := range single[i+1:] {
			if len(out) >= limit {
				return out[:limit]
			}
			if labels, ok := joinLabels(a, b); ok && !seen[impliedName(labels)] {
				seen[impliedName(labels)] = true
				out = append(out, labels)
			}
		}
	}
	return out[:min(len(out), limit)]
}

// everyClause returns the clauses of all policies, sorted by their text, each text once.
func (w *World) everyClause() []*clause {
	byText := map[string]*clause{}
	for _, r := range w.rooms.all() {
		for _, p := range r.policies {
			if p.broken != nil {
				continue
			}
			for _, c := range p.clauses() {
				byText[c.text] = c
			}
		}
	}
	out := make([]*clause, 0, len(byText))
	for _, text := range sortedKeys(byText) {
		out = append(out, byText[text])
	}
	return out
}

func joinLabels(a, b map[string]string) (map[string]string, bool) {
	out := maps.Clone(a)
	for key, value := range b {
		if was, ok := out[key]; ok && was != value {
			return nil, false
		}
		out[key] = value
	}
	return out, true
}
