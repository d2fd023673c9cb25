package kustomize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// unit is the result of rendering one overlay, or the guard for one namespace, on
// its own. It depends on nothing but the Config and what the session saw, and
// is not changed once it is made.
type unit struct {
	folder    string
	as        role
	namespace string   // what it claims, "" if unknown
	claim     Problem  // where it says so, without a message
	unfit     *refused // why the namespace can be no tenant's
	seen      map[string]state
	files     []string
	objects   []Object
	settings  []Object
	problems  []Problem
	lasting   bool // rendering the same files again would give the same
}

// renderUnit renders the overlay in a folder. namespace is set for the guard only.
func (r *Renderer) renderUnit(ctx context.Context, t *tree, folder string, as role, namespace string) *unit {
	f := newPreflight(t)
	f.overlay(folder, namespace)
	u := &unit{folder: folder, as: as, namespace: namespace, lasting: true}
	var objects []built
	limit := r.cfg.Limits.ObjectsPerTenant
	if n := len(f.objects); limit > 0 && n > limit {
		f.tooMany(folder, n, limit) // kustomize's time grows with the square of their number
	}
	if len(f.problems) == 0 {
		var err error
		objects, err = r.stencils.build(ctx, r, f, folder)
		if err != nil {
			f.add(f.explain(folder, err))
			var slow errTooSlow
			u.lasting = ctx.Err() == nil && !errors.As(err, &slow)
		}
		if n := len(objects); limit > 0 && n > limit {
			f.tooMany(folder, n, limit)
			objects = nil
		}
	}
	if as == tenantRole {
		u.claimNamespace(&r.cfg, f, objects)
	}
	j := judge{cfg: &r.cfg, as: as, namespace: u.namespace, origins: &origins{top: f.topName(folder), objects: f.objects, patches: f.patches}}
	for _, o := range objects {
		j.object(o)
	}
	u.problems = attributed(sortProblems(append(f.problems, j.problems...)), folder)
	if len(u.problems) == 0 {
		u.objects, u.settings = sorted(j.objects), sorted(j.settings)
	}
	u.seen, u.files = f.seen, f.files()
	return u
}

func (f *preflight) tooMany(folder string, n, limit int) {
	f.add(Problem{
		File: f.topName(folder), Line: 1, Message: fmt.Sprintf("the overlay has %d objects, and the limit is %d", n, limit),
		Hint: "split it, or raise limits.objectsPerTenant",
	})
}

// topName returns the overlay's kustomization file, or its folder.
func (f *preflight) topName(folder string) string {
	if f.top != nil {
		return f.top.name
	}
	return folder
}

// claimNamespace finds out which namespace an overlay means: the one of its objects; if
// they do not agree or do not render, the one of its kustomization, or of its own
// Namespace object.
func (u *unit) claimNamespace(cfg *Config, f *preflight, objects []built) {
	u.claim = Problem{Overlay: u.folder, File: f.topName(u.folder)}
	found := map[string]bool{}
	for _, b := range objects {
		if namespace := namespaceOf(b.GroupVersionKind().Group, b.GetKind(), b.GetName(), b.GetNamespace()); namespace != "" {
			found[namespace] = true
		}
	}
	written := map[string]bool{}
	for _, m := range f.objects {
		group, _, grouped := strings.Cut(m.apiVersion, "/")
		if m.kind == kinds.Namespace.Kind && m.name != "" && !grouped && group != "" {
			written[m.name] = true
		}
	}
	declared := ""
	if f.top != nil {
		declared = text(f.top.root0(), "namespace")
	}
	switch {
	case len(found) == 1:
		u.namespace = sortedKeys(found)[0]
	case declared != "":
		u.namespace = declared
	case len(written) == 1:
		u.namespace = sortedKeys(written)[0]
	}
	if f.top != nil && declared != "" {
		u.claim = f.top.problemAt(fieldPath{"namespace"}, "", "")
		u.claim.Overlay = u.folder
	} else if len(f.objects) > 0 {
		u.claim.File, u.claim.Line = f.objects[0].file, f.objects[0].node.Line
	}
	if u.namespace == "" {
		if len(f.problems) == 0 {
			p := u.claim
			p.Message, p.Hint = "the overlay does not say which namespace it is for", "set namespace: in its kustomization"
			f.add(p)
		}
		return
	}
	if u.unfit = cfg.mayFence(u.namespace); u.unfit != nil {
		p := u.claim
		p.Message, p.Hint = u.unfit.message, u.unfit.hint
		f.add(p)
	}
}

// namespaceOf returns the namespace that an object stands for, "" if none.
func namespaceOf(group, kind, name, namespace string) string {
	for _, k := range append(kinds.Guarded(), kinds.Namespace) {
		if k.Group != group || k.Kind != kind {
			continue
		}
		switch {
		case k.Namespaced:
			return namespace
		case k.GroupKind() == kinds.Namespace.GroupKind():
			return name
		}
	}
	return ""
}

// unchanged reports whether a tree surely gives the same unit again.
func (u *unit) unchanged(t *tree) bool {
	if !u.lasting {
		return false
	}
	for p, s := range u.seen {
		if !s.same(t.node(p).stat()) {
			return false
		}
	}
	return true
}

// sorted orders objects by kind, name and namespace.
func sorted(objects []Object) []Object {
	slices.SortStableFunc(objects, compareObjects)
	return objects
}
