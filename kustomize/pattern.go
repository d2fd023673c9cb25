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

// Template returns what template does for the first object that is asked for; without a pattern, for each.
func (p *Pattern) Template(template func() string) string {
	if p == nil {
		return template()
	}
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

// newPattern returns the pattern of an object in templateNamespace that mixes it into no other word; nil if it has it in
// another place too. What is shared is not to be changed, so what a judge would drop is dropped now.
func newPattern(o *unstructured.Unstructured) *Pattern {
	isNamespace := func(word string, _ bool) bool { return word == templateNamespace }
	if o.GetNamespace() != templateNamespace || anyWord(placedIn(o, ""), isNamespace) {
		return nil
	}
	dropNulls(o.Object)
	return &Pattern{}
}

// placedIn returns an object of a pattern in a namespace.
func placedIn(o *unstructured.Unstructured, namespace string) map[string]any {
	out, metadata := withOwnMetadata(o)
	metadata["namespace"] = namespace
	return out
}

// withOwnMetadata returns a copy of an object that shares everything but its metadata, and that.
func withOwnMetadata(o *unstructured.Unstructured) (out, metadata map[string]any) {
	out = maps.Clone(o.Object)
	metadata, _ = out["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	out["metadata"] = metadata
	return out, metadata
}
