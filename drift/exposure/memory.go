package exposure

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
)

// remembered is how many answers are kept; when there are more, all are forgotten.
const remembered = 4096

// memory keeps answers by what they follow from.
type memory struct {
	mu      sync.Mutex
	answers map[string]answer
	known   map[string]reach.NamespaceTerms // by template of a tenant
}

// answer is what was found about the differences of one scene.
type answer struct {
	namespace string // of the scene that it was found for
	together  drift.Exposure
	each      []drift.Exposure
}

func newMemory() memory {
	return memory{answers: map[string]answer{}, known: map[string]reach.NamespaceTerms{}}
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

func (m *memory) terms(template string) (reach.NamespaceTerms, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.known[template]
	return t, ok
}

func (m *memory) putTerms(template string, t reach.NamespaceTerms) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known) >= remembered {
		clear(m.known)
	}
	m.known[template] = t
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
	for _, o := range c.scene.Fixed {
		writeContent(h, o.Object)
	}
	for _, d := range c.differences {
		name := d.ID.Name
		if isNamespace(d.ID) {
			name = "" // the scene's own
		}
		part(string(d.Type) + d.ID.Kind.String() + name)
		if d.Got != nil && !isNamespace(d.ID) {
			writeContent(h, d.Got.Object)
		}
	}
	return string(h.Sum(nil))
}

// writeContent hashes what of a live object policies depend on.
func writeContent(w io.Writer, content map[string]any) {
	meta, _ := content["metadata"].(map[string]any)
	raw, err := json.Marshal([]any{content["apiVersion"], content["kind"], meta["name"], ownLabels(meta), content["spec"]})
	if err != nil {
		raw = fmt.Appendf(nil, "%p", content)
	}
	fmt.Fprintf(w, "%d:%s", len(raw), raw)
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
