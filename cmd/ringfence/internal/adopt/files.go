package adopt

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// File is one file of an overlay.
type File struct {
	// Name is its name in the overlay's folder.
	Name string
	// Text is what is in it.
	Text string
	// Object says for people what it is of, as "NetworkPolicy web".
	Object string
	// Patch is the kind of what it patches in the base; zero for an object of its own.
	Patch kinds.Kind
	// Patched is the name of what it patches.
	Patched string
}

// objectFile writes an object by itself.
func objectFile(k kinds.Kind, o *unstructured.Unstructured, comment string, taken map[string]bool) (File, error) {
	text, err := encode(o.Object)
	if err != nil {
		return File{}, fmt.Errorf("writing %s %s: %w", k.Kind, o.GetName(), err)
	}
	return File{Name: fileName(k, o.GetName(), taken), Text: comment + text, Object: named(k, o.GetName())}, nil
}

// patchFile writes what puts an object's spec in the place of the base's.
func patchFile(k kinds.Kind, o *unstructured.Unstructured, comment string, taken map[string]bool) (File, error) {
	text, err := encode([]any{map[string]any{"op": "replace", "path": "/spec", "value": o.Object["spec"]}})
	if err != nil {
		return File{}, fmt.Errorf("writing a patch of %s %s: %w", k.Kind, o.GetName(), err)
	}
	return File{
		Name: fileName(k, "patch-"+o.GetName(), taken), Text: comment + text, Object: named(k, o.GetName()),
		Patch: k, Patched: o.GetName(),
	}, nil
}

// named names an object for people; Calico's NetworkPolicy is told from Kubernetes'.
func named(k kinds.Kind, name string) string {
	if k.Group == kinds.GroupCalico && k.Kind == kinds.NetworkPolicy.Kind {
		return "Calico NetworkPolicy " + name
	}
	return k.Kind + " " + name
}

// fileName returns the name of an object's file: its own, with something of its kind before it if another has that.
func fileName(k kinds.Kind, name string, taken map[string]bool) string {
	candidates := []string{name, strings.ToLower(k.Kind) + "-" + name}
	if k.Group == kinds.GroupCalico {
		candidates = []string{name, "calico-" + name, "calico-" + strings.ToLower(k.Kind) + "-" + name}
	}
	for n := 2; ; n++ {
		for _, candidate := range candidates {
			if file := candidate + ".yaml"; !taken[file] {
				taken[file] = true
				return file
			}
		}
		candidates = []string{fmt.Sprintf("%s-%d", candidates[len(candidates)-1], n)}
	}
}

// encode writes YAML as the base has it: the keys that say what it is about first, lists not indented.
func encode(value any) (string, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	e.CompactSeqIndent()
	node, err := nodeOf(value)
	if err != nil {
		return "", err
	}
	if err := e.Encode(node); err != nil {
		return "", fmt.Errorf("writing YAML: %w", err)
	}
	return b.String(), e.Close()
}

// before are the keys that come first, in this order; others follow by the alphabet.
func before() []string {
	return []string{
		"apiVersion", "kind", "metadata", "spec", "op", "path", "name", "labels", "annotations", "tier", "order", "action", "protocol", "podSelector", "selector",
		"types", "policyTypes", "ingress", "egress", "from", "to", "source", "destination", "ports", "port", "endPort", "cidr", "except",
		"key", "operator", "values",
	}
}

func nodeOf(value any) (*yaml.Node, error) {
	switch v := value.(type) {
	case map[string]any:
		node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if len(v) == 0 {
			node.Style = yaml.FlowStyle
		}
		for _, key := range keysOf(v) {
			child, err := nodeOf(v[key])
			if err != nil {
				return nil, err
			}
			name, err := nodeOf(key) // in quotes where it could be read as something else
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, name, child)
		}
		return node, nil
	case []any:
		node := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range v {
			child, err := nodeOf(item)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		return node, nil
	}
	node := &yaml.Node{}
	if err := node.Encode(value); err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	return node, nil
}

func keysOf(m map[string]any) []string {
	order := before()
	rank := func(key string) int {
		if i := slices.Index(order, key); i >= 0 {
			return i
		}
		return len(order)
	}
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
}
