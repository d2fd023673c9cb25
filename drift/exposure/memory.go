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
	mu      sync.Mutex
	answers map[string]answer
	asked   map[string]reach.NamespaceTerms // by policies
	classed map[string][]class              // of the namespaces, by policies
	of      *drift.Namespaces
}

// answer is what was found about the differences of one scene.
type answer struct {
	namespace string // of the scene that it was found for
	together  drift.Exposure
	each      []drift.Exposure
}

func newMemory() memory {
	return memory{answers: map[string]answer{}, asked: map[string]reach.NamespaceTerms{}}
}

func (m *memory) get(key string) (answer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.answers[key]
	return a, ok
}

func (m *memory) put(key string, a answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.answers) >= remembered {
		clear(m.answers)
	}
	m.answers[key] = a
}

func (m *memory) terms(policies string) (reach.NamespaceTerms, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.asked[policies]
	return t, ok
}

func (m *memory) putTerms(policies string, t reach.NamespaceTerms) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.asked) >= remembered {
		clear(m.asked)
	}
	m.asked[policies] = t
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

// digest stands for the content of a live object.
type digest [sha256.Size]byte

// digests finds those of the suit's live objects.
func (c *suit) digests() {
	for _, o := range c.scene.Fixed {
		c.fixed = append(c.fixed, digestOf(o.Object))
	}
	for _, d := range c.differences {
		var of digest
		if d.Got != nil && !isNamespace(d.ID) {
			of = digestOf(d.Got.Object)
		}
		c.got = append(c.got, of)
	}
}

// digestOf hashes what of a live object policies depend on.
func digestOf(content map[string]any) digest {
	meta, _ := content["metadata"].(map[string]any)
	raw, err := json.Marshal([]any{content["apiVersion"], content["kind"], meta["name"], ownLabels(meta), content["spec"]})
	if err != nil {
		raw = fmt.Appendf(nil, "%p", content)
	}
	return sha256.Sum256(raw)
}

// key returns a text that is equal for questions with the same answer, but for the name of the scene's namespace.
func (c *suit) key() string {
	h := sha256.New()
	part := func(text string) { fmt.Fprintf(h, "%d:%s", len(text), text) }
	n := c.scene.Network
	part(fmt.Sprint(n.PodCIDRs, n.NodeCIDRs, n.CalicoVersion, c.scene.Namespace == ""))
	for _, text := range c.context {
		part(text)
	}
	for _, w := range c.scene.Workloads {
		part(fmt.Sprint(w.Namespace == c.scene.Namespace, w.Namespace, w.Name, w.Labels, w.ServiceAccount))
	}
	for _, d := range c.fixed {
		part(string(d[:]))
	}
	for i, d := range c.differences {
		name := d.ID.Name
		if isNamespace(d.ID) {
			name = "" // the scene's own
		}
		part(string(d.Type) + d.ID.Kind.String() + name)
		part(string(c.got[i][:]))
	}
	return string(h.Sum(nil))
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
