package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
)

// Guard renders the guard for any namespace, also one that no overlay claims. The
// objects carry Ringfence's labels and are sorted; the guard's settings are not among
// them. Without a guard it returns none. What is wrong with the guard, or the
// namespace, is the error: Problems, joined.
func (r *Renderer) Guard(ctx context.Context, fsys fs.FS, namespace string) ([]Object, error) {
	if why := r.cfg.mayFence(namespace); why != nil {
		return nil, fmt.Errorf("rendering the guard: %w", Problem{Message: why.message, Hint: why.hint})
	}
	u := r.guardian(ctx, newTree(fsys, r.cfg.Limits)).unit(namespace)
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("rendering the guard for %q: %w", namespace, err)
	}
	if len(u.problems) > 0 {
		errs := make([]error, len(u.problems))
		for i, p := range u.problems {
			errs[i] = p
		}
		return nil, fmt.Errorf("rendering the guard for %q: %w", namespace, errors.Join(errs...))
	}
	return labelled(u.objects, namespace), nil
}

// templateNamespace is a namespace that the guard is rendered for when only the
// namespace is to be replaced. It is no name that a namespace can have.
const templateNamespace = "ringfence.template"

// guardian renders one tree's guard for many namespaces.
type guardian struct {
	r        *Renderer
	tree     *tree
	last     map[string]*unit
	fresh    func(namespace string) *unit
	template func() *unit

	mu   sync.Mutex
	used map[string]*unit
}

func (r *Renderer) guardian(ctx context.Context, t *tree) *guardian {
	r.mu.Lock()
	last := r.guards
	r.mu.Unlock()
	g := &guardian{r: r, tree: t, last: last, used: map[string]*unit{}}
	g.fresh = func(namespace string) *unit {
		return r.renderUnit(ctx, t, r.cfg.Guard, guardRole, namespace)
	}
	g.template = sync.OnceValue(func() *unit { return g.render(templateNamespace) })
	return g
}

// unit returns the guard's unit for a namespace.
//
// A guard in which no field copies another's value is rendered once: kustomize's
// namespace transformer does nothing to guarded namespaced kinds but to set
// metadata.namespace, and what it did not set so was refused in the template.
func (g *guardian) unit(namespace string) *unit {
	if !g.r.explicitGuard && g.tree.node(g.r.cfg.Guard).stat().form == absent {
		return &unit{as: guardRole, namespace: namespace}
	}
	template := g.template()
	if len(template.problems) > 0 || template.dynamic {
		return g.render(namespace)
	}
	u := *template
	u.namespace = namespace
	u.objects = moved(template.objects, namespace)
	u.settings = moved(template.settings, namespace)
	return &u
}

// moved copies objects into another namespace.
func moved(objects []Object, namespace string) []Object {
	if len(objects) == 0 {
		return nil
	}
	out := make([]Object, len(objects))
	for i, o := range objects {
		o.Unstructured = o.DeepCopy()
		o.SetNamespace(namespace)
		out[i] = o
	}
	return out
}

// render renders the guard for a namespace, or takes what was rendered from the same
// files.
func (g *guardian) render(namespace string) *unit {
	u := g.last[namespace]
	if u == nil || !u.unchanged(g.tree) {
		u = g.fresh(namespace)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used[namespace] = u
	return u
}

// keep makes what was rendered available to the next Render.
func (g *guardian) keep() {
	g.r.mu.Lock()
	defer g.r.mu.Unlock()
	g.r.guards = g.used
}
