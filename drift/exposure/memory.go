package exposure

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
)

// remembered is how many answers are kept; when there are more, all are forgotten.
const remembered = 4096

// rememberedClasses is of how many sets of policies the classes are kept; when there are more, all are forgotten. There may
// be as many classes as namespaces.
const rememberedClasses = 64

// memory keeps answers by what they follow from.
type memory struct {
	answers known[answer]
	asked   known[reach.NamespaceTerms] // by policies

	mu      sync.Mutex
	classed map[string][]class // of the namespaces, by policies
	of      *drift.Namespaces
}

// answer is what was found about the differences of one scene.
type answer struct {
	namespace string // of the scene that it was found for
	together  drift.Exposure
	each      []drift.Exposure
}

// known are values by key.
type known[V any] struct {
	mu     sync.Mutex
	values map[string]V
}

func (k *known[V]) get(key string) (V, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.values[key]
	return v, ok
}

func (k *known[V]) put(key string, v V) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.values == nil || len(k.values) >= remembered {
		k.values = map[string]V{}
	}
	k.values[key] = v
}

// classes returns what classesOf does, and remembers it until the namespaces are others.
func (m *memory) classes(policies string, all *drift.Namespaces, terms reach.NamespaceTerms) []class {
	m.mu.Lock()
	known, ok := m.classed[policies]
	ok = ok && m.of == all
	m.mu.Unlock()
	if ok {
		return known
	}
	found := classesOf(all, terms)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of != all || len(m.classed) >= rememberedClasses {
		m.of, m.classed = all, map[string][]class{}
	}
	m.classed[policies] = found
	return found
}

// policiesKey returns a text that is equal for suits with the same policies, but for the namespace that they are in: no
// policy asks about that by its name, unless it is written there. It says all that the context says until now.
func (c *suit) policiesKey() string {
	return keyOf(func(part func(string)) {
		part(fmt.Sprint(c.scene.Network.CalicoVersion, " ", len(c.context), len(c.scene.Fixed)))
		for _, text := range c.context {
			part(text)
		}
		for _, o := range c.scene.Fixed {
			part(contentOf(o.Object))
		}
		for _, d := range c.differences {
			live := ""
			if d.Got != nil && !isNamespace(d.ID) {
				live = contentOf(d.Got.Object)
			}
			part(live)
		}
	})
}

// key returns a text that is equal for questions with the same answer, but for the name of the scene's namespace.
func (c *suit) key() string {
	return keyOf(func(part func(string)) {
		n := c.scene.Network
		part(fmt.Sprint(n.PodCIDRs, n.NodeCIDRs, n.CalicoVersion, c.scene.Namespace == ""))
		for _, text := range c.context {
			part(text)
		}
		for _, w := range c.scene.Workloads {
			part(fmt.Sprint(w.Namespace == c.scene.Namespace, w.Namespace, w.Name, w.Labels, w.ServiceAccount))
		}
		for _, d := range c.differences {
			name := d.ID.Name
			if isNamespace(d.ID) {
				name = "" // the scene's own
			}
			part(string(d.Type) + d.ID.Kind.String() + name)
		}
	})
}

// keyOf hashes parts.
func keyOf(tell func(part func(string))) string {
	h := sha256.New()
	tell(func(text string) { fmt.Fprintf(h, "%d:%s", len(text), text) })
	return string(h.Sum(nil))
}

// contentOf returns what of a live object policies depend on.
func contentOf(content map[string]any) string {
	meta, _ := content["metadata"].(map[string]any)
	raw, err := json.Marshal([]any{content["apiVersion"], content["kind"], meta["name"], ownLabels(meta), content["spec"]})
	if err != nil {
		raw = fmt.Appendf(nil, "%p", content)
	}
	return string(raw)
}

// ownLabels are the labels of a live object but for the one that says its own namespace, which differs from tenant to tenant.
func ownLabels(meta map[string]any) map[string]any {
	labels, _ := meta["labels"].(map[string]any)
	if own, ok := labels[kustomize.LabelTenant]; !ok || own != meta["namespace"] {
		return labels
	}
	out := maps.Clone(labels)
	delete(out, kustomize.LabelTenant)
	return out
}

// in returns the answer for a scene that differs in the name of its namespace alone.
func (a answer) in(namespace string) answer {
	if a.namespace == namespace {
		return a
	}
	out := answer{namespace: namespace, together: moved(a.together, a.namespace, namespace)}
	for _, e := range a.each {
		out.each = append(out.each, moved(e, a.namespace, namespace))
	}
	return out
}

func moved(e drift.Exposure, from, to string) drift.Exposure {
	return drift.Exposure{Opens: rename(e.Opens, from, to), Closes: rename(e.Closes, from, to), Unsure: rename(e.Unsure, from, to)}
}

func rename(connections []reach.Connection, from, to string) []reach.Connection {
	out := slices.Clone(connections)
	for i := range out {
		for _, place := range []*reach.Place{&out[i].From, &out[i].To} {
			if place.Namespace == from {
				place.Namespace = to
			}
		}
	}
	return out
}
