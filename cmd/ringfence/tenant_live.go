package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/adopt"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync"
)

// liveNamespace is the namespace whose policies are taken into an overlay.
type liveNamespace struct {
	cluster *connection
	charts  bool

	seen   *seen
	keptBy string // the other tool that keeps the Namespace; "" if none does
}

// look reads the cluster, before anything is written.
func (l *liveNamespace) look(ctx context.Context, namespace string) error {
	var err error
	if l.seen, err = l.cluster.look(ctx); err != nil {
		return err
	}
	if len(l.seen.blind) > 0 {
		return fmt.Errorf("not everything in the cluster can be seen, and what is not might be left out of Git (hint: ringfence doctor says what is missing)\n%s", strings.Join(l.seen.blind, "\n"))
	}
	live := l.seen.cluster.Namespace(namespace)
	if live == nil {
		return fmt.Errorf("the cluster has no namespace %s (hint: without --from-live the overlay of a new one is written; --kubeconfig and --context choose the cluster)", namespace)
	}
	l.keptBy = sync.KeptBy(live.Unstructured)
	return nil
}

// adopt writes what lives and the plain overlay does not give, and tells what there is to know.
func (n newTenant) adopt(ctx context.Context, repository *config.Repository, folder string, o *overlay, out io.Writer) error {
	unit, _, err := n.compare(ctx, n.live.seen)
	if err != nil {
		return err
	}
	p, err := adopt.Propose(adopt.Config{
		Namespace: n.namespace, Changes: unit.Changes, Tiers: repository.Layout.TenantTiers, Charts: n.live.charts,
	})
	if err != nil {
		return err
	}
	o.add(p.Files)
	if err := n.fill(ctx, filepath.Join(n.dir, filepath.FromSlash(folder)), o); err != nil {
		return err
	}
	again, err := n.live.cluster.look(ctx)
	if err != nil {
		return err
	}
	left, cluster, err := n.compare(ctx, again)
	if err != nil {
		return err
	}
	findings := slices.Concat(p.Findings, p.Announce(left.Changes), adopt.Beyond(cluster.Changes), n.live.unguarded(ctx, n.namespace))
	if n.live.keptBy != "" {
		findings = append(findings, adopt.Finding{What: fmt.Sprintf("the Namespace is left out: %s keeps it", n.live.keptBy)})
	}
	return n.tell(out, folder, p.Files, findings)
}

// add takes files into the overlay.
func (o *overlay) add(files []adopt.File) {
	o.comment = fmt.Sprintf("# What lived in %s when this was written and the base does not give.\n", o.namespace)
	for _, f := range files {
		o.files[f.Name] = f.Text
		if f.Patch.Kind == "" {
			o.resources = append(o.resources, f.Name)
			continue
		}
		o.patches = append(o.patches, fmt.Sprintf("- path: %s\n  target: {group: %s, version: %s, kind: %s, name: %s}\n", f.Name, f.Patch.Group, f.Patch.Version, f.Patch.Kind, f.Patched))
	}
}

// compare says what the folder as it is would change of the namespace, and of the cluster-scoped kinds.
func (n newTenant) compare(ctx context.Context, s *seen) (tenant, cluster sync.Unit, err error) {
	r := &diffRequest{dir: n.dir, daemon: config.DefaultDaemon(), cluster: n.live.cluster}
	if r.local, err = sources.OpenLocal(n.dir); err != nil && !errors.Is(err, sources.ErrNotRepository) {
		return tenant, cluster, err
	}
	p := r.preview()
	r.into(ctx, s, &p) // what was applied before does not matter to what lives
	snapshot, err := sources.Folder(n.dir)
	if err != nil {
		return tenant, cluster, err
	}
	p.To = snapshot.Named("working tree")
	plan, err := sync.Preview(ctx, p)
	if err != nil {
		return tenant, cluster, err
	}
	if plan.Refused != "" {
		return tenant, cluster, fmt.Errorf("comparing with the cluster: %s", plan.Refused)
	}
	for _, u := range plan.Units {
		switch u.Name {
		case "":
			cluster = u
		case n.namespace:
			tenant = u
		}
	}
	for _, problem := range tenant.Problems {
		return tenant, cluster, problem
	}
	return tenant, cluster, nil
}

// tell says what was written and found.
func (n newTenant) tell(out io.Writer, folder string, files []adopt.File, findings []adopt.Finding) error {
	l := &lines{}
	l.add("%s: the namespace %s as it lives", folder, n.namespace)
	for _, f := range files {
		l.add("  %s: %s", f.Name, f.Object)
	}
	if len(files) == 0 {
		l.add("  nothing of its own: the base gives all that belongs into Git")
	}
	slices.SortStableFunc(findings, func(a, b adopt.Finding) int {
		switch {
		case a.Warning == b.Warning:
			return 0
		case a.Warning:
			return -1
		}
		return 1
	})
	l.add("")
	for _, f := range findings {
		text := "note     " + f.What
		if f.Warning {
			text = "warning  " + f.What
		}
		if f.Do != "" {
			text += " (hint: " + f.Do + ")"
		}
		l.add("%s", text)
	}
	l.add("see what applying it would do: ringfence diff --tenant %s", n.namespace)
	return l.write(out)
}
