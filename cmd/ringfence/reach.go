package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/world"
	"github.com/ringfence/ringfence/drift/reach"
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
	nodeCIDRs     []string
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
a range as 8000-8080/UDP, an ICMP type as 8/ICMP, or a whole protocol; without one
everything is meant.

Exit codes: 0 allowed, or printed; 1 denied, also in part; 2 unknown, or something that
may matter to what was asked cannot be read. What is wrong with policies goes to stderr.`,
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
	flags.StringSliceVar(&r.ports, "port", nil, "one question: on which port, as 5432/TCP (repeatable; default: every one)")
	flags.BoolVar(&r.expand, "expand", false, "list the members of groups")
	flags.BoolVar(&r.pending, "pending", false, "evaluate staged policies as if they were enforced")
	flags.StringArrayVar(&r.podCIDRs, "pod-cidr", nil, "range of pod addresses (repeatable; default: network.podCIDRs of ringfence.yaml, or the live IP pools)")
	flags.StringArrayVar(&r.nodeCIDRs, "node-cidr", nil, "range of nodes' addresses (repeatable; default: network.nodeCIDRs of ringfence.yaml)")
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
	ports, err := r.portsAsked()
	if err != nil {
		return err
	}
	w, err := r.world(ctx, stderr)
	if err != nil {
		return err
	}
	for _, p := range w.Problems() {
		fmt.Fprintln(stderr, printable(p.Error()))
	}
	for _, gap := range w.Gaps {
		fmt.Fprintln(stderr, printable("not the whole picture: "+gap.Text))
	}
	if r.asked {
		return r.decide(w, ports, stdout)
	}
	return r.print(w, stdout)
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
