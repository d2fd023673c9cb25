package exposure

import (
	"maps"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/drift/reach"
)

const (
	// anyOther is the name of the namespace that stands for those which nothing
	// names, as package reach prints it.
	anyOther = "*"
	// mostExtras bounds the workloads that are looked for in every namespace.
	mostExtras = 2000
	// mostKinds bounds the kinds of pods that are looked for.
	mostKinds = 100
)

// castAll finds the workloads that the policies of both sides imply, with the labels of the namespace on either, and
// puts their like into every other namespace: a selector over all namespaces means pods anywhere.
func (c *suit) castAll() error {
	cast := []*reach.Endpoint{}
	single, kinds := map[string]map[string]string{}, map[string]map[string]string{}
	for i, own := range c.labels {
		if i > 0 && maps.Equal(own, c.labels[0]) {
			break
		}
		objects := slices.Concat(c.around, c.spaces, c.policies)
		if c.scene.Namespace != "" {
			objects = append(objects, NamespaceObject(c.scene.Namespace, own))
		}
		w, err := c.open(objects)
		if err != nil {
			return err
		}
		cast = append(cast, w.Implied()...)
		for _, labels := range w.Specimens(mostKinds, false) {
			single[nameOf(labels)] = labels
		}
		if c.pairs {
			for _, labels := range w.Specimens(mostKinds, true) {
				kinds[nameOf(labels)] = labels
			}
		}
	}
	c.cast = cast
	c.spread(single)
	c.add(c.scene.Namespace, kinds, single) // whom two selectors select: in the namespace, and in any other
	c.add(anyOther, kinds, single)
	for i, name := range c.decisive() {
		if (i+1)*len(kinds) <= mostExtras {
			c.add(name, kinds, single)
		}
	}
	return nil
}

// decisive returns the other namespaces in which it matters whom two selectors select: those in which policies of their own
// decide; and for cluster-scoped policies, which may select a pod together with one of a tenant that names the namespace, one
// of each class. Around a tenant all others open and accept everything, whatever selects them.
func (c *suit) decisive() []string {
	names := slices.Sorted(maps.Keys(c.forced))
	if c.scene.Namespace != "" {
		return names
	}
	for _, name := range c.classed {
		if !c.forced[name] {
			names = append(names, name)
		}
	}
	return names
}

// nameOf calls a kind of pods as package reach calls implied ones.
func nameOf(labels map[string]string) string {
	parts := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, key+"="+labels[key])
	}
	return strings.Join(parts, ",")
}

// spread puts a pod of each kind into every namespace that is looked at, and into one that stands for the rest.
func (c *suit) spread(kinds map[string]map[string]string) {
	c.spaces = append(c.spaces, NamespaceObject(anyOther, nil))
	names := []string{anyOther}
	if len(kinds)*len(c.spaces) <= mostExtras {
		for _, space := range c.spaces {
			meta, _ := space.Content["metadata"].(map[string]any)
			if name, _ := meta["name"].(string); name != anyOther {
				names = append(names, name)
			}
		}
		if c.scene.Namespace != "" {
			names = append(names, c.scene.Namespace)
		}
	}
	for _, namespace := range names {
		c.add(namespace, kinds, nil)
	}
}

// add puts a pod of each kind into a namespace, but for those that are there.
func (c *suit) add(namespace string, kinds, there map[string]map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		if _, is := there[name]; !is && namespace != "" {
			c.extras = append(c.extras, reach.Workload{Namespace: namespace, Name: name, Labels: kinds[name]})
		}
	}
}
