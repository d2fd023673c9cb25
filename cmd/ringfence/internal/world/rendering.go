package world

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
)

// OfRendering makes the world of a policy repository: what the tenants and the cluster overlay render to, the workloads
// that policy tests name, and those that the policies' selectors imply. Only what Git says is known: labels of
// namespaces that it does not render are not. What an overlay that is refused may concern is unknown.
func OfRendering(r *kustomize.Rendering, layout config.Layout, o Options) (*World, error) {
	w := &World{isTenant: fenceable(layout)}
	cfg := o.reach()
	cfg.Implied = true
	for _, t := range r.Tenants {
		w.Tenants = append(w.Tenants, t.Name)
	}
	units := r.Tenants
	if r.Cluster != nil {
		units = append(slices.Clone(units), r.Cluster)
	}
	var named []kustomize.Workload
	for _, t := range units {
		if len(t.Problems) > 0 {
			w.refused(&cfg, t)
		}
		for _, object := range t.Objects {
			cfg.Objects = append(cfg.Objects, objectOf(object))
		}
		named = append(named, t.Workloads()...)
	}
	cfg.Workloads = workloads(named)
	for _, folder := range r.Unplaced {
		reason := fmt.Sprintf("overlay %s is refused, and it is not known whose it is", folder)
		w.Gaps = append(w.Gaps, Gap{Text: reason, Unclaimed: true})
		cfg.Unread = append(cfg.Unread, reach.Unread{Except: w.neverIn(cfg), Origin: reach.Origin{File: folder}, Reason: reason})
	}
	var err error
	if w.World, err = reach.New(cfg); err != nil {
		return nil, err
	}
	return w, nil
}

// refused notes that an overlay is refused.
func (w *World) refused(cfg *reach.Config, t *kustomize.Tenant) {
	at := t.Problems[0]
	reason := fmt.Sprintf("overlay %s is refused", t.Overlay)
	w.Gaps = append(w.Gaps, Gap{Text: reason, Namespace: t.Name})
	cfg.Unread = append(cfg.Unread, reach.Unread{Namespace: t.Name, Origin: reach.Origin{File: at.File, Line: at.Line}, Reason: reason})
}

// neverIn returns the namespaces that an overlay of which nothing is known can surely not have: those of other tenants, and
// those that can be no tenant's.
func (w *World) neverIn(cfg reach.Config) []string {
	out := slices.Clone(w.Tenants)
	for _, workload := range cfg.Workloads {
		if !w.isTenant(workload.Namespace) {
			out = append(out, workload.Namespace)
		}
	}
	return out
}

// workloads makes what policy tests name distinct: the same workload under the same name is one; another one of that name
// has its test's name behind its own.
func workloads(named []kustomize.Workload) []reach.Workload {
	type place struct{ namespace, name string }
	known := map[place]map[string]string{}
	var out []reach.Workload
	for _, n := range named {
		name := n.Name
		labels, taken := known[place{n.Namespace, name}]
		if taken && maps.Equal(labels, n.Labels) {
			continue
		}
		if taken {
			name += " (" + n.Test + ")"
		}
		known[place{n.Namespace, name}] = n.Labels
		out = append(out, reach.Workload{Namespace: n.Namespace, Name: name, Labels: n.Labels, Origin: originOf(n.Origin)})
	}
	return out
}
