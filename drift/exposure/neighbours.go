package exposure

import (
	"crypto/sha256"
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
	terms, err := j.terms(c, "tenant"+c.scene.Network.CalicoVersion+template, func() []reach.Object { return objectsOf(wanted) })
	if err != nil {
		return false, err
	}
	for key := range keys {
		if terms.Sees(key) {
			return true, nil
		}
	}
	return false, nil
}
