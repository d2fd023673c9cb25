package kustomize

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// mismatch is one place where a value does not fit a type.
type mismatch struct {
	path          fieldPath
	message, hint string
}

// strictCheck compares value, as encoding/json and the like decode it, with the Go
// type t that it is to be decoded into: unknown fields (case counts) and wrong
// types. null fits everything. All mismatches are returned, in the order of their
// paths.
func strictCheck(value any, t reflect.Type) []mismatch {
	var c strictness
	c.check(nil, value, t)
	slices.SortFunc(c.found, func(a, b mismatch) int { return strings.Compare(a.path.String(), b.path.String()) })
	return c.found
}

type strictness struct{ found []mismatch }

func (c *strictness) add(path fieldPath, message, hint string) {
	c.found = append(c.found, mismatch{path: path, message: message, hint: hint})
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func (c *strictness) check(path fieldPath, value any, t reflect.Type) {
	if value == nil {
		return
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		c.leaf(path, value, t)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		if m, ok := value.(map[string]any); ok {
			c.object(path, m, t)
			return
		}
		c.wrong(path, value, "a mapping")
	case reflect.Map:
		m, ok := value.(map[string]any)
		if !ok {
			c.wrong(path, value, "a mapping")
			return
		}
		for k, v := range m {
			c.check(path.at(k), v, t.Elem())
		}
	case reflect.Slice, reflect.Array:
		list, ok := value.([]any)
		if !ok {
			c.wrong(path, value, "a list")
			return
		}
		for i, v := range list {
			c.check(path.at(i), v, t.Elem())
		}
	case reflect.Interface:
	default:
		c.scalar(path, value, t)
	}
}

// leaf lets a type that decodes itself judge.
func (c *strictness) leaf(path fieldPath, value any, t reflect.Type) {
	data, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(data, reflect.New(t).Interface())
	}
	if err != nil {
		c.add(path, fmt.Sprintf("%s: %s is not a valid value", path, show(value)), "")
	}
}

func (c *strictness) object(path fieldPath, m map[string]any, t reflect.Type) {
	fields := map[string]reflect.Type{}
	jsonFields(t, fields)
	for k, v := range m {
		if ft, ok := fields[k]; ok {
			c.check(path.at(k), v, ft)
			continue
		}
		at := path.at(k)
		hint := ""
		if near := nearest(k, fields); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		c.add(at, fmt.Sprintf("unknown field %s", at), hint)
	}
}

// jsonFields collects the JSON names of a struct's fields, those of embedded structs
// included.
func jsonFields(t reflect.Type, into map[string]reflect.Type) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case f.Anonymous && name == "":
			ft := f.Type
			for ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			if ft.Kind() == reflect.Struct {
				jsonFields(ft, into)
			}
		case !f.IsExported():
		case name == "":
			into[f.Name] = f.Type
		default:
			into[name] = f.Type
		}
	}
}

func (c *strictness) scalar(path fieldPath, value any, t reflect.Type) {
	var ok bool
	var want string
	switch kind := t.Kind(); {
	case kind == reflect.String:
		_, ok = value.(string)
		want = "text"
	case kind == reflect.Bool:
		_, ok = value.(bool)
		want = "true or false"
	case kind >= reflect.Int && kind <= reflect.Uint64:
		want = "a whole number"
		switch v := value.(type) {
		case int:
			ok = true
		case int64:
			ok = true
		case float64:
			ok = v == float64(int64(v))
		}
		ok = ok && fits(value, t)
	default:
		want = "a number"
		switch value.(type) {
		case int, int64, float64:
			ok = true
		}
	}
	if !ok {
		c.wrong(path, value, want)
	}
}

// fits reports whether a whole number is in the range of t.
func fits(value any, t reflect.Type) bool {
	data, err := json.Marshal(value)
	if err != nil {
		return false
	}
	return json.Unmarshal(data, reflect.New(t).Interface()) == nil
}

func (c *strictness) wrong(path fieldPath, value any, want string) {
	hint := ""
	if _, isText := value.(string); !isText && want == "text" {
		hint = "put it in quotes"
	}
	c.add(path, fmt.Sprintf("%s must be %s, not %s", path, want, show(value)), hint)
}

// show returns a value, or its kind if it is a collection, for a message.
func show(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case string:
		return fmt.Sprintf("%q", v)
	default:
		return fmt.Sprint(v)
	}
}

// nearest returns the field's name that word most likely means; "" if none is near.
func nearest(word string, fields map[string]reflect.Type) string {
	best, bestDistance := "", 3
	for name := range fields {
		d := distance(strings.ToLower(word), strings.ToLower(name))
		if d < bestDistance || d == bestDistance && best != "" && name < best {
			best, bestDistance = name, d
		}
	}
	if bestDistance*2 >= len(word) {
		return ""
	}
	return best
}

// distance is the number of insertions, deletions and replacements from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
