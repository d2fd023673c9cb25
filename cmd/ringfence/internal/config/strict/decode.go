package strict

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Options are what Decode needs beside the file.
type Options struct {
	// Formats are the checks that format and keys tags name. A check gets the text
	// of a value and returns nil, or an error, best an *Invalid.
	Formats map[string]func(text string) error
	// Elsewhere, if set, is asked for a hint on an unknown key, such as in which other
	// file it belongs; "" means that it knows none.
	Elsewhere func(key string) string
}

// Decode reads the one YAML document in data into the structs that the targets
// point to, on top of the values that they hold. file is the name for
// messages. It reads on after a problem; fields with a problem keep their value.
// Ask the Document's Err whether there are problems.
//
// It panics if the tags of a target are wrong, which the first test finds.
func Decode(file string, data []byte, options Options, targets ...any) *Document {
	doc := &Document{file: file, given: map[string]Position{}}
	root := parse(doc, data)
	if root == nil {
		return doc
	}
	d := &decoder{doc: doc, options: options, known: Keys(targets...)}
	d.section(root, "", sections(targets))
	return doc
}

type decoder struct {
	doc     *Document
	options Options
	known   []string
}

func (d *decoder) problem(node *yaml.Node, key string, err error) {
	d.doc.add(position(node), key, err)
}

// section reads a mapping into the structs that together describe it.
func (d *decoder) section(node *yaml.Node, path string, parts []reflect.Value) {
	if !d.is(node, path, yaml.MappingNode, "keys with values are") {
		return
	}
	d.doc.give(path, position(node), false)
	seen := d.pairs(node, path, func(name, key string, keyNode, value *yaml.Node) {
		found := lookup(parts, name)
		switch {
		case len(found) == 0:
			d.problem(keyNode, key, d.unknown(key, name, names(parts)))
		case isSection(found[0].Type()):
			d.section(value, key, values(found))
		default:
			d.doc.give(key, position(value), true)
			d.value(value, key, found[0])
		}
	})
	d.missing(node, path, parts, seen)
}

// missing reports the required keys that the section, or a section that it
// leaves out, should have.
func (d *decoder) missing(node *yaml.Node, path string, parts []reflect.Value, seen map[string]bool) {
	for _, name := range names(parts) {
		if seen[name] {
			continue
		}
		found := lookup(parts, name)
		switch {
		case isSection(found[0].Type()):
			d.missing(node, join(path, name), values(found), nil)
		case found[0].required():
			hint := ""
			if allowed := found[0].enum(); allowed != nil {
				hint = "allowed: " + strings.Join(allowed, ", ")
			}
			d.problem(node, join(path, name), Invalidf(hint, "is required"))
		}
	}
}

// pairs visits the keys of a mapping that may be looked at, and returns all names.
func (d *decoder) pairs(node *yaml.Node, path string, visit func(name, key string, keyNode, value *yaml.Node)) map[string]bool {
	seen := map[string]bool{}
	first := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		keyNode, value := node.Content[i], node.Content[i+1]
		name := keyNode.Value
		key := join(path, name)
		switch {
		case keyNode.Kind != yaml.ScalarNode:
			d.problem(keyNode, path, Invalidf("", "a key must be a plain word, not %s", describe(keyNode)))
		case keyNode.ShortTag() == "!!merge":
			d.problem(keyNode, path, Invalidf("write the keys out", "YAML merge keys (<<) are not allowed"))
		case seen[name]:
			d.problem(keyNode, key, Invalidf("remove one of them", "the key is given twice, in lines %d and %d", first[name], keyNode.Line))
		default:
			seen[name], first[name] = true, keyNode.Line
			visit(name, key, keyNode, value)
		}
	}
	return seen
}

// value reads a node into a field that is no section.
func (d *decoder) value(node *yaml.Node, key string, f field) {
	switch {
	case isText(f.Type()), f.Kind() != reflect.Slice && f.Kind() != reflect.Map:
		if d.is(node, key, yaml.ScalarNode, wanted(f)) {
			if err := d.scalar(node, f); err != nil {
				d.problem(node, key, err)
			}
		}
	case f.Kind() == reflect.Slice:
		d.list(node, key, f)
	default:
		d.table(node, key, f)
	}
}

// list reads a sequence; it replaces the field's default.
func (d *decoder) list(node *yaml.Node, key string, f field) {
	if !d.is(node, key, yaml.SequenceNode, "a list is") {
		return
	}
	list := reflect.MakeSlice(f.Type(), len(node.Content), len(node.Content))
	lines := map[string]int{}
	for i, item := range node.Content {
		itemKey := fmt.Sprintf("%s[%d]", key, i)
		d.doc.give(itemKey, position(item), false)
		if isSection(list.Type().Elem()) {
			d.section(item, itemKey, []reflect.Value{list.Index(i)})
			continue
		}
		d.value(item, itemKey, f.element(list.Index(i)))
		if line, ok := lines[item.Value]; ok && item.Kind == yaml.ScalarNode {
			d.problem(item, itemKey, Invalidf("remove one of them", "%q is listed twice, in lines %d and %d", item.Value, line, item.Line))
		}
		lines[item.Value] = item.Line
	}
	if err := count(list.Len(), f.tag); err != nil {
		d.problem(node, key, err)
		return
	}
	f.Set(list)
}

// table reads a mapping whose keys are the user's own; it replaces the field's default.
func (d *decoder) table(node *yaml.Node, key string, f field) {
	if !d.is(node, key, yaml.MappingNode, "keys with values are") {
		return
	}
	table := reflect.MakeMap(f.Type())
	d.pairs(node, key, func(name, itemKey string, keyNode, value *yaml.Node) {
		if keyNode.ShortTag() != "!!str" {
			d.problem(keyNode, itemKey, Invalidf(fmt.Sprintf("quote it: %q", name), "a key must be a string, not %s", describe(keyNode)))
		} else if err := d.format(f.tag.Get("keys"), name); err != nil {
			d.problem(keyNode, itemKey, err)
		}
		element := reflect.New(f.Type().Elem()).Elem()
		d.value(value, itemKey, f.element(element))
		table.SetMapIndex(reflect.ValueOf(name).Convert(f.Type().Key()), element)
	})
	if err := count(table.Len(), f.tag); err != nil {
		d.problem(node, key, err)
		return
	}
	f.Set(table)
}

// is reports whether the node has the shape that is expected.
func (d *decoder) is(node *yaml.Node, key string, kind yaml.Kind, expected string) bool {
	switch {
	case node.Kind == yaml.AliasNode:
		d.problem(node, key, Invalidf("write the value out", "YAML aliases are not allowed"))
	case node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null":
		d.problem(node, key, Invalidf("leave the key out to get its default", "has no value"))
	case node.Kind != kind && key == "":
		d.problem(node, key, Invalidf("it starts with apiVersion and kind", "%s expected, not %s", expected, describe(node)))
	case node.Kind != kind:
		d.problem(node, key, Invalidf("", "%s expected, not %s", expected, describe(node)))
	default:
		return true
	}
	return false
}

// format runs a check by its name.
func (d *decoder) format(name, text string) error {
	if name == "" {
		return nil
	}
	check, ok := d.options.Formats[name]
	if !ok {
		panic(fmt.Sprintf("strict: no format named %q", name))
	}
	return check(text)
}
