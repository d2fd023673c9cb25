package kustomize

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
)

// preflight walks the graph of kustomizations below one overlay, reads and checks
// every file in it, and prepares what kustomize will see of them.
type preflight struct {
	*session
	problems []Problem
	served   map[string][]byte   // by path: the only files that kustomize will find
	done     map[string]bool     // folders that were walked
	objects  []manifest          // of resources, in the order of their files
	patches  []manifest          // strategic merge patches
	top      *kustomization      // the overlay's own; nil if it has none
	normal   types.Kustomization // the same in the form that kustomize gets
	dynamic  bool                // somewhere a field copies values: replacements or vars
}

func newPreflight(t *tree) *preflight {
	return &preflight{session: t.session(), served: map[string][]byte{}, done: map[string]bool{}}
}

// overlay checks the overlay (or guard) in the folder dir. If namespace is not
// empty, the kustomization there is served as if it had that in its namespace field.
func (f *preflight) overlay(dir, namespace string) {
	if fault := f.stat(dir).fault(dir); fault != nil {
		f.add(Problem{File: dir, Message: fault.message, Hint: fault.hint})
		return
	}
	k := f.find(dir, Problem{File: dir})
	if k == nil {
		return
	}
	f.top = k
	if k.Kind == types.ComponentKind {
		f.add(k.problemAt(fieldPath{"kind"}, "this is a component, which cannot be rendered on its own", "set kind: Kustomization"))
	}
	f.walk(dir, k, nil, namespace)
	f.problems = sortProblems(f.problems)
}

func (f *preflight) add(p Problem) { f.problems = append(f.problems, p) }

// find returns the kustomization of a folder. Without one, the problem is at the
// place that where has.
func (f *preflight) find(dir string, where Problem) *kustomization {
	var found []string
	for _, name := range kustomizationFiles() {
		p := path.Join(dir, name)
		switch st := f.stat(p); st.form {
		case absent, folder:
		case regular:
			found = append(found, p)
		default:
			fault := st.fault(p)
			f.add(Problem{File: p, Message: fault.message, Hint: fault.hint})
			return nil
		}
	}
	switch len(found) {
	case 0:
		where.Message = fmt.Sprintf("the folder %q has no kustomization", dir)
		where.Hint = "its name must be kustomization.yaml, kustomization.yml or Kustomization"
		f.add(where)
		return nil
	case 1:
		return f.tree.node(found[0]).kustomization()
	default:
		f.add(Problem{File: found[1], Message: fmt.Sprintf("the folder has two kustomizations, this and %s", path.Base(found[0])), Hint: "keep one of them"})
		return nil
	}
}

// walk checks one kustomization and all that it names. chain holds the folders that
// led here.
func (f *preflight) walk(dir string, k *kustomization, chain []string, namespace string) {
	if f.done[dir] {
		return
	}
	f.done[dir] = true
	f.problems = append(f.problems, k.problems...)
	if k.fatal {
		return
	}
	w := walker{preflight: f, dir: dir, k: k, chain: append(chain[:len(chain):len(chain)], dir)}
	normal := w.normal()
	f.dynamic = f.dynamic || len(k.Replacements) > 0 || len(k.Vars) > 0
	if namespace != "" {
		normal.Namespace = namespace
	}
	data, err := json.Marshal(normal)
	if err != nil {
		f.add(Problem{File: k.name, Message: fmt.Sprintf("the kustomization cannot be written again: %v", err)})
		return
	}
	f.served[k.name] = data
	if k == f.top {
		f.normal = normal
	}
}

// walker checks one kustomization's references.
type walker struct {
	*preflight
	dir   string
	k     *kustomization
	chain []string
}

// normal checks all references and returns the kustomization in the form that
// kustomize gets: deprecated fields translated (in a way that keeps their order of
// effect), paths clean and relative, nothing that Ringfence decides itself.
func (w *walker) normal() types.Kustomization {
	n := w.k.Kustomization
	n.BuildMetadata, n.SortOptions, n.MetaData = nil, nil, nil
	n.Resources, n.Bases, n.Components = nil, nil, nil
	for _, field := range []struct {
		name      string
		entries   []string
		component bool
		into      *[]string
	}{
		{"resources", w.k.Resources, false, &n.Resources},
		{"bases", w.k.Bases, false, &n.Resources},
		{"components", w.k.Components, true, &n.Components},
	} {
		for i, entry := range field.entries {
			if p, ok := w.resource(fieldPath{field.name, i}, entry, field.component); ok {
				*field.into = append(*field.into, relative(w.dir, p))
			}
		}
	}
	n.Images, n.ImageTags = append(slices.Clone(w.k.Images), w.k.ImageTags...), nil
	if len(w.k.CommonLabels) > 0 {
		n.Labels = append(slices.Clone(w.k.Labels), types.Label{Pairs: w.k.CommonLabels, IncludeSelectors: true})
	}
	n.CommonLabels = nil
	n.Patches = append(w.strategic(), w.patchList("patches", w.k.Patches)...)
	n.PatchesStrategicMerge = nil
	n.PatchesJson6902 = w.patchList("patchesJson6902", w.k.PatchesJson6902)
	n.Replacements = slices.Clone(w.k.Replacements)
	for i := range n.Replacements {
		if r := &n.Replacements[i]; r.Path != "" {
			if p, ok := w.file(fieldPath{"replacements", i, "path"}, r.Path); ok {
				w.serveFile(p)
				r.Path = relative(w.dir, p)
			}
		}
	}
	return n
}

