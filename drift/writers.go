package drift

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// writers returns the field managers behind the differing fields, the latest
// first: those that hold one of them, something below it or the whole around
// it. Without fields it returns every manager. Our own entries are among them
// only where they alone hold the field (an edit under our name is possible);
// what managedFields do not say is not guessed.
func writers(u *unstructured.Unstructured, fields []Field) []Writer {
	var out []Writer
	for _, entry := range u.GetManagedFields() {
		if entry.Subresource == "status" || !holds(entry, fields) {
			continue
		}
		w := Writer{Name: entry.Manager, Operation: string(entry.Operation)}
		if entry.Time != nil {
			w.Time = entry.Time.UTC()
		}
		out = append(out, w)
	}
	slices.SortStableFunc(out, func(a, b Writer) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func holds(entry metav1.ManagedFieldsEntry, fields []Field) bool {
	if len(fields) == 0 {
		return true
	}
	if entry.FieldsV1 == nil {
		return false
	}
	var set fieldpath.Set
	if err := set.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err != nil {
		return false
	}
	found := false
	set.Leaves().Iterate(func(p fieldpath.Path) {
		held := names(p)
		for _, f := range fields {
			found = found || related(held, steps(f.Path))
		}
	})
	return found
}

// names returns the field names of a managedFields path, without list items.
func names(p fieldpath.Path) []string {
	var out []string
	for _, element := range p {
		if element.FieldName != nil {
			out = append(out, *element.FieldName)
		}
	}
	return out
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

// related says whether one path is the other or leads to it.
func related(a, b []string) bool {
	n := min(len(a), len(b))
	return slices.Equal(a[:n], b[:n])
}
