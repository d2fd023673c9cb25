package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/app"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync"
)

// diffRequest is what was asked for.
type diffRequest struct {
	dir      string
	from, to string // revisions; "" means the cluster and the folder as it is
	tenant   string
	file     string // the daemon's own
	cluster  *connection
	output   *format

	daemon *config.Daemon
	local  *sources.Local // nil if the folder is in no Git repository
}

func newDiffCommand(environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff [DIR] [--from REV] [--to REV]",
		Short: "What would change, and in which order",
		Long: `Says what bringing the cluster to the policy repository in DIR (default: the current folder)
would change: objects, connections, and the plan, which writes come in which order and what
waits for what. It is the daemon's own plan. Nothing is ever written, not even as a dry run.

Compared are the live cluster and the folder as it is. --from REV puts a revision of the
folder's Git repository in the cluster's place, so that no cluster is asked; --to REV puts one
in the folder's place. REV is a branch, a tag, a hash or HEAD, with ~N or ^N behind.

What was applied last is read from the cluster, and its revision from the folder's Git
repository: what has left Git since then is removed. If either cannot be had, such objects are
extra. --config names the daemon's own file, if instance, namespace, limits or pins differ from
the defaults. Between two revisions, namespaces that no overlay makes have no labels but their
names.

In text, "+" comes, "~" is changed, "-" goes, "=" stays as it is, "?" cannot be told; a field is
told as "path: what there is → what it becomes". Tenants that are alike are told once.
What opens and closes is always what applying does; of an object that stays, what it would do.
-o markdown is made for a comment on a pull request.

Exit codes: 0 no difference; 1 differences, also such as stay; 2 it cannot be told: the cluster
cannot be read, or not all of it, or an overlay is refused. What drift.ignore names is no
difference.`,
		Args: arguments("DIR"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	r := &diffRequest{cluster: clusterFlags(cmd)}
	flags := cmd.Flags()
	flags.StringVar(&r.from, "from", "", "from this revision (default: from the live cluster)")
	flags.StringVar(&r.to, "to", "", "to this revision (default: to the files as they are)")
	flags.StringVar(&r.tenant, "tenant", "", "only this tenant, by the name of its namespace; _cluster is the cluster overlay")
	flags.StringVar(&r.file, "config", "", "the daemon's own file, as in run --config (default: the defaults)")
	r.output = outputFlag(cmd, "text", "json", "markdown")
	must(cmd.MarkFlagFilename("config", "yaml", "yml"))
	must(cmd.RegisterFlagCompletionFunc("tenant", completeTenant))
	for _, flag := range []string{"from", "to"} {
		must(cmd.RegisterFlagCompletionFunc(flag, completeRevision))
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r.dir = folderOf(args)
		for _, flag := range []string{"from", "to", "tenant", "config"} {
			if f := flags.Lookup(flag); f.Changed && f.Value.String() == "" {
				return usage(cmd, "--%s is empty", flag)
			}
		}
		if r.from != "" && (r.cluster.kubeconfig != "" || r.cluster.context != "") {
			return usage(cmd, "--from is a revision, in the cluster's place: leave --kubeconfig and --context out")
		}
		return r.run(cmd.Context(), cmd.OutOrStdout())
	}
	return cmd
}

// completeRevision completes the names of branches and tags.
func completeRevision(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	local, err := sources.OpenLocal(folderOf(args))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names, err := local.Names()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (r *diffRequest) run(ctx context.Context, stdout io.Writer) error {
	report, err := r.report(ctx)
	if err != nil {
		return err
	}
	if err := report.write(stdout, r.output.value); err != nil {
		return err
	}
	switch report.outcome() {
	case outcomeUnknown:
		return &exitError{code: exitUnknown}
	case outcomeDiffers:
		return &exitError{code: exitFindings}
	}
	return nil
}

// report finds out what would change.
func (r *diffRequest) report(ctx context.Context) (*diffReport, error) {
	r.daemon = config.DefaultDaemon()
	var err error
	if r.file != "" {
		if r.daemon, err = readDaemon(r.file); err != nil {
			return nil, err
		}
	}
	if r.local, err = sources.OpenLocal(r.dir); err != nil && (r.from != "" || r.to != "" || !errors.Is(err, sources.ErrNotRepository)) {
		return nil, err
	}
	p := r.preview()
	out := &diffReport{tenant: r.tenant}
	if p.To, out.To, err = r.revision(ctx, r.to); err != nil {
		return nil, err
	}
	if r.from != "" {
		p.From, out.From, err = r.revision(ctx, r.from)
	} else {
		out.From, out.Unknown, err = r.live(ctx, &p)
	}
	if err != nil || p.From == nil && p.Cluster == nil {
		return out, err
	}
	plan, err := sync.Preview(ctx, p)
	if errors.Is(err, kustomize.ErrNoOverlays) {
		err = fmt.Errorf("%w\nis %q the root of a policy repository?", err, r.dir)
	}
	if err != nil {
		return nil, err
	}
	if err := out.take(plan); err != nil {
		return nil, err
	}
	return out, nil
}

// preview is how the daemon would go about it, without the two sides.
func (r *diffRequest) preview() sync.PreviewConfig {
	p := sync.PreviewConfig{
		Renderer: func(owner func(string) (string, bool)) sync.Renderer { return app.NewRenderer(r.daemon, owner) },
		Source:   clone{r.local}, Instance: r.daemon.Instance, Namespace: r.daemon.LeaderElection.Namespace,
		MaxPrune: sync.PruneLimit(r.daemon.Sync.MaxPrune), Mode: sync.Correct,
	}
	if r.daemon.Drift.Mode == "report" {
		p.Mode = sync.Report
	}
	return p
}

// revision returns a revision of the folder, or the folder as it is for "".
func (r *diffRequest) revision(ctx context.Context, name string) (*sources.Snapshot, diffSide, error) {
	if name == "" {
		s, err := sources.Folder(r.dir)
		if err != nil {
			return nil, diffSide{}, err
		}
		return s.Named("working tree"), diffSide{Folder: r.dir}, nil
	}
	commit, err := r.local.Resolve(name)
	if err != nil {
		return nil, diffSide{}, err
	}
	s, err := r.local.At(ctx, commit)
	return s, diffSide{Revision: name, Commit: commit}, err
}

// clone is the history that the folder has. Where there is none, no commit can be had.
type clone struct{ local *sources.Local }

// At implements sync.Source.
func (c clone) At(ctx context.Context, commit string) (*sources.Snapshot, error) {
	if c.local == nil {
		return nil, sources.ErrNoCommit
	}
	return c.local.At(ctx, commit)
}

// SetFloor implements sync.Source: nothing is polled.
func (c clone) SetFloor(string) {}

// Trailers implements sync.Source.
func (c clone) Trailers(ctx context.Context, base, newest, key string) ([]sources.Trailer, error) {
	if c.local == nil {
		return nil, nil
	}
	return c.local.Trailers(ctx, base, newest, key)
}
