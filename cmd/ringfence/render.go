package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
)

func newRenderCommand(environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "render [DIR] [--tenant T]",
		Short: "The objects as they would be applied",
		Long: `Prints the objects of the policy repository in DIR (default: the current folder) as
they would be applied: those of the cluster overlay, then those of each tenant with the
guard's. No cluster is asked, and it makes no difference what Git has of the folder.

An overlay that does not render prints nothing; what is wrong with it goes to stderr,
one line for each problem, the other overlays are printed, and the exit code is 2.
With --tenant only that tenant counts.`,
		Args: arguments("DIR"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	tenant := cmd.Flags().String("tenant", "", "one tenant, by the name of its namespace (default: all, and the cluster overlay)")
	output := outputFlag(cmd, "yaml", "json")
	must(cmd.RegisterFlagCompletionFunc("tenant", completeTenant))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		rendering, err := renderFolder(cmd.Context(), folderOf(args))
		if err != nil {
			return err
		}
		chosen := everything(rendering)
		if cmd.Flags().Changed("tenant") {
			if chosen, err = only(rendering, *tenant); err != nil {
				return err
			}
		}
		if err := writeObjects(cmd.OutOrStdout(), output.value, chosen.objects); err != nil {
			return err
		}
		for _, p := range chosen.problems {
			fmt.Fprintln(cmd.ErrOrStderr(), printable(p.Error()))
		}
		if len(chosen.problems) > 0 {
			return &exitError{code: exitUnknown}
		}
		return nil
	}
	return cmd
}

// folderOf returns the DIR argument of the offline commands.
func folderOf(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

// renderFolder renders the policy repository in a plain folder.
func renderFolder(ctx context.Context, dir string) (*kustomize.Rendering, error) {
	snapshot, err := sources.Folder(dir)
	if err != nil {
		return nil, err
	}
	repository, err := config.ReadRepository(snapshot.FS())
	if err != nil {
		return nil, err
	}
	if err := repository.CheckTree(snapshot.FS()); err != nil {
		return nil, err
	}
	renderer, err := kustomize.New(repository.Kustomize())
	if err != nil {
		return nil, err
	}
	rendering, err := renderer.Render(ctx, snapshot.FS())
	if errors.Is(err, kustomize.ErrNoOverlays) {
		return nil, fmt.Errorf("%w\nis %q the root of a policy repository?", err, dir)
	}
	return rendering, err
}

// selection is what of a rendering was asked for.
type selection struct {
	objects  []kustomize.Object
	problems []kustomize.Problem
}

// add takes an overlay's objects if it renders, and its problems otherwise: what a
// refused overlay has objects of is not what would be applied.
func (s *selection) add(t *kustomize.Tenant) {
	if len(t.Problems) > 0 {
		s.problems = append(s.problems, t.Problems...)
		return
	}
	s.objects = append(s.objects, t.Objects...)
}

// distinct sorts the problems by place; a fault that several overlays share, such as
// one in a base, is told once.
func (s *selection) distinct() {
	compare := func(a, b kustomize.Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Message, b.Message), cmp.Compare(a.Hint, b.Hint),
		)
	}
	slices.SortStableFunc(s.problems, compare)
	s.problems = slices.CompactFunc(s.problems, func(a, b kustomize.Problem) bool { return compare(a, b) == 0 })
}

func everything(r *kustomize.Rendering) selection {
	s := selection{problems: slices.Clone(r.Problems)}
	if r.Cluster != nil {
		s.add(r.Cluster)
	}
	for _, t := range r.Tenants {
		s.add(t)
	}
	s.distinct()
	return s
}

// only returns one tenant, or an error that names those that there are.
func only(r *kustomize.Rendering, name string) (selection, error) {
	var s selection
	for _, t := range r.Tenants {
		if t.Name == name {
			s.add(t)
			s.distinct()
			return s, nil
		}
	}
	return selection{}, unknownTenant(r, name)
}

// unknownTenant also tells the problems of overlays whose namespace cannot be
// known: the tenant may be one of them.
func unknownTenant(r *kustomize.Rendering, name string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "there is no tenant %q", name)
	names := tenantNames(r)
	near := strict.Nearest(name, names)
	for _, t := range r.Tenants {
		if t.Overlay == strings.Trim(name, "/") || strings.HasSuffix(t.Overlay, "/"+name) {
			near = t.Name
		}
	}
	if near != "" {
		fmt.Fprintf(&b, " (did you mean %s?)", near)
	}
	if len(names) == 0 {
		b.WriteString("\nthe repository has no tenants")
	} else {
		fmt.Fprintf(&b, "\nthe tenants are: %s", strings.Join(names, ", "))
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "\n%s", p.Error())
	}
	return errors.New(b.String())
}

func tenantNames(r *kustomize.Rendering) []string {
	names := make([]string, len(r.Tenants))
	for i, t := range r.Tenants {
		names[i] = t.Name
	}
	return names
}

func completeTenant(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	rendering, err := renderFolder(cmd.Context(), folderOf(args))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return tenantNames(rendering), cobra.ShellCompDirectiveNoFileComp
}

func writeObjects(w io.Writer, format string, objects []kustomize.Object) error {
	if format == "yaml" {
		return kustomize.WriteYAML(w, objects)
	}
	items := make([]map[string]any, len(objects))
	for i, o := range objects {
		items[i] = o.Object
	}
	return writeJSON(w, listOf(items))
}
