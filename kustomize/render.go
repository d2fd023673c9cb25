package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// ErrNoOverlays is returned (wrapped) by Render for a tree without any overlay.
var ErrNoOverlays = errors.New("no overlay")

// Render renders all overlays of a tree, and the guard for each tenant. Faults of
// single overlays are in the Rendering; an error means that nothing can be said at
// all: ctx is done, the tree cannot be read, or it has no overlay (ErrNoOverlays).
//
// The files of fsys must not change during the call. If the FileInfo of its regular
// files has a comparable Sys value that stands for the file's content (a Git blob's
// hash, say; two files with equal values have equal content), overlays whose files
// have not changed since an earlier Render of this Renderer are not rendered again.
func (r *Renderer) Render(ctx context.Context, fsys fs.FS) (*Rendering, error) {
	start := time.Now()
	t := newTree(fsys, r.cfg.Limits)
	overlays, cluster, err := r.discover(t)
	if err != nil {
		return nil, fmt.Errorf("looking for overlays: %w", err)
	}
	units, err := r.renderUnits(ctx, t, overlays, cluster)
	if err != nil {
		return nil, err
	}
	rendering := &Rendering{Overlays: overlays}
	if cluster {
		rendering.Cluster = clusterTenant(units[len(units)-1])
		units = units[:len(units)-1]
	}
	places := r.place(units, rendering)
	if err := r.assemble(ctx, t, places, rendering); err != nil {
		return nil, err
	}
	r.stencils.keep()
	rendering.Problems = sortProblems(rendering.Problems)
	rendering.neverFenced()
	r.cfg.Metrics.seconds.Observe(time.Since(start).Seconds())
	return rendering, nil
}

// discover finds the overlays' folders, sorted, and whether there is a cluster overlay.
func (r *Renderer) discover(t *tree) (overlays []string, cluster bool, err error) {
	dirs := []string{"."}
	var barred []string
	for _, element := range strings.Split(r.cfg.Tenants, "/") {
		var next []string
		for _, dir := range dirs {
			if t.node(dir).stat().fault(dir) != nil {
				barred = append(barred, dir) // refused later; what is behind it is not looked at
				continue
			}
			names, err := t.folders(dir, element)
			if err != nil {
				return nil, false, err
			}
			for _, name := range names {
				next = append(next, path.Join(dir, name))
			}
		}
		dirs = next
	}
	overlays = slices.DeleteFunc(append(dirs, barred...), func(d string) bool { return d == r.cfg.Cluster || d == r.cfg.Guard })
	slices.Sort(overlays)
	switch st := t.node(r.cfg.Cluster).stat(); st.form {
	case absent:
	case unreadable:
		return nil, false, st.err
	default:
		cluster = true
	}
	if len(overlays) == 0 && !cluster {
		return nil, false, fmt.Errorf("%w: no folder matches %q, and there is no %q", ErrNoOverlays, r.cfg.Tenants, r.cfg.Cluster)
	}
	return overlays, cluster, nil
}

// folders returns the names in dir that match one element of a glob and may be
// overlays: folders, and what is refused later, such as symbolic links.
func (t *tree) folders(dir, element string) (names []string, err error) {
	if !strings.ContainsAny(element, `*?[\`) {
		p := path.Join(dir, element)
		switch st := t.node(p).stat(); st.form {
		case absent, regular:
			return nil, nil
		case folder:
			return []string{element}, nil
		case unreadable:
			return nil, st.err
		default:
			return nil, errors.New(st.fault(p).message)
		}
	}
	entries, err := fs.ReadDir(t.fsys, dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		hidden := strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(element, ".")
		if ok, _ := path.Match(element, e.Name()); !ok || hidden || e.Type().IsRegular() {
			continue
		}
		names = append(names, e.Name())
	}
	return names, nil
}

// renderUnits renders every overlay that cannot be reused. The cluster overlay, if there is
// one, is the last.
func (r *Renderer) renderUnits(ctx context.Context, t *tree, overlays []string, cluster bool) ([]*unit, error) {
	folders := slices.Clone(overlays)
	if cluster {
		folders = append(folders, r.cfg.Cluster)
	}
	r.mu.Lock()
	last := r.units
	r.mu.Unlock()
	units := make([]*unit, len(folders))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(r.cfg.Workers)
	for i, dir := range folders {
		as := tenantRole
		if cluster && i == len(folders)-1 {
			as = clusterRole
		}
		group.Go(func() error {
			units[i] = r.reuse(t, last, dir, func() *unit { return r.renderUnit(groupCtx, t, dir, as, "") })
			return context.Cause(groupCtx)
		})
	}
	err := group.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("rendering the overlays: %w", err)
	}
	kept := make(map[string]*unit, len(units))
	for _, u := range units {
		kept[u.folder] = u
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.units = kept
	return units, nil
}

// reuse returns the unit of an earlier render if nothing that it saw has changed, and
// counts what was done.
func (r *Renderer) reuse(t *tree, from map[string]*unit, key string, render func() *unit) *unit {
	u, result := from[key], resultReused
	if u == nil || !u.unchanged(t) {
		u, result = render(), resultRendered
	}
	if len(u.problems) > 0 {
		result = resultFailed
	}
	r.cfg.Metrics.overlays.WithLabelValues(result).Inc()
	return u
}
