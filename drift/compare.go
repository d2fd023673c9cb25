package drift

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Wanted is one object as Git says it, ready to be compared many times. It is
// immutable and safe for concurrent use.
type Wanted struct {
	kustomize.Object
	// ID names the object.
	ID ID

	canonical func() (map[string]any, error)
	template  func() string
	// last is what the object was last compared with: a round asks more than once, and a difference that is held every time.
	last atomic.Pointer[compared]
}

// compared is what came of comparing an object with a live one.
type compared struct {
	live   *unstructured.Unstructured
	fields []Field
}

// NewWanted prepares a rendered object for comparison.
func NewWanted(o kustomize.Object) *Wanted {
	w := &Wanted{Object: o, ID: IDOf(o)}
	w.canonical = sync.OnceValues(func() (map[string]any, error) {
		return canonical(o.Kind, o.Unstructured, o.GetAnnotations())
	})
	w.template = sync.OnceValue(func() string {
		return o.Pattern.Template(func() string { return templateOf(o.Unstructured) })
	})
	return w
}

// Template returns a text that is equal for objects that are equal but for the
// namespace that they are in.
func (w *Wanted) Template() string { return w.template() }

// templateOf hashes what an object is, its own namespace left out.
func templateOf(u *unstructured.Unstructured) string {
	content := maps.Clone(u.Object)
	content["metadata"] = map[string]any{"name": u.GetName(), "labels": withoutTenant(u.GetLabels())}
	raw, err := json.Marshal(content) // sorts keys
	if err != nil {
		return string(u.GetUID()) + u.GetNamespace() + "/" + u.GetName() // never equal to another's
	}
	sum := sha256.Sum256(raw)
	return string(sum[:])
}

func withoutTenant(labels map[string]string) map[string]string {
	out := maps.Clone(labels)
	delete(out, kustomize.LabelTenant)
	return out
}

// SameAs says whether both are the same object with the same content.
func (w *Wanted) SameAs(other *Wanted) bool {
	if w == other {
		return true
	}
	if other == nil || w.ID != other.ID {
		return false
	}
	return w.Unstructured == other.Unstructured || same(w.Object.Object, other.Object.Object)
}

// Fields returns where the live object differs from what is wanted, sorted by
// path; none means that they are equal. For a Namespace only what Git says of
// it is looked at, since others rightly add to it.
func (w *Wanted) Fields(live *Observed) ([]Field, error) {
	if w.ID.Kind != kinds.Namespace && live.GetDeletionTimestamp() == nil && alike(w.ID.Kind, w.Unstructured, live.Unstructured, w.GetAnnotations()) {
		return nil, nil
	}
	if last := w.last.Load(); last != nil && last.live == live.Unstructured {
		return slices.Clone(last.fields), nil
	}
	fields, err := w.compare(live)
	if err == nil {
		w.last.Store(&compared{live.Unstructured, slices.Clone(fields)})
	}
	return fields, err
}

func (w *Wanted) compare(live *Observed) ([]Field, error) {
	want, err := w.canonical()
	if err != nil {
		return nil, err
	}
	got, err := canonical(w.ID.Kind, live.Unstructured, w.GetAnnotations())
	if err != nil {
		return nil, err
	}
	d := differ{partial: w.ID.Kind == kinds.Namespace}
	d.maps("", want, got)
	if gone := live.GetDeletionTimestamp(); gone != nil && w.ID.Kind != kinds.Namespace {
		d.fields = append(d.fields, Field{Path: "metadata.deletionTimestamp", Got: gone.UTC().Format(time.RFC3339)})
	}
	slices.SortFunc(d.fields, func(a, b Field) int { return cmp.Compare(a.Path, b.Path) })
	return d.fields, nil
}

