package reach

import (
	"slices"
	"strings"
)

// NamespaceTerms are what the policies of a world ask about namespaces: the pods of two namespaces with the same answer are
// treated alike, whatever else the namespaces differ in. The zero value asks nothing.
type NamespaceTerms struct {
	keys  []string      // label keys, sorted, without Calico's prefix
	names []string      // sorted
	parts []*expression // questions about a part of the name
}

// NamespaceTerms returns what the selectors of all policies ask about namespaces.
func (w *World) NamespaceTerms() NamespaceTerms {
	var t NamespaceTerms
	for _, r := range w.rooms.all() {
		for _, p := range r.policies {
			for _, c := range p.clauses() {
				t.add(c.expr)
			}
		}
	}
	slices.Sort(t.keys)
	slices.Sort(t.names)
	t.keys, t.names = slices.Compact(t.keys), slices.Compact(t.names)
	slices.SortFunc(t.parts, func(a, b *expression) int { return strings.Compare(a.String(), b.String()) })
	t.parts = slices.CompactFunc(t.parts, func(a, b *expression) bool { return a.String() == b.String() })
	return t
}

func (t *NamespaceTerms) add(e *expression) {
	for _, part := range e.parts {
		t.add(part)
	}
	key, isLabel := strings.CutPrefix(e.key, prefixNamespace)
	isName := e.key == labelNamespace || isLabel && (key == keyName || key == keyMetadataName)
	switch {
	case isName && (e.op == opContains || e.op == opStartsWith || e.op == opEndsWith):
		t.parts = append(t.parts, e)
	case isName:
		t.names = append(t.names, e.values...)
	case isLabel:
		t.keys = append(t.keys, key)
	}
}

// Sees reports whether a selector looks at the namespaces' label of that key.
func (t NamespaceTerms) Sees(key string) bool {
	_, found := slices.BinarySearch(t.keys, key)
	return found
}

// Keys returns the keys of the namespaces' labels that selectors look at, sorted.
func (t NamespaceTerms) Keys() []string { return slices.Clone(t.keys) }

// Answer returns what the selectors learn of a namespace, in a form without meaning; "" for one of which they learn
// nothing that they ask for.
func (t NamespaceTerms) Answer(name string, labels map[string]string) string {
	var b strings.Builder
	if _, asked := slices.BinarySearch(t.names, name); asked {
		b.WriteString(name + "\x00")
	}
	for _, part := range t.parts {
		if part.holds(name, true) {
			b.WriteString(part.String() + "\x00")
		}
	}
	for _, key := range t.keys {
		if value, ok := labels[key]; ok {
			b.WriteString(key + "=" + value + "\x00")
		}
	}
	return b.String()
}
