package exposure

import (
	"maps"
	"slices"

	"github.com/ringfence/ringfence/drift/reach"
)

const (
	// anyOther is the name of the namespace that stands for those which nothing
	// names, as package reach prints it.
	anyOther = "*"
	// mostExtras bounds the workloads that are looked for in every namespace.
	mostExtras = 2000
)

// castAll finds the workloads that the policies of both sides imply, with the labels of the namespace on either, and
// puts their like into every other namespace: a selector over all namespaces means pods anywhere.
func (c *suit) castAll() error {
	cast := []*reach.Endpoint{}
	kinds := map[string]map[string]string{}
	for i, own := range c.labels {
		if i > 0 && maps.Equal(own, c.labels[0]) {
			break
		}
		objects := slices.Concat(c.around, c.spaces, c.policies)
		if c.scene.Namespace != "" {
			objects = append(objects, namespaceObject(c.scene.Namespace, own))
		}
		w, err := c.open(objects)
		if err != nil {
			return err
		}
		for _, e := range w.Implied() {
			cast = append(cast, e)
			if labels := e.Labels(); len(labels) > 0 {
				kinds[e.Name] = labels
			}
		}
	}
	c.cast = cast
	c.spread(kinds)
	return nil
}

// spread puts a pod of each kind into every namespace that is looked at, and into one that stands for the rest.
func (c *suit) spread(kinds map[string]map[string]string) {
	c.spaces = append(c.spaces, namespaceObject(anyOther, nil))
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
		for _, name := range slices.Sorted(maps.Keys(kinds)) {
			c.extras = append(c.extras, reach.Workload{Namespace: namespace, Name: name, Labels: kinds[name]})
		}
	}
}
