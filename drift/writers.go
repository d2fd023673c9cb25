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
	var entries []metav1.ManagedFieldsEntry
	for _, entry := range u.GetManagedFields() {
		if entry.Subresource != "status" {
			entries = append(entries, entry)
		}
	}
	behind := holders(entries, fields)
	var out []Writer
	for i, entry := range entries {
		if !behind[i] {
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

// holders answers for each entry whether it stands behind one of the fields.
func holders(entries []metav1.ManagedFieldsEntry, fields []Field) []bool {
	behind := make([]bool, len(entries))
	held := make([][][]string, len(entries))
	for i, entry := range entries {
		behind[i] = len(fields) == 0
		held[i] = leaves(entry)
	}
	for _, f := range fields {
		at := steps(f.Path)
		exact, around := make([]bool, len(entries)), make([]bool, len(entries))
		for i := range entries {
			exact[i] = slices.ContainsFunc(held[i], func(leaf []string) bool { return leads(at, leaf) })
			around[i] = slices.ContainsFunc(held[i], func(leaf []string) bool { return leads(leaf, at) })
		}
		if slices.Contains(exact, true) {
			around = exact
		}
		for i := range entries {
			behind[i] = behind[i] || around[i]
		}
	}
	return behind
}

// leaves returns the paths that the entry's manager holds, as field names.
func leaves(entry metav1.ManagedFieldsEntry) (out [][]string) {
	if entry.FieldsV1 == nil {
		return nil
	}
	var set fieldpath.Set
	if err := set.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err != nil {
		return nil
	}
	set.Leaves().Iterate(func(p fieldpath.Path) { out = append(out, names(p)) })
	return out
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

// leads says whether the path a is b or leads to it.
func leads(a, b []string) bool {
	return len(a) <= len(b) && slices.Equal(a, b[:len(a)])
}
