package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/client-go/dynamic"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/world"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
)

// reachRequest is what was asked for.
type reachRequest struct {
	dir           string
	live          bool
	tenants       []string
	question      world.Question
	ports         []string
	asked         bool // one question
	expand        bool
	pending       bool
	podCIDRs      []string
	calicoVersion string
	cluster       *connection
	output        *format
}

func newReachCommand(environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reach [DIR] [--from X --to Y [--port P]]",
		Short: "Who can reach whom",
		Long: `Says who can reach whom by the policies in DIR (default: the current folder), or with
--live by those of the cluster.

DIR is a policy repository, of which every tenant is rendered, or a plain folder of
manifests without kustomizations (Namespaces, Pods, Deployments and the like, policies),
which are then the whole world. A repository knows its workloads by its policy tests and
by what its policies select; "(other)" is any pod that they do not tell apart. Of a repository,
text and pictures show what its tenants have a part in; -o json and --expand show all.

With --from and --to one question is answered: allow, deny, partial (some of the ports
or pods) or unknown, with the rules that decided on both sides. A peer is
NAMESPACE/WORKLOAD, WORKLOAD with --tenant, NAMESPACE/key=value,key=value for a pod with
these labels, an address or CIDR, internet (every address outside the special ranges),
anyone (every pod and address), cluster (every pod outside the other end's namespace) or
other-tenants. The own policies of the last three count as allow-all. --port is 5432/TCP,
a range as 8000-8080/UDP, or a protocol as ICMP; without one every port is meant.

Exit codes: 0 allowed, or printed; 1 denied, also in part; 2 unknown, or something
cannot be read. What is wrong with policies goes to stderr.`,
		Args: arguments("DIR"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	r := &reachRequest{cluster: clusterFlags(cmd)}
	flags := cmd.Flags()
	flags.BoolVar(&r.live, "live", false, "ask the cluster instead of a folder")
	flags.StringArrayVar(&r.tenants, "tenant", nil, "only connections of this tenant, by the name of its namespace (repeatable)")
	flags.StringVar(&r.question.From, "from", "", "one question: who")
	flags.StringVar(&r.question.To, "to", "", "one question: whom")
	flags.StringArrayVar(&r.ports, "port", nil, "one question: on which port, as 5432/TCP (repeatable; default: every one)")
	flags.BoolVar(&r.expand, "expand", false, "list the members of groups")
	flags.BoolVar(&r.pending, "pending", false, "evaluate staged policies as if they were enforced")
	flags.StringArrayVar(&r.podCIDRs, "pod-cidr", nil, "range of pod addresses (repeatable; default: network.podCIDRs of ringfence.yaml, or the live IP pools)")
	flags.StringVar(&r.calicoVersion, "calico-version", "", "Calico version whose semantics hold, as 3.31 (default: network.calicoVersion, or the live one)")
	r.output = outputFlag(cmd, "text", "json", "svg", "mermaid")
	must(cmd.RegisterFlagCompletionFunc("tenant", completeTenant))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r.dir = folderOf(args)
		if err := r.complete(cmd, args); err != nil {
			return err
		}
		return r.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// complete checks that the flags fit together.
func (r *reachRequest) complete(cmd *cobra.Command, args []string) error {
	r.asked = r.question.From != "" || r.question.To != ""
	switch {
	case r.asked && (r.question.From == "" || r.question.To == ""):
		return usage(cmd, "--from and --to go together")
	case !r.asked && len(r.ports) > 0:
		return usage(cmd, "--port goes with --from and --to")
	case r.asked && len(r.tenants) > 1:
		return usage(cmd, "one question has at most one --tenant")
	case r.asked && r.output.value != "text" && r.output.value != "json":
		return usage(cmd, "one question is answered as text or json, not %s", r.output.value)
	case r.live && len(args) > 0:
		return usage(cmd, "--live asks the cluster: leave %s out", args[0])
	}
	if r.asked && len(r.tenants) == 1 {
		r.question.Tenant = r.tenants[0]
	}
	return nil
}

func (r *reachRequest) run(ctx context.Context, stdout, stderr io.Writer) error {
	w, unreadable, err := r.world(ctx, stderr)
	if err != nil {
		return err
	}
	problems := w.Problems()
	for _, p := range problems {
		fmt.Fprintln(stderr, p.Error())
	}
	for _, gap := range w.Gaps {
		fmt.Fprintf(stderr, "not the whole picture: %s\n", gap)
	}
	if r.asked {
		return r.decide(w, unreadable, stdout)
	}
	if err := r.print(w, stdout); err != nil {
		return err
	}
	if unreadable || len(problems) > 0 {
		return &exitError{code: exitUnknown}
	}
	return nil
}

// world makes the world that is asked about. unreadable says that something that may decide any question is missing.
func (r *reachRequest) world(ctx context.Context, stderr io.Writer) (w *world.World, unreadable bool, err error) {
	if r.live {
		return r.liveWorld(ctx)
	}
	snapshot, err := sources.Folder(r.dir)
	if err != nil {
		return nil, false, err
	}
	files := snapshot.FS()
	repository, err := config.ReadRepository(files)
	if err != nil {
		return nil, false, err
	}
	options, err := r.options(repository.Network)
	if err != nil {
		return nil, false, err
	}
	isRepository, err := hasKustomizations(files)
	if err != nil {
		return nil, false, err
	}
	var problems []kustomize.Problem
	if isRepository {
		rendering, err := renderFolder(ctx, r.dir)
		if err != nil {
			return nil, false, err
		}
		all := everything(rendering)
		problems = all.problems
		if w, err = world.OfRendering(rendering, repository.Layout, options); err != nil {
			return nil, false, err
		}
		for _, tenant := range r.tenants {
			if !slices.Contains(w.Tenants, tenant) {
				return nil, false, unknownTenant(rendering, tenant)
			}
		}
	} else if w, problems, err = world.OfFolder(files, repository.Kustomize().Limits, options); err != nil {
		return nil, false, err
	}
	for _, p := range problems {
		fmt.Fprintln(stderr, p.Error())
	}
	return w, len(problems) > 0, nil
}

func (r *reachRequest) options(network config.Network) (world.Options, error) {
	for i, text := range r.podCIDRs {
		cidr, err := netip.ParsePrefix(text)
		if err != nil {
			return world.Options{}, fmt.Errorf("--pod-cidr %s: %w", text, err)
		}
		if i == 0 {
			network.PodCIDRs = nil
		}
		network.PodCIDRs = append(network.PodCIDRs, cidr)
	}
	if r.calicoVersion != "" {
		network.CalicoVersion = r.calicoVersion
	}
	return world.Options{Network: network, Pending: r.pending}, nil
}

func (r *reachRequest) liveWorld(ctx context.Context) (*world.World, bool, error) {
	options, err := r.options(config.DefaultRepository().Network)
	if err != nil {
		return nil, false, err
	}
	restConfig, err := r.cluster.rest()
	if err != nil {
		return nil, false, err
	}
	silenceClient()
	restConfig.QPS = -1 // one LIST for each kind: the API server's own fairness is enough
	client, err := dynamic.NewForConfig(restConfig)
	if err != nil {
		return nil, false, fmt.Errorf("reaching the API server: %w", err)
	}
	return world.OfCluster(ctx, client, options, len(r.podCIDRs) > 0)
}

// hasKustomizations tells a policy repository from a plain folder of manifests.
func hasKustomizations(files fs.FS) (found bool, err error) {
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == config.RepositoryFile,
			slices.Contains([]string{"kustomization.yaml", "kustomization.yml", "Kustomization"}, entry.Name()) && !entry.IsDir():
			found = true
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("looking for kustomizations: %w", err)
	}
	return found, nil
}

// portsAsked joins the --port flags.
func (r *reachRequest) portsAsked() (reach.Ports, error) {
	if len(r.ports) == 0 {
		return reach.AllPorts(), nil
	}
	var out reach.Ports
	var errs []error
	for _, text := range r.ports {
		ports, err := reach.ParsePorts(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--port %s: %w", text, err))
		}
		out = out.Union(ports)
	}
	return out, errors.Join(errs...)
}