// Compare returns every difference between what is wanted in one namespace (or
// of the cluster-scoped kinds) and what is live there, in a stable order:
// missing and modified in the order of wanted, then extra by kind and name.
// Live objects for which ignored answers true are never extra. Where a policy is found
// under the other spelling of its name, and both are one (see [Dialect.TwoSpellings]),
// the name is a field that differs.
func Compare(wanted []*Wanted, live []*Observed, ignored func(*Observed) bool) ([]Difference, error) {
	byID := make(map[ID]*Observed, len(live))
	for _, o := range live {
		byID[o.ID] = o
	}
	respelt := respelt(wanted, live, byID)
	var out []Difference
	for _, w := range wanted {
		o := cmp.Or(byID[w.ID], respelt[w.ID])
		if o == nil {
			out = append(out, Difference{ID: w.ID, Type: Missing, Effect: EffectUnknown, Want: w})
			continue
		}
		delete(byID, o.ID)
		fields, err := w.Fields(o)
		if err != nil {
			return nil, fmt.Errorf("comparing %s: %w", w.ID, err)
		}
		if len(fields) > 0 {
			out = append(out, Difference{
				ID: w.ID, Type: Modified, Effect: EffectUnknown, Fields: fields,
				Writers: writers(o.Unstructured, fields), Want: w, Got: o.Unstructured, Seen: o.Seen,
			})
		}
	}
	first := len(out)
	for _, o := range byID {
		if o.ID.Kind == kinds.Namespace || ignored != nil && ignored(o) {
			continue
		}
		out = append(out, Difference{
			ID: o.ID, Type: Extra, Effect: EffectUnknown,
			Writers: writers(o.Unstructured, nil), Got: o.Unstructured, Seen: o.Seen,
		})
	}
	slices.SortFunc(out[first:], func(a, b Difference) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return out, nil
}

// respelt returns the live objects that are what is wanted under the other spelling of
// its name, by the wanted one.
func respelt(wanted []*Wanted, live []*Observed, byID map[ID]*Observed) map[ID]*Observed {
	var others map[ID]*Observed
	for _, o := range live {
		if o.alias != (ID{}) && byID[o.alias] == nil {
			if others == nil {
				others = map[ID]*Observed{}
			}
			others[o.alias] = o
		}
	}
	if others == nil {
		return nil
	}
	for _, w := range wanted { // it is its own first
		if o := byID[w.ID]; o != nil {
			delete(others, o.alias)
		}
	}
	return others
}

// differ gathers the places at which two canonical objects differ.
type differ struct {
	fields []Field
	// partial: keys that only the live side has are not looked at.
	partial bool
}

func (d *differ) values(path string, want, got any) {
	if w, ok := want.(map[string]any); ok {
		if g, ok := got.(map[string]any); ok {
			d.maps(path, w, g)
			return
		}
	}
	if w, ok := want.([]any); ok {
		if g, ok := got.([]any); ok {
			d.lists(path, w, g)
			return
		}
	}
	if !equal(want, got) {
		d.fields = append(d.fields, Field{Path: path, Want: want, Got: got})
	}
}

func (d *differ) maps(path string, want, got map[string]any) {
	for key, w := range want {
		d.values(join(path, key), w, got[key])
	}
	if d.partial {
		return
	}
	for key, g := range got {
		if _, ok := want[key]; !ok {
			d.fields = append(d.fields, Field{Path: join(path, key), Got: g})
		}
	}
}

func (d *differ) lists(path string, want, got []any) {
	for i := range max(len(want), len(got)) {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case i >= len(want):
			d.fields = append(d.fields, Field{Path: at, Got: got[i]})
		case i >= len(got):
			d.fields = append(d.fields, Field{Path: at, Want: want[i]})
		default:
			d.values(at, want[i], got[i])
		}
	}
}

// same says whether two JSON values are equal, of the same Go types. It is reflect.DeepEqual for what objects are made of,
// several times as fast: most of what is compared is equal to the last.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) || (a == nil) != (b == nil) {
			return false
		}
		for key, value := range a {
			if other, ok := b[key]; !ok || !same(value, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && (a == nil) == (b == nil) && slices.EqualFunc(a, b, same)
	case nil, string, bool, int64, float64:
		return a == b
	}
	return reflect.DeepEqual(a, b)
}

// equal compares two JSON values; numbers by value, whatever their Go type.
func equal(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	return reflect.DeepEqual(a, b)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// Below returns the path of a key below a path, as [Field.Path] has it.
func Below(path, key string) string { return join(path, key) }

func join(path, key string) string {
	if path == "" {
		return key
	}
	if needsQuotes(key) {
		return fmt.Sprintf("%s[%q]", path, key)
	}
	return path + "." + key
}

// needsQuotes is true for map keys such as label names, in which a dot or a
// slash would be read as a step of the path.
func needsQuotes(key string) bool {
	for _, r := range key {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
		default:
			return true
		}
	}
	return key == ""
}
