package kustomize

import (
	"maps"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Pattern is what objects were cut from that are equal but for the namespace that they are in: in metadata.namespace, in
// Ringfence's own labels, and nowhere else. They share everything but their metadata.
type Pattern struct {
	sound    atomic.Bool // form and content of one were judged, and are right
	once     sync.Once
	template string
}

// Template returns what template does for the first object that is asked for.
func (p *Pattern) Template(template func() string) string {
	p.once.Do(func() { p.template = template() })
	return p.template
}

// isSound says whether form and content need not be judged again.
func (p *Pattern) isSound() bool { return p != nil && p.sound.Load() }

// judged notes that form and content are right.
func (p *Pattern) judged() {
	if p != nil {
		p.sound.Store(true)
	}
}

// newPattern returns the pattern of an object in templateNamespace; nil if it has the namespace in another place. What is
// shared is not to be changed, so what a judge would drop is dropped now.
func newPattern(o *unstructured.Unstructured) *Pattern {
	if o.GetNamespace() != templateNamespace {
		return nil
	}
	if mentions(placedIn(o, "")) {
		return nil
	}
	dropNulls(o.Object)
	return &Pattern{}
}

// placedIn returns an object of a pattern in a namespace.
func placedIn(o *unstructured.Unstructured, namespace string) map[string]any {
	out := maps.Clone(o.Object)
	metadata, _ := out["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	metadata["namespace"] = namespace
	out["metadata"] = metadata
	return out
}

// mentions says whether a value has the template's namespace in it.
func mentions(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		for key, item := range v {
			if key == templateNamespace || mentions(item) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if mentions(item) {
				return true
			}
		}
	case string:
		return v == templateNamespace
	}
	return false
}
