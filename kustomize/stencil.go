package kustomize

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// templateNamespace is the namespace that a stencil is rendered for. It is no name that a
// namespace can have.
const templateNamespace = "ringfence.template"

// stencilsKept is how many stencils outlive a render that had no use for them.
const stencilsKept = 256

// stencils are what overlays render to that differ in nothing but folder and namespace: of
// thousands of tenants most have one of a few kinds. kustomize, by far the dearest part of a
// render, runs once for each kind.
//
// It may, since to kustomize a namespace's name is a word like any other: it puts it where it
// belongs, and compares it with others. So where no file but the overlay's own `namespace:` has the
// word (and none can spell it otherwise, by a backslash), and where no field copies another's
// value or part of it, one word can be put in the other's place. All else of a render is done for
// each overlay, but for the judgement of what is the same for all of them (see [Pattern]).
type stencils struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]*stencil
}

// stencil is what one kind of overlay renders to, in templateNamespace.
type stencil struct {
	once    sync.Once
	folder  string // the overlay that it was rendered in
	objects []built
	unfit   atomic.Bool // it cannot be used
	used    bool        // in this render; guarded by stencils.mu
}

// build renders the overlay in a folder, which a pre-flight has approved.
func (s *stencils) build(ctx context.Context, r *Renderer, f *preflight, dir string) ([]built, error) {
	if namespace := f.normal.Namespace; s.mayUse(r, f) {
		if st := s.of(ctx, r, f, dir); !st.unfit.Load() {
			return st.cut(dir, namespace), nil
		}
	}
	return build(ctx, f.served, dir, r.cfg.Limits.RenderTime)
}

// mayUse says whether the word in the overlay's `namespace:` could be any other.
func (s *stencils) mayUse(r *Renderer, f *preflight) bool {
	namespace := f.normal.Namespace
	if namespace == "" || f.dynamic || r.cfg.mayFence(namespace) != nil {
		return false
	}
	for p, data := range f.served {
		words := []string{namespace, templateNamespace, `\`}
		if p == f.top.name {
			data, words[2] = f.topFor(""), `\\` // JSON, where a backslash before anything else is our own
		}
		if slices.ContainsFunc(words, func(w string) bool { return bytes.Contains(data, []byte(w)) }) {
			return false
		}
	}
	return true
}

// topFor returns the overlay's kustomization for a namespace.
func (f *preflight) topFor(namespace string) []byte {
	normal := f.normal
	normal.Namespace = namespace
	data, err := json.Marshal(normal)
	if err != nil {
		return []byte(`\\` + err.Error()) // as no stencil may have it; walk has said why
	}
	return data
}

// of returns the stencil of an overlay's kind, rendered if it is the first.
func (s *stencils) of(ctx context.Context, r *Renderer, f *preflight, dir string) *stencil {
	served := maps.Clone(f.served)
	served[f.top.name] = f.topFor(templateNamespace)
	key := kindOfOverlay(served, dir)
	s.mu.Lock()
	st := s.known[key]
	if st == nil {
		st = &stencil{folder: dir}
		s.known[key] = st
	}
	st.used = true
	s.mu.Unlock()
	st.once.Do(func() {
		objects, err := build(ctx, served, dir, r.cfg.Limits.RenderTime)
		st.objects = objects
		if err != nil || slices.ContainsFunc(objects, func(b built) bool { return mixes(b.Object) }) {
			st.unfit.Store(true)
			return
		}
		for i := range objects {
			objects[i].pattern = newPattern(objects[i].Unstructured)
		}
	})
	return st
}

// kindOfOverlay returns what is equal for overlays with the same parent whose files are equal, wherever in their own
// folders they have them.
func kindOfOverlay(served map[string][]byte, dir string) (key [sha256.Size]byte) {
	h := sha256.New()
	part := func(text []byte) { fmt.Fprintf(h, "%d:%s", len(text), text) }
	part([]byte(path.Dir(dir)))
	for _, p := range sortedKeys(served) {
		name, own := strings.CutPrefix(p, dir+"/")
		part(fmt.Appendf(nil, "%t %s", own, name))
		part(served[p])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// keep forgets stencils that could not be made, and, where there are many, those that were not used.
func (s *stencils) keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	many := len(s.known) > stencilsKept
	for key, st := range s.known {
		if st.unfit.Load() || many && !st.used {
			delete(s.known, key)
		}
		st.used = false
	}
}

// mixes says whether a value has the template's namespace as a part of a word.
func mixes(value any) bool {
	return anyWord(value, func(word string, key bool) bool {
		return strings.Contains(word, templateNamespace) && (key || word != templateNamespace)
	})
}

// anyWord says whether something is found among the words of a value, its keys included.
func anyWord(value any, found func(word string, key bool) bool) bool {
	switch v := value.(type) {
	case map[string]any:
		for key, item := range v {
			if found(key, true) || anyWord(item, found) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return anyWord(item, found) })
	case string:
		return found(v, false)
	}
	return false
}

// cut returns what an overlay of the kind renders to, in its own folder and for its own namespace.
func (st *stencil) cut(dir, namespace string) []built {
	out := make([]built, len(st.objects))
	for i, b := range st.objects {
		var content map[string]any
		if b.pattern != nil {
			content = placedIn(b.Unstructured, namespace)
		} else {
			content, _ = named(b.Object, namespace).(map[string]any)
		}
		b.Unstructured = &unstructured.Unstructured{Object: content}
		if rest, own := strings.CutPrefix(b.file, st.folder+"/"); own {
			b.file = path.Join(dir, rest)
		}
		out[i] = b
	}
	return out
}

// named copies a value with a namespace in the place of the template's.
func named(value any, namespace string) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = named(item, namespace)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = named(item, namespace)
		}
		return out
	case string:
		if v == templateNamespace {
			return namespace
		}
	}
	return value
}
