package strict

import (
	"encoding"
	"reflect"
	"strings"
	"time"
)

// field is a field of a struct that stands for a key.
type field struct {
	reflect.Value
	tag reflect.StructTag
}

func (f field) key() string { return f.tag.Get("key") }

func (f field) required() bool { return f.tag.Get("is") == "required" }

func (f field) nonempty() bool { return f.required() || f.tag.Get("is") == "nonempty" }

func (f field) enum() []string {
	if e := f.tag.Get("enum"); e != "" {
		return strings.Split(e, "|")
	}
	return nil
}

// element returns the field's rules applied to one element of it: those of
// the list or map itself (min, max, required) stay behind.
func (f field) element(v reflect.Value) field {
	var tag strings.Builder
	for _, name := range []string{"enum", "format"} {
		if value, ok := f.tag.Lookup(name); ok {
			tag.WriteString(name + `:"` + value + `" `)
		}
	}
	return field{Value: v, tag: reflect.StructTag(tag.String())}
}

var (
	durationType        = reflect.TypeFor[time.Duration]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isSection tells structs with keys of their own from values.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !isText(t)
}

func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textUnmarshalerType) }

// fields lists the keys of a section in the order of the struct.
func fields(section reflect.Value) []field {
	var list []field
	for i := range section.NumField() {
		if f := section.Type().Field(i); f.Tag.Get("key") != "" {
			list = append(list, field{Value: section.Field(i), tag: f.Tag})
		}
	}
	return list
}

// lookup finds a key in each of the sections that together make up one.
func lookup(sections []reflect.Value, key string) []field {
	var found []field
	for _, section := range sections {
		for _, f := range fields(section) {
			if f.key() == key {
				found = append(found, f)
			}
		}
	}
	return found
}

// names lists the keys of a section that is made up of several, each once.
func names(sections []reflect.Value) []string {
	var list []string
	seen := map[string]bool{}
	for _, section := range sections {
		for _, f := range fields(section) {
			if !seen[f.key()] {
				seen[f.key()] = true
				list = append(list, f.key())
			}
		}
	}
	return list
}

// values turns several fields of one key into the sections that they hold.
func values(found []field) []reflect.Value {
	list := make([]reflect.Value, len(found))
	for i, f := range found {
		list[i] = f.Value
	}
	return list
}

// sections turns pointers to structs into sections.
func sections(pointers []any) []reflect.Value {
	list := make([]reflect.Value, len(pointers))
	for i, p := range pointers {
		list[i] = reflect.ValueOf(p).Elem()
	}
	return list
}

// Keys lists the dotted keys of every value in the structs that the targets
// point to; the keys of the elements of a list of sections follow it, written
// "list[].key".
func Keys(targets ...any) []string {
	var list []string
	walk(sections(targets), "", func(key string) { list = append(list, key) })
	return list
}

func walk(parts []reflect.Value, prefix string, visit func(key string)) {
	for _, name := range names(parts) {
		key := join(prefix, name)
		found := lookup(parts, name)
		t := found[0].Type()
		switch {
		case isSection(t):
			walk(values(found), key, visit)
		case t.Kind() == reflect.Slice && isSection(t.Elem()):
			visit(key)
			walk([]reflect.Value{reflect.New(t.Elem()).Elem()}, key+"[]", visit)
		default:
			visit(key)
		}
	}
}

// Get returns the value at a dotted key (of no list) in the struct that target
// points to, and whether there is such a key.
func Get(target any, key string) (any, bool) {
	v, ok := find(target, key)
	if !ok {
		return nil, false
	}
	return v.Interface(), true
}

// Copy sets the value at a dotted key (of no list) in dst, a pointer to a
// struct, to that in src, a pointer to a struct of the same type. Lists and maps are shared,
// not copied. It reports whether there is such a key.
func Copy(dst, src any, key string) bool {
	from, ok := find(src, key)
	if !ok {
		return false
	}
	to, ok := find(dst, key)
	if ok {
		to.Set(from)
	}
	return ok
}

func find(target any, key string) (reflect.Value, bool) {
	v := reflect.ValueOf(target).Elem()
	for name := range strings.SplitSeq(key, ".") {
		if !isSection(v.Type()) {
			return reflect.Value{}, false
		}
		found := lookup([]reflect.Value{v}, name)
		if len(found) == 0 {
			return reflect.Value{}, false
		}
		v = found[0].Value
	}
	return v, true
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
