package drift

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Manager is one entry of an object's managedFields.
type Manager struct {
	Writer
	// Subresource is what was written through; "" for the object itself.
	Subresource string

	fields map[string]any // as the API server writes a set of fields
}

// ManagersOf returns the entries of an object's managedFields, in their order. It reads them where they are: to convert them
// (GetManagedFields) costs more than most comparisons.
func ManagersOf(u *unstructured.Unstructured) []Manager {
	metadata, _ := u.Object["metadata"].(map[string]any)
	entries, _ := metadata["managedFields"].([]any)
	out := make([]Manager, len(entries))
	for i, e := range entries {
		entry, _ := e.(map[string]any)
		m := &out[i]
		m.Name, _ = entry["manager"].(string)
		m.Operation, _ = entry["operation"].(string)
		m.Subresource, _ = entry["subresource"].(string)
		m.fields, _ = entry["fieldsV1"].(map[string]any)
		if text, ok := entry["time"].(string); ok {
			if at, err := time.Parse(time.RFC3339, text); err == nil {
				m.Time = at.UTC()
			}
		}
	}
	return out
}

// WritersOf returns the field managers behind the differing fields of a live
// object, the latest first.
func WritersOf(u *unstructured.Unstructured, fields []Field) []Writer { return writers(u, fields) }

// writers returns the field managers behind the differing fields, the latest
// first: of each field those that hold it or something below it; where nobody
// does, those that hold the whole around it, such as a list that is owned as
// one. Without fields it returns every manager. Our own entry is among them
// only where it holds the field in that sense (an edit under our name is
// possible); what managedFields do not say is not guessed.
func writers(u *unstructured.Unstructured, fields []Field) []Writer {
	managers := slices.DeleteFunc(ManagersOf(u), func(m Manager) bool { return m.Subresource == "status" })
	behind := holders(managers, fields)
	var out []Writer
	for i, m := range managers {
		if behind[i] {
			out = append(out, m.Writer)
		}
	}
	slices.SortStableFunc(out, func(a, b Writer) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// holders answers for each manager whether it stands behind one of the fields.
func holders(managers []Manager, fields []Field) []bool {
	behind := make([]bool, len(managers))
	if len(fields) == 0 {
		for i := range behind {
			behind[i] = true
		}
		return behind
	}
	held := make([][][]string, len(managers))
	for i, m := range managers {
		if paths, ok := leaves(m.fields, nil, nil); ok {
			held[i] = paths
		}
	}
	for _, f := range fields {
		at := steps(f.Path)
		exact, around := make([]bool, len(managers)), make([]bool, len(managers))
		for i := range managers {
			exact[i] = slices.ContainsFunc(held[i], func(leaf []string) bool { return leads(at, leaf) })
			around[i] = slices.ContainsFunc(held[i], func(leaf []string) bool { return leads(leaf, at) })
		}
		if slices.Contains(exact, true) {
			around = exact
		}
		for i := range managers {
			behind[i] = behind[i] || around[i]
		}
	}
	return behind
}

// leaves appends the paths that are held, as field names without list items, to out. It answers false of what no API server
// writes. Source: structured-merge-diff/fieldpath, serialize-pe.go.
func leaves(fields map[string]any, at []string, out [][]string) ([][]string, bool) {
	for key, below := range fields {
		if key == "." { // what is around the others
			continue
		}
		children, ok := below.(map[string]any)
		element, name, isPath := strings.Cut(key, ":")
		if !ok || !isPath {
			return nil, false
		}
		path := at
		switch element {
		case "f":
			path = append(slices.Clip(at), name)
		case "k", "v", "i": // items of lists
		default:
			return nil, false
		}
		if _, whole := children["."]; len(children) == 0 || whole && len(children) == 1 {
			out = append(out, path)
			continue
		}
		if out, ok = leaves(children, path, out); !ok {
			return nil, false
		}
	}
	return out, true
}

// steps returns the field names of a [Field]'s path, without list indices.
func steps(path string) []string {
	var out []string
	for path != "" {
		switch {
		case path[0] == '.':
			path = path[1:]
		case strings.HasPrefix(path, `["`):
			end := strings.Index(path, `"]`)
			if end < 0 {
				return out
			}
			out, path = append(out, path[2:end]), path[end+2:]
		case path[0] == '[':
			path = path[strings.IndexByte(path, ']')+1:]
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			out, path = append(out, path[:end]), path[end:]
		}
	}
	return out
}

// leads says whether the path a is b or leads to it.
func leads(a, b []string) bool {
	return len(a) <= len(b) && slices.Equal(a, b[:len(a)])
}