// refuse adds a problem at a field of this kustomization.
func (w *walker) refuse(at fieldPath, message, hint string) {
	w.add(w.k.problemAt(at, message, hint))
}

// entry resolves an entry to what stands at its path.
func (w *walker) entry(at fieldPath, entry string) (string, state, bool) {
	p, why := join(w.dir, entry)
	var st state
	if why == nil {
		st = w.stat(p)
		why = st.fault(entry)
	}
	if why != nil {
		w.refuse(at, why.message, why.hint)
		return "", st, false
	}
	return p, st, true
}

// file resolves an entry that must be a file in the kustomization's folder or below,
// as kustomize demands too.
func (w *walker) file(at fieldPath, entry string) (string, bool) {
	p, st, ok := w.entry(at, entry)
	switch {
	case !ok:
		return "", false
	case st.form != regular:
		w.refuse(at, fmt.Sprintf("%q is a folder, and a file is needed", entry), "")
		return "", false
	case !within(w.dir, p):
		w.refuse(at, fmt.Sprintf("%q is a file outside this kustomization's folder", entry), "move it here, or make its folder a kustomization and name the folder")
		return "", false
	}
	return p, true
}

// resource resolves and walks one entry of resources, bases or components.
func (w *walker) resource(at fieldPath, entry string, component bool) (string, bool) {
	p, st, ok := w.entry(at, entry)
	if !ok {
		return "", false
	}
	if st.form == regular {
		if component {
			w.refuse(at, fmt.Sprintf("%q is a file, and components are folders", entry), "list it under resources:")
			return "", false
		}
		if p, ok = w.file(at, entry); ok {
			w.objectFile(p)
		}
		return p, ok
	}
	for _, visited := range w.chain {
		if within(p, visited) {
			w.refuse(at, fmt.Sprintf("%q leads back to %s, which is being rendered (a cycle)", entry, p), "a kustomization cannot use itself, its parent folders or what uses it")
			return "", false
		}
	}
	k := w.find(p, w.k.problemAt(at, "", ""))
	if k == nil {
		return "", false
	}
	if isComponent := k.Kind == types.ComponentKind; !k.fatal && isComponent != component {
		if component {
			w.refuse(at, fmt.Sprintf("%q is not a component", entry), "list it under resources:, or set kind: Component there")
		} else {
			w.refuse(at, fmt.Sprintf("%q is a component", entry), "list it under components:")
		}
		return "", false
	}
	w.walk(p, k, w.chain, "")
	return p, true
}

// objectFile reads a file of objects.
func (w *walker) objectFile(p string) {
	if _, ok := w.served[p]; ok {
		return
	}
	f := w.tree.node(p).objects()
	w.problems = append(w.problems, f.problems...)
	w.objects = append(w.objects, f.manifests...)
	w.served[p] = f.data
}

// serveFile reads a file of YAML that is no file of objects, and returns it.
func (w *walker) serveFile(p string) *source {
	src := w.tree.node(p).parse()
	if _, ok := w.served[p]; !ok {
		w.problems = append(w.problems, src.problems...)
		w.served[p] = src.data
	}
	return src
}

// strategic translates patchesStrategicMerge to patches.
func (w *walker) strategic() (patches []types.Patch) {
	for i, entry := range w.k.PatchesStrategicMerge {
		at := fieldPath{"patchesStrategicMerge", i}
		if text := string(entry); strings.Contains(text, "\n") || strings.Contains(text, ": ") || strings.HasPrefix(text, "{") {
			w.inline(at, text)
			patches = append(patches, types.Patch{Patch: text})
		} else if p, ok := w.file(at, text); ok {
			w.patches = append(w.patches, w.serveFile(p).manifests(ignore)...)
			patches = append(patches, types.Patch{Path: relative(w.dir, p)})
		}
	}
	return patches
}

func (w *walker) patchList(field string, list []types.Patch) (patches []types.Patch) {
	for i, patch := range list {
		at := fieldPath{field, i}
		inline := strings.TrimSpace(patch.Patch) != ""
		switch {
		case inline && patch.Path != "":
			w.refuse(at, "a patch has either path or patch, and this has both", "")
			continue
		case inline:
			w.inline(at.at("patch"), patch.Patch)
		case patch.Path == "":
			w.refuse(at, "the patch has neither path nor patch", "")
			continue
		default:
			p, ok := w.file(at.at("path"), patch.Path)
			if !ok {
				continue
			}
			w.patches = append(w.patches, w.serveFile(p).manifests(ignore)...)
			patch.Path = relative(w.dir, p)
		}
		patches = append(patches, patch)
	}
	return patches
}

// inline checks a patch that is written in the kustomization itself. Its lines are
// counted on from the place of the field.
func (w *walker) inline(at fieldPath, patch string) {
	line := w.k.problemAt(at, "", "").Line
	n := w.k.root
	for _, step := range at {
		if _, n = child(n, step); n == nil {
			break
		}
	}
	offset := line - 1
	if n != nil {
		if n = resolve(n); n.Style == yaml.LiteralStyle || n.Style == yaml.FoldedStyle {
			offset = n.Line
		}
	}
	src := parseSourceAt(w.k.name, []byte(patch), w.tree.limits, offset)
	for i := range src.problems {
		src.problems[i].Column = 0
	}
	w.problems = append(w.problems, src.problems...)
	if len(src.problems) == 0 {
		w.patches = append(w.patches, src.manifests(ignore)...)
	}
}

// ignore is for patches, which need not be objects: JSON patches are lists.
func ignore(*yaml.Node) {}
