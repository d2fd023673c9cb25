package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/sync"
)

// statusRequest is what was asked for.
type statusRequest struct {
	daemon  *api.Client
	tenant  string
	all     bool
	wait    bool
	timeout time.Duration
	output  *format
}

func newStatusCommand(environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [--all | --tenant T] [--wait]",
		Short: "What a running daemon says of its tenants",
		Long: `Asks a running daemon for the whole and its tenants: first the whole in one line, then
the tenants that are not synced with what is wrong and where (with --all every one), then how
many there are in each state. _cluster is the cluster overlay. -o json has every tenant.

With --tenant it tells of one tenant alone, and of its last rounds: what each changed and why, or how
it failed. _cluster is the cluster overlay.

With --wait it first waits until every tenant is synced, and shows how far that is on
stderr: a bar on a terminal, and otherwise a line now and then.

Exit codes: 0 every tenant is synced; 1 one is not, the cluster overlay is not, or an overlay
is refused whose tenant cannot be known; 2 the daemon cannot be reached, is not ready, or is blind.
Namespaces that should be fenced and are no tenant's are named and change nothing of that.`,
		Args: arguments(),
	}
	r := &statusRequest{}
	server := serverFlag(cmd)
	cmd.Flags().BoolVar(&r.all, "all", false, "list the tenants that are synced too")
	cmd.Flags().StringVar(&r.tenant, "tenant", "", "only this tenant, by the name of its namespace, with its last rounds")
	must(cmd.RegisterFlagCompletionFunc("tenant", completeFromDaemon(server)))
	cmd.Flags().BoolVar(&r.wait, "wait", false, "wait until every tenant is synced")
	cmd.Flags().DurationVar(&r.timeout, "timeout", 5*time.Minute, "how long --wait may take; 0: for ever")
	r.output = outputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		switch {
		case cmd.Flags().Changed("timeout") && !r.wait:
			return usage(cmd, "--timeout goes with --wait")
		case cmd.Flags().Changed("tenant") && r.tenant == "":
			return usage(cmd, "--tenant is empty")
		case r.tenant != "" && r.all:
			return usage(cmd, "--tenant and --all contradict each other")
		case r.timeout < 0:
			return usage(cmd, "--timeout %v is negative", r.timeout)
		}
		if r.daemon, err = daemonAt(cmd, server); err != nil {
			return err
		}
		return r.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

func (r *statusRequest) run(ctx context.Context, stdout, stderr io.Writer) error {
	if r.wait {
		w := &syncWait{daemon: r.daemon, timeout: r.timeout, every: time.Second, progress: newProgress(stderr)}
		if err := w.run(ctx); err != nil {
			return err
		}
	}
	if r.tenant != "" {
		return r.one(ctx, stdout)
	}
	overview, err := r.daemon.Overview(ctx)
	if err != nil {
		return err
	}
	if r.output.value == "json" {
		err = writeJSON(stdout, overview)
	} else {
		err = writeStatus(stdout, overview, r.all)
	}
	if err != nil {
		return err
	}
	switch {
	case overview.Status.Unsure() != "":
		return &exitError{code: exitUnknown}
	case !overview.InOrder():
		return &exitError{code: exitFindings}
	}
	return nil
}

// syncWait waits until every tenant is synced.
type syncWait struct {
	daemon   *api.Client
	timeout  time.Duration // 0: none
	every    time.Duration
	progress *progress
}

// run returns when all is in order or the time is over: what there is to say then is said by the status itself. A daemon
// that does not answer yet is waited for as well.
func (w *syncWait) run(ctx context.Context) error {
	defer w.progress.end()
	limit := make(<-chan time.Time)
	if w.timeout > 0 {
		limit = time.After(w.timeout)
	}
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	for {
		if w.look(ctx) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("waiting for every tenant to be synced: interrupted")
		case <-limit:
			return nil
		case <-ticker.C:
		}
	}
}

// look shows how far the daemon is, and reports whether all is in order. While tenants are under way it asks for their
// number alone, which is small.
func (w *syncWait) look(ctx context.Context) (done bool) {
	status, err := w.daemon.Status(ctx)
	switch {
	case err != nil:
		w.progress.say(err.Error())
		return false
	case status.Unsure() != "":
		w.progress.say(status.Unsure())
		return false
	}
	synced, all := status.Tenants[sync.Synced], 0
	for _, n := range status.Tenants {
		all += n
	}
	w.progress.bar(synced, all, stateCounts(status.Tenants))
	if synced < all || len(status.Refused) > 0 {
		return false
	}
	overview, err := w.daemon.Overview(ctx)
	return err == nil && overview.Status.Unsure() == "" && overview.InOrder()
}
