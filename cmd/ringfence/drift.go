package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// driftRequest is what was asked for.
type driftRequest struct {
	daemon *api.Client
	tenant string
	output *format
	now    func() time.Time
}

func newDriftCommand(environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drift [--tenant T] [--watch]",
		Short: "What differs between Git and the cluster, as a running daemon says",
		Long: `Asks a running daemon for the differences between Git and the cluster: those that stand,
what opens a fence first, and those that were corrected within the last 15 minutes. Each is
told with its object, what it does to traffic, since when, who wrote it, the fields as
"path: what Git says → what the cluster has", the connections that it opens or closes, the
place in Git, and why it is left standing. -o json prints the rows as the daemon has them.

With --watch it asks every second and prints what changes, a line each, until Ctrl-C:
appeared, changed, corrected, gone (no more, and not by the daemon's hand), lost (the daemon
cannot be reached, is not ready, or is blind) and back. With -o json each line is an object.

Exit codes: 0 nothing stands; 1 something does, other than what drift.ignore names; 2 it cannot
be told: the daemon cannot be reached, is not ready, or is blind. With --watch: 0 on Ctrl-C.`,
		Args: arguments(),
	}
	r := &driftRequest{now: time.Now}
	server := serverFlag(cmd)
	cmd.Flags().StringVar(&r.tenant, "tenant", "", "only this tenant, by the name of its namespace; _cluster is what belongs to none")
	watch := cmd.Flags().Bool("watch", false, "print what changes until Ctrl-C")
	r.output = outputFlag(cmd, "text", "json")
	must(cmd.RegisterFlagCompletionFunc("tenant", completeFromDaemon(server)))
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if cmd.Flags().Changed("tenant") && r.tenant == "" {
			return usage(cmd, "--tenant is empty")
		}
		if r.daemon, err = daemonAt(cmd, server); err != nil {
			return err
		}
		if *watch {
			return r.watch(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		}
		return r.run(cmd.Context(), cmd.OutOrStdout())
	}
	return cmd
}

func (r *driftRequest) run(ctx context.Context, stdout io.Writer) error {
	status, err := r.daemon.Status(ctx)
	if err != nil {
		return err
	}
	unsure := status.Unsure()
	if unsure == "" {
		if err := r.known(ctx); err != nil {
			return err
		}
	}
	rows, err := r.daemon.Drift(ctx, r.tenant)
	if err != nil {
		return err
	}
	rows = api.Urgent(rows)
	if r.output.value == "json" {
		err = writeJSON(stdout, rows)
	} else {
		err = r.print(stdout, rows, unsure == "")
	}
	if err != nil {
		return err
	}
	if unsure != "" {
		return &exitError{exitUnknown, errors.New("not the whole picture: " + printable(unsure))}
	}
	if slices.ContainsFunc(rows, api.Difference.Stands) {
		return &exitError{code: exitFindings}
	}
	return nil
}

// known returns an error if the daemon knows no such tenant: the drift of a name that is misspelt would always be none.
func (r *driftRequest) known(ctx context.Context) error {
	if r.tenant == "" {
		return nil
	}
	_, err := r.daemon.Tenant(ctx, r.tenant)
	switch {
	case !errors.Is(err, api.ErrNoTenant):
		return err
	case r.tenant == api.ClusterOverlay:
		return nil // what belongs to no tenant can differ without it too
	}
	return unheardOf(ctx, r.daemon, r.tenant)
}

// unheardOf says that the daemon knows no such tenant, and which one may be meant.
func unheardOf(ctx context.Context, daemon *api.Client, name string) error {
	tenants, err := daemon.Tenants(ctx)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("the daemon knows no tenant %q", name)
	if near := strict.Nearest(name, tenantRows(tenants)); near != "" {
		text += fmt.Sprintf(" (did you mean %s?)", near)
	}
	return errors.New(text)
}

// watch prints what changes until ctx ends.
func (r *driftRequest) watch(ctx context.Context, stdout, stderr io.Writer) error {
	watcher := r.daemon.Watch(r.tenant)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	told := false
	for {
		changes, err := watcher.Look(ctx)
		if err != nil {
			return nil // Ctrl-C: the only error is the context's
		}
		for _, change := range changes {
			if err := r.printChange(stdout, change); err != nil {
				return err
			}
		}
		if n, looked := watcher.Standing(); looked && !told {
			told = true
			fmt.Fprintf(stderr, "watching %s: %s %s now\n", r.daemon, counted(n, "difference"), verb(n, "stand"))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// verb returns "stands" for one and "stand" for more.
func verb(n int, what string) string {
	if n == 1 {
		return what + "s"
	}
	return what
}

func (r *driftRequest) printChange(out io.Writer, c api.Change) error {
	if r.output.value == "json" {
		line, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("writing JSON: %w", err)
		}
		_, err = out.Write(append(line, '\n'))
		return err
	}
	l := &lines{}
	l.add("%s", strings.TrimSpace(changeWords(c)))
	return l.write(out)
}
