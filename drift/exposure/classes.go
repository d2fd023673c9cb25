package exposure

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
)

// examples is how many namespaces stand for all that no selector tells apart.
const examples = 8

// class is the namespaces that no selector tells apart.
type class struct {
	asked string   // what the selectors learn of them; never ""
	names []string // sorted
}

// classes picks the namespaces that count: of those that no selector tells apart, a few stand for all; those that no
// selector asks for are stood for by the pod of a namespace that nothing names. The key of the policies tells them apart.
func (c *suit) classes(j *Judge, policies string) error {
	if c.scene.Namespaces == nil {
		return nil
	}
	terms, err := j.terms(c, policies, func() []reach.Object { return slices.Concat(c.around, c.policies) })
	if err != nil {
		return err
	}
	for _, class := range c.counting(terms, j.memory.classes(policies, c.scene.Namespaces, terms)) {
		names := class.names[:min(len(class.names), examples)]
		for _, name := range names {
			labels, _ := c.scene.Namespaces.Labels(name)
			c.spaces = append(c.spaces, NamespaceObject(name, labels))
		}
		c.classed = append(c.classed, names[0])
		if c.context = append(c.context, class.asked, fmt.Sprint(len(names))); len(class.names) > examples {
			for _, name := range names {
				c.exemplary[name] = true
			}
			if c.pairs {
				continue // it does not matter which ones they are
			}
		}
		c.context = append(c.context, names...)
	}
	for _, labels := range c.labels {
		c.context = append(c.context, terms.Answer(c.scene.Namespace, labels))
	}
	return nil
}

// terms returns what policies ask about namespaces; key tells apart what can be asked.
func (j *Judge) terms(c *suit, key string, policies func() []reach.Object) (reach.NamespaceTerms, error) {
	if terms, ok := j.memory.asked.get(key); ok {
		return terms, nil
	}
	w, err := reach.New(reach.Config{Objects: policies(), CalicoVersion: c.scene.Network.CalicoVersion})
	if err != nil {
		return reach.NamespaceTerms{}, err
	}
	terms := w.NamespaceTerms()
	j.memory.asked.put(key, terms)
	return terms, nil
}

// classesOf returns the classes of all namespaces that some selector asks for, sorted by what it learns.
func classesOf(all *drift.Namespaces, terms reach.NamespaceTerms) []class {
	byAnswer := map[string]*class{}
	for name, labels := range all.All() {
		asked := terms.Answer(name, labels)
		if asked == "" {
			continue
		}
		if byAnswer[asked] == nil {
			byAnswer[asked] = &class{asked: asked}
		}
		byAnswer[asked].names = append(byAnswer[asked].names, name)
	}
	out := make([]class, 0, len(byAnswer))
	for _, asked := range slices.Sorted(maps.Keys(byAnswer)) {
		out = append(out, *byAnswer[asked])
	}
	return out
}

// counting returns the classes without the scene's own namespace and those for which another stands; those that must count
// are each a class of their own. None is empty, and all are sorted by what is asked.
func (c *suit) counting(terms reach.NamespaceTerms, all []class) []class {
	out := make([]class, 0, len(all)+len(c.forced))
	for _, class := range all {
		if names := c.others(class.names); len(names) > 0 {
			class.names = names
			out = append(out, class)
		}
	}
	for name := range c.forced {
		labels, there := c.scene.Namespaces.Labels(name)
		if there && name != c.scene.Namespace && !c.unasked[name] {
			out = append(out, class{name + "\x00" + terms.Answer(name, labels), []string{name}})
		}
	}
	if len(c.forced) > 0 {
		slices.SortFunc(out, func(a, b class) int { return strings.Compare(a.asked, b.asked) })
	}
	return out
}

// others returns those of the names of a class that are nobody's in particular, in a slice that must not be changed.
func (c *suit) others(names []string) []string {
	if len(c.forced) == 0 && len(c.unasked) == 0 {
		own, found := slices.BinarySearch(names, c.scene.Namespace)
		if !found || own > examples { // there are more than are looked at, and it is none of these
			return names
		}
		return slices.Concat(names[:own], names[own+1:])
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return name == c.scene.Namespace || c.forced[name] || c.unasked[name]
	})
}
