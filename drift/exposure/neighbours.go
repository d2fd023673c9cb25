package exposure

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
)

const (
	// twins is how many tenants stand for all whose policies are equal but for the namespace.
	twins = 2
	// templates is how many kinds of tenants are looked at; the correction of a
	// difference waits for its judgement.
	templates = 200
	// examples is how many namespaces stand for all that no selector tells apart.
	examples = 8
)

// neighbours adds the policies of other tenants where these decide: about cluster-scoped differences those of all, about
// the labels of a Namespace those of the tenants that select by them.
func (c *suit) neighbours(j *Judge) error {
	keys := map[string]bool{}
	for _, d := range c.differences {
		for _, f := range d.Fields {
			if at := f.Steps(); isNamespace(d.ID) && len(at) == 3 && at[1] == "labels" {
				keys[at[2]] = true
			}
		}
	}
	if len(keys) == 0 && c.scene.Namespace != "" || c.scene.Tenants == nil {
		return nil
	}
	seen := map[string]int{}
	for name, wanted := range c.scene.Tenants {
		if name == "" || name == c.scene.Namespace {
			continue
		}
		template := templateOf(wanted)
		if seen[template] >= twins {
			c.unasked[name] = c.scene.Namespace == ""
			continue
		}
		if seen[template] == 0 && len(seen) >= templates {
			c.partial, c.unasked[name] = true, c.scene.Namespace == ""
			continue
		}
		if c.scene.Namespace != "" {
			looks, err := j.looksAt(c, template, wanted, keys)
			if err != nil {
				return err
			}
			if !looks {
				continue
			}
		}
		seen[template]++
		c.around = append(c.around, objectsOf(wanted)...)
		c.forced[name] = true
		c.context = append(c.context, name, template)
	}
	return nil
}

// templateOf returns a text that is equal for tenants whose policies are equal but for the namespace.
func templateOf(wanted []*drift.Wanted) string {
	parts := make([]string, 0, len(wanted))
	for _, w := range wanted {
		if !isNamespace(w.ID) {
			parts = append(parts, w.Template())
		}
	}
	slices.Sort(parts)
	sum := sha256.Sum256([]byte(strings.Join(parts, "")))
	return string(sum[:])
}

// looksAt reports whether a tenant's policies select namespaces by one of the keys.
func (j *Judge) looksAt(c *suit, template string, wanted []*drift.Wanted, keys map[string]bool) (bool, error) {
	terms, ok := j.memory.terms(template)
	if !ok {
		var err error
		if terms, err = c.terms(objectsOf(wanted)); err != nil {
			return false, err
		}
		j.memory.putTerms(template, terms)
	}
	for key := range keys {
		if terms.Sees(key) {
			return true, nil
		}
	}
	return false, nil
}

func (c *suit) terms(objects []reach.Object) (reach.NamespaceTerms, error) {
	w, err := reach.New(reach.Config{Objects: objects, CalicoVersion: c.scene.Network.CalicoVersion})
	if err != nil {
		return reach.NamespaceTerms{}, err
	}
	return w.NamespaceTerms(), nil
}

// classes picks the namespaces that count: of those that no selector tells apart, a few stand for all; those that no
// selector asks for are stood for by the pod of a namespace that nothing names.
func (c *suit) classes() error {
	if c.scene.Namespaces == nil {
		return nil
	}
	terms, err := c.terms(slices.Concat(c.around, c.policies))
	if err != nil {
		return err
	}
	count, shown := map[string]int{}, map[string][]string{}
	for name, labels := range c.scene.Namespaces {
		if name == c.scene.Namespace || c.unasked[name] {
			continue
		}
		asked := terms.Answer(name, labels)
		if c.forced[name] {
			asked = name + "\x00" + asked
		}
		if asked == "" {
			continue
		}
		if count[asked]++; count[asked] > examples {
			continue
		}
		shown[asked] = append(shown[asked], name)
		c.spaces = append(c.spaces, NamespaceObject(name, labels))
	}
	for _, asked := range slices.Sorted(maps.Keys(shown)) {
		names := shown[asked]
		c.classed = append(c.classed, names[0])
		if c.context = append(c.context, asked, fmt.Sprint(len(names))); count[asked] > examples {
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
