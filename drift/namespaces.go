package drift

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// Namespaces are the namespaces of a cluster at one moment, with their labels. It is immutable and safe for concurrent
// use; a nil one is of a cluster of which nothing is known.
type Namespaces struct{ sorted []named }

// named is what selectors see of a Namespace. It must not be changed.
type named struct {
	name   string
	labels map[string]string
}

// NewNamespaces returns namespaces by name.
func NewNamespaces(labels map[string]map[string]string) *Namespaces {
	n := &Namespaces{sorted: make([]named, 0, len(labels))}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		n.sorted = append(n.sorted, named{name, labels[name]})
	}
	return n
}

// All yields every namespace with its labels, sorted by name.
func (n *Namespaces) All() iter.Seq2[string, map[string]string] {
	return func(yield func(string, map[string]string) bool) {
		if n == nil {
			return
		}
		for _, one := range n.sorted {
			if !yield(one.name, one.labels) {
				return
			}
		}
	}
}

// Labels returns the labels of a namespace, and whether it is there.
func (n *Namespaces) Labels(name string) (map[string]string, bool) {
	if n == nil {
		return nil, false
	}
	i, found := n.find(name)
	if !found {
		return nil, false
	}
	return n.sorted[i].labels, true
}

// With returns the namespaces and one more, or one with other labels.
func (n *Namespaces) With(name string, labels map[string]string) *Namespaces {
	return n.replaced(name, named{name, labels})
}

// Without returns the namespaces but one.
func (n *Namespaces) Without(name string) *Namespaces { return n.replaced(name) }

func (n *Namespaces) replaced(name string, now ...named) *Namespaces {
	if n == nil {
		n = &Namespaces{}
	}
	i, known := n.find(name)
	end := i
	if known {
		end++
	}
	return &Namespaces{sorted: slices.Concat(n.sorted[:i], now, n.sorted[end:])}
}

func (n *Namespaces) find(name string) (int, bool) {
	return slices.BinarySearchFunc(n.sorted, name, func(one named, name string) int { return strings.Compare(one.name, name) })
}
