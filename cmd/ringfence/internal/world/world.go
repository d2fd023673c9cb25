package world

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
)

// World is a world of package reach with what is known of its making.
type World struct {
	*reach.World
	// Tenants are the names of the tenants, sorted; empty for a plain folder.
	Tenants []string
	// Gaps say what is missing from the world and should be in it, one sentence each.
	Gaps []string

	isTenant func(namespace string) bool
}

// Options say how policies are evaluated.
type Options struct {
	// Network describes the cluster's network; only pod and node ranges and the Calico version count.
	Network config.Network
	// Pending evaluates staged policies as if they were enforced.
	Pending bool
}

func (o Options) reach() reach.Config {
	version := o.Network.CalicoVersion
	if version == "auto" { // nobody can be asked here
		version = ""
	}
	return reach.Config{
		PodCIDRs: o.Network.PodCIDRs, NodeCIDRs: o.Network.NodeCIDRs, CalicoVersion: version, Pending: o.Pending,
	}
}

// OfRendering makes the world of a policy repository: what the tenants and the cluster overlay render to, the workloads
// that policy tests name, and those that the policies' selectors imply. Only what Git says is known: labels of
// namespaces that it does not render are not.
func OfRendering(r *kustomize.Rendering, layout config.Layout, o Options) (*World, error) {
	cfg := o.reach()
	cfg.Implied = true
	w := &World{isTenant: tenantIn(layout)}
	units := r.Tenants
	if r.Cluster != nil {
		units = append(slices.Clone(units), r.Cluster)
	}
	for _, t := range units {
		if t.Name != "" {
			w.Tenants = append(w.Tenants, t.Name)
		}
		if len(t.Problems) > 0 {
			w.Gaps = append(w.Gaps, fmt.Sprintf("overlay %s is refused: what is said of it is its guard alone", t.Overlay))
		}
		for _, object := range t.Objects {
			cfg.Objects = append(cfg.Objects, objectOf(object))
		}
		for _, setting := range t.Settings {
			cfg.Workloads = append(cfg.Workloads, workloadsOf(setting, t.Name)...)
		}
	}
	for _, folder := range r.Unplaced {
		w.Gaps = append(w.Gaps, fmt.Sprintf("overlay %s is refused, and not in the picture", folder))
	}
	cfg.Workloads = distinct(cfg.Workloads)
	var err error
	if w.World, err = reach.New(cfg); err != nil {
		return nil, err
	}
	return w, nil
}

// OfFolder makes the world of a plain folder of manifests: they are the whole world. Where it has no workload at all,
// those that the policies' selectors imply stand in. The problems are those of files that could not be read, which are
// not in the world.
func OfFolder(fsys fs.FS, limits kustomize.Limits, o Options) (*World, []kustomize.Problem, error) {
	objects, problems, err := kustomize.Plain(fsys, limits)
	if err != nil {
		return nil, nil, err
	}
	w := &World{isTenant: func(string) bool { return true }}
	cfg := o.reach()
	cfg.WholeWorld = true
	for _, object := range objects {
		cfg.Objects = append(cfg.Objects, objectOf(object))
	}
	if w.World, err = reach.New(cfg); err != nil {
		return nil, nil, err
	}
	if len(w.Endpoints()) == 0 {
		cfg.Implied = true
		if w.World, err = reach.New(cfg); err != nil {
			return nil, nil, err
		}
	}
	return w, problems, nil
}

func objectOf(o kustomize.Object) reach.Object {
	return reach.Object{Content: o.Object, Origin: reach.Origin{File: o.Origin.File, Line: o.Origin.Line}}
}

// tenantIn returns whether a namespace can be a tenant's by the layout.
func tenantIn(layout config.Layout) func(string) bool {
	return func(namespace string) bool {
		return slices.ContainsFunc(layout.Namespaces, func(glob string) bool {
			ok, err := path.Match(glob, namespace)
			return err == nil && ok
		})
	}
}

// workloadsOf returns the workloads that a policy test names. Its namespace is the tenant's where it names none.
func workloadsOf(setting kustomize.Object, tenant string) (out []reach.Workload) {
	if setting.GetKind() != "PolicyTest" {
		return nil
	}
	spec, _ := setting.Object["spec"].(map[string]any)
	named, _ := spec["workloads"].(map[string]any)
	for name, value := range named {
		fields, _ := value.(map[string]any)
		workload := reach.Workload{Namespace: tenant, Name: name, Labels: map[string]string{}}
		if namespace, ok := fields["namespace"].(string); ok && namespace != "" {
			workload.Namespace = namespace
		}
		labels, _ := fields["labels"].(map[string]any)
		for key, label := range labels {
			workload.Labels[key] = fmt.Sprint(label)
		}
		out = append(out, workload)
	}
	return out
}

// distinct keeps the first of several workloads of one name in a namespace, in the order of names.
func distinct(workloads []reach.Workload) []reach.Workload {
	compare := func(a, b reach.Workload) int {
		return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
	}
	slices.SortStableFunc(workloads, compare)
	return slices.CompactFunc(workloads, func(a, b reach.Workload) bool { return compare(a, b) == 0 })
}
