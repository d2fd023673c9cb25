package reach

import (
	"slices"
	"strings"
)

// candidates finds the endpoints that clauses select without asking every endpoint: by namespace, by label.
type candidates struct {
	w       *World
	labels  map[[2]string][]int    // own label, value → endpoints
	spaces  map[[2]string][]string // namespace label, value → namespaces
	unknown []string               // namespaces whose labels are not known
	ports   map[string][]int       // name of a container port → endpoints
	noPorts []int                  // endpoints whose container ports are not known
	memo    map[string][]int       // by text of cluster-wide clauses
}

func newCandidates(w *World) *candidates {
	c := &candidates{
		w: w, labels: map[[2]string][]int{}, spaces: map[[2]string][]string{}, ports: map[string][]int{}, memo: map[string][]int{},
	}
	for i, e := range w.endpoints {
		for k, v := range e.labels {
			c.labels[[2]string{k, v}] = append(c.labels[[2]string{k, v}], i)
		}
		for _, port := range e.namedPorts {
			if list := c.ports[port.name]; len(list) == 0 || list[len(list)-1] != i {
				c.ports[port.name] = append(list, i)
			}
		}
		if !e.portsKnown {
			c.noPorts = append(c.noPorts, i)
		}
	}
	for name := range w.byNamespace {
		ns := w.inheritedOf(name)
		if !ns.known {
			c.unknown = append(c.unknown, name)
		}
		for k, v := range ns.labels {
			c.spaces[[2]string{k, v}] = append(c.spaces[[2]string{k, v}], name)
		}
	}
	slices.Sort(c.unknown)
	return c
}

// of returns the endpoints that a clause may select, in no order.
func (c *candidates) of(cl *clause) []int {
	if cl.namespace != "" {
		return c.matching(cl, c.w.byNamespace[cl.namespace])
	}
	if found, ok := c.memo[cl.text]; ok {
		return found
	}
	found := c.matching(cl, c.narrow(cl.expr))
	c.memo[cl.text] = found
	return found
}

func (c *candidates) matching(cl *clause, among []int) []int {
	var out []int
	for _, i := range among {
		if e := c.w.endpoints[i]; !e.host && cl.eval(e.view) != no {
			out = append(out, i)
		}
	}
	return out
}

// narrow returns endpoints that include all for which the expression may hold: those with a label that it demands.
func (c *candidates) narrow(e *expression) []int {
	best, found := []int(nil), false
	for _, leaf := range demands(e) {
		var list []int
		for _, value := range leaf.values {
			list = append(list, c.with(leaf.key, value)...)
		}
		if !found || len(list) < len(best) {
			best, found = list, true
		}
	}
	if found {
		return slices.Compact(slices.Sorted(slices.Values(best)))
	}
	all := make([]int, len(c.w.endpoints))
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

func (c *candidates) with(key, value string) []int {
	if key == labelNamespace {
		return c.w.byNamespace[value]
	}
	name, ok := strings.CutPrefix(key, prefixNamespace)
	if !ok {
		return c.labels[[2]string{key, value}]
	}
	if name == keyName || name == keyMetadataName {
		return c.w.byNamespace[value]
	}
	var out []int
	for _, namespace := range c.spaces[[2]string{name, value}] {
		out = append(out, c.w.byNamespace[namespace]...)
	}
	for _, namespace := range c.unknown {
		out = append(out, c.w.byNamespace[namespace]...)
	}
	return out
}

// peersOf returns the endpoints that a program may treat otherwise than an address that is no pod's, sorted.
func (c *candidates) peersOf(pr *program) []int {
	var out []int
	for _, s := range pr.stages {
		for _, a := range s.applied {
			for _, r := range a.policy.rules[pr.dir] {
				for _, cl := range []*clause{r.peer.pos, r.peer.neg} {
					if cl != nil {
						out = append(out, c.of(cl)...)
					}
				}
				if names := slices.Concat(r.ports.named, r.ports.notNamed); pr.dir == Egress && len(names) > 0 {
					out = append(out, c.noPorts...)
					for _, name := range names {
						out = append(out, c.ports[name]...)
					}
				}
				if s := r.peer.service; s != nil {
					out = append(out, c.w.byNamespace[s.namespace]...)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
