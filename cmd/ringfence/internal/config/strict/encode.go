package strict

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Tree returns the values of the structs that the pointers point to as one YAML mapping,
// in the order of their fields. only, if not nil, says which keys (of values,
// not of sections) to take; sections without any are left out then.
func Tree(only func(key string) bool, pointers ...any) *yaml.Node {
	return tree("", sections(pointers), only)
}

func tree(path string, parts []reflect.Value, only func(string) bool) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, name := range names(parts) {
		key := join(path, name)
		found := lookup(parts, name)
		var value *yaml.Node
		switch {
		case isSection(found[0].Type()):
			if value = tree(key, values(found), only); only != nil && len(value.Content) == 0 {
				continue
			}
		case only != nil && !only(key):
			continue
		default:
			value = leaf(found[0].Value)
		}
		node.Content = append(node.Content, str(name), value)
	}
	return node
}

func leaf(v reflect.Value) *yaml.Node {
	if text, ok := v.Interface().(encoding.TextMarshaler); ok {
		b, err := text.MarshalText()
		if err != nil {
			panic(fmt.Sprintf("strict: writing a %s: %v", v.Type(), err))
		}
		return str(string(b))
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return str(d.String())
	}
	switch v.Kind() {
	case reflect.Struct:
		return tree("", []reflect.Value{v}, nil)
	case reflect.Slice:
		node := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for i := range v.Len() {
			node.Content = append(node.Content, leaf(v.Index(i)))
		}
		if v.Len() == 0 {
			node.Style = yaml.FlowStyle
		}
		return node
	case reflect.Map:
		return table(v)
	case reflect.String:
		return str(v.String())
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v.Bool())}
	case reflect.Int, reflect.Int64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(v.Int(), 10)}
	case reflect.Float64:
		return float64Node(v.Float())
	}
	panic(fmt.Sprintf("strict: no rule for fields of type %s", v.Type()))
}

func table(v reflect.Value) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		switch {
		case a.String() < b.String():
			return -1
		case a.String() > b.String():
			return 1
		}
		return 0
	})
	for _, k := range keys {
		node.Content = append(node.Content, str(k.String()), leaf(v.MapIndex(k)))
	}
	if len(keys) == 0 {
		node.Style = yaml.FlowStyle
	}
	return node
}

func str(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

func float64Node(v float64) *yaml.Node {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	tag := "!!float"
	if decimal.MatchString(text) {
		tag = "!!int"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}
}

// Comment puts a comment at a dotted key of the tree, if it is there.
func Comment(tree *yaml.Node, key, comment string) {
	name, rest, deeper := strings.Cut(key, ".")
	for i := 0; i+1 < len(tree.Content); i += 2 {
		keyNode, value := tree.Content[i], tree.Content[i+1]
		switch {
		case keyNode.Value != name:
		case deeper:
			Comment(value, rest, comment)
		case value.Kind == yaml.ScalarNode || len(value.Content) == 0:
			value.LineComment = comment
		default:
			keyNode.LineComment = comment
		}
	}
}

// WriteYAML writes the trees as YAML documents, separated by "---".
func WriteYAML(w io.Writer, trees ...*yaml.Node) error {
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	for _, t := range trees {
		if err := encoder.Encode(t); err != nil {
			return fmt.Errorf("writing YAML: %w", err)
		}
	}
	return encoder.Close()
}

// MarshalJSON returns a tree as JSON, its keys in the tree's order.
func MarshalJSON(tree *yaml.Node) ([]byte, error) {
	return appendJSON(nil, tree)
}

func appendJSON(b []byte, node *yaml.Node) ([]byte, error) {
	var err error
	switch node.Kind {
	case yaml.MappingNode:
		b = append(b, '{')
		for i := 0; i+1 < len(node.Content); i += 2 {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendJSON(b, node.Content[i]); err != nil {
				return nil, err
			}
			if b, err = appendJSON(append(b, ':'), node.Content[i+1]); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case yaml.SequenceNode:
		b = append(b, '[')
		for i, item := range node.Content {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendJSON(b, item); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	if node.Tag != "!!str" {
		return append(b, node.Value...), nil
	}
	return appendString(b, node.Value)
}

// appendString quotes a text without hiding the characters that only HTML minds.
func appendString(b []byte, text string) ([]byte, error) {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(text)
	return append(b, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...), err
}
