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
	u := r.guardian(newTree(fsys, r.cfg.Limits)).unit(ctx, namespace)
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

// guardian renders one tree's guard for many namespaces.
type guardian struct {
	r    *Renderer
	tree *tree
	last map[string]*unit

	mu   sync.Mutex
	used map[string]*unit
}

func (r *Renderer) guardian(t *tree) *guardian {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &guardian{r: r, tree: t, last: r.guards, used: map[string]*unit{}}
}

// unit renders the guard for a namespace, or takes what was rendered from the same
// files.
func (g *guardian) unit(ctx context.Context, namespace string) *unit {
	if !g.r.explicitGuard && g.tree.node(g.r.cfg.Guard).stat().form == absent {
		return &unit{as: guardRole, namespace: namespace}
	}
	u := g.last[namespace]
	if u == nil || !u.unchanged(g.tree) {
		u = g.r.renderUnit(ctx, g.tree, g.r.cfg.Guard, guardRole, namespace)
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
