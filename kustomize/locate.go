package kustomize

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fieldPath is the way from a document's root to a field: keys (string) and indices
// (int).
type fieldPath []any

// at returns the path with more steps. The receiver is not changed.
func (p fieldPath) at(steps ...any) fieldPath {
	return append(p[:len(p):len(p)], steps...)
}

// String returns the path in the form spec.ingress[0].from.
func (p fieldPath) String() string {
	var b strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			if strings.ContainsAny(step, ".[]/ ") {
				b.WriteString("[" + strconv.Quote(step) + "]")
				continue
			}
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}

// locate returns the node that shows where the field at path is: the key in a mapping, the
// item in a list. depth is how many steps of the path were found.
func locate(root *yaml.Node, path fieldPath) (n *yaml.Node, depth int) {
	where, value := root, root
	for i, step := range path {
		key, child := child(value, step)
		if child == nil {
			return where, i
		}
		where, value = key, child
	}
	return where, len(path)
}

// child returns the node of a key (or item) and its value; nil if there is none.
func child(n *yaml.Node, step any) (key, value *yaml.Node) {
	n = resolve(n)
	switch step := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return n.Content[step], n.Content[step]
		}
	case string:
		if n.Kind != yaml.MappingNode {
			return nil, nil
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i], n.Content[i+1]
			}
		}
	}
	return nil, nil
}

// resolve follows aliases, which parseSource has found to be free of cycles.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// text returns the scalar at path, or "".
func text(root *yaml.Node, path ...any) string {
	n := root
	for _, step := range path {
		if _, n = child(n, step); n == nil {
			return ""
		}
	}
	if n = resolve(n); n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return n.Value
	}
	return ""
}

// manifest is one object as it is written in a file.
type manifest struct {
	file             string
	node             *yaml.Node
	apiVersion, kind string
	name, namespace  string
}

// manifests returns the objects of a file, the items of lists one by one. Each node that
// is no object is given to misfit.
func (s *source) manifests(misfit func(*yaml.Node)) (ms []manifest) {
	for _, doc := range s.docs {
		ms = appendManifests(ms, s.name, doc, misfit)
	}
	return ms
}

func appendManifests(ms []manifest, file string, n *yaml.Node, misfit func(*yaml.Node)) []manifest {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		misfit(n)
		return ms
	}
	kind := text(n, "kind")
	if key, items := child(n, "items"); items != nil && strings.HasSuffix(kind, "List") {
		if items = resolve(items); items.Kind != yaml.SequenceNode {
			misfit(key)
		}
		for _, item := range items.Content {
			ms = appendManifests(ms, file, item, misfit)
		}
		return ms
	}
	return append(ms, manifest{
		file: file, node: n, apiVersion: text(n, "apiVersion"), kind: kind,
		name: text(n, "metadata", "name"), namespace: text(n, "metadata", "namespace"),
	})
}
