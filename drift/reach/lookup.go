package reach

import (
	"slices"
	"strings"
)

// lookup finds the endpoints that a cluster-wide selector may mean without asking every one: by the labels that it demands.
type lookup struct {
	endpoints []*Endpoint            // nil where there is none
	labels    map[[2]string][]int    // own label and value → places in endpoints
	spaces    map[[2]string][]string // namespace label and value → namespaces
	members   map[string][]int       // of a namespace
	unknown   map[string]bool        // namespaces whose labels are not known
	known     map[string][]inherited // the labels of namespaces that were looked at
}

func newLookup(endpoints []*Endpoint) *lookup {
	l := &lookup{
		labels: map[[2]string][]int{}, spaces: map[[2]string][]string{}, members: map[string][]int{}, unknown: map[string]bool{},
		known: map[string][]inherited{},
	}
	for _, e := range endpoints {
		l.add(e)
	}
	return l
}

func (l *lookup) add(e *Endpoint) {
	i := len(l.endpoints)
	l.endpoints = append(l.endpoints, e)
	if e == nil {
		return
	}
	for k, v := range e.labels {
		l.labels[[2]string{k, v}] = append(l.labels[[2]string{k, v}], i)
	}
	l.members[e.Namespace] = append(l.members[e.Namespace], i)
	l.addSpace(e)
}

// addSpace notes the labels of a namespace. A namespace that only selectors name has what each of its pods says.
func (l *lookup) addSpace(e *Endpoint) {
	view, ok := e.view.(*podLabels)
	if !ok {
		return
	}
	for _, seen := range l.known[e.Namespace] {
		if view.namespace.same(seen) {
			return
		}
	}
	l.known[e.Namespace] = append(l.known[e.Namespace], view.namespace)
	if !view.namespace.known {
		l.unknown[e.Namespace] = true
	}
	for k, v := range view.namespace.labels {
		if key := [2]string{k, v}; !slices.Contains(l.spaces[key], e.Namespace) {
			l.spaces[key] = append(l.spaces[key], e.Namespace)
		}
	}
}

// narrow returns places that include all for which the expression may hold, sorted.
func (l *lookup) narrow(e *expression) []int {
	var best []int
	found := false
	for _, leaf := range demands(e) {
		var list []int
		for _, value := range leaf.values {
			list = append(list, l.with(leaf.key, value)...)
		}
		if !found || len(list) < len(best) {
			best, found = list, true
		}
	}
	if found {
		return slices.Compact(slices.Sorted(slices.Values(best)))
	}
	all := make([]int, len(l.endpoints))
	for i := range all {
		all[i] = i
	}
	return all
}

// demands returns the operations of a conjunction that need one of certain values.
func demands(e *expression) []*expression {
	switch e.op {
	case opEqual, opIn:
		if e.key == labelOrchestrator || e.key == labelServiceAccount || strings.HasPrefix(e.key, prefixAccount) {
			return nil
		}
		return []*expression{e}
	case opAnd:
		var out []*expression
		for _, part := range e.parts {
			out = append(out, demands(part)...)
		}
		return out
	}
	return nil
}

func (l *lookup) with(key, value string) []int {
	if key == labelNamespace {
		return l.members[value]
	}
	name, ok := strings.CutPrefix(key, prefixNamespace)
	if !ok {
		return l.labels[[2]string{key, value}]
	}
	if name == keyName || name == keyMetadataName {
		return l.members[value]
	}
	var out []int
	for _, namespace := range l.spaces[[2]string{name, value}] {
		out = append(out, l.members[namespace]...)
	}
	for namespace := range l.unknown {
		out = append(out, l.members[namespace]...)
	}
	return out
}

// example reports whether a clause surely means one of the endpoints.
func (l *lookup) example(c *clause) bool {
	return slices.ContainsFunc(l.narrow(c.expr), func(i int) bool {
		e := l.endpoints[i]
		return e != nil && !e.host && c.eval(e.view) == yes
	})
}
