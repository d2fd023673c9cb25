package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
)

func newDriftCommand(environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drift [--watch] [--server URL]",
		Short: "Where the cluster differs from Git, as a running daemon says",
		Long: `Asks a running daemon where the cluster differs from Git: what was changed, by whom, since
when, and what it does to traffic. What opens connections comes first. Differences that
were corrected within the last 15 minutes are listed at the end.

With --watch it asks every second until Ctrl-C and prints what changes, a line for each:
what appeared, changed, was corrected, or is gone. With -o json that is one object for
each line: {"time", "change", "difference"}.

Exit codes: 0 no difference stands; 1 some do (those that a rule of drift.ignore names
do not count); 2 the daemon cannot be reached, or does not see the cluster.`,
		Args: arguments(),
	}
	server := serverFlag(cmd)
	watch := cmd.Flags().Bool("watch", false, "print changes until Ctrl-C")
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := api.NewClient(*server)
		if err != nil {
			return err
		}
		if *watch {
			w := &driftWatch{client: client, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), json: output.value == "json"}
			return w.run(cmd.Context())
		}
		return printDrift(cmd.Context(), client, output.value, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

func printDrift(ctx context.Context, client *api.Client, format string, stdout, stderr io.Writer) error {
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	rows, err := client.Drift(ctx)
	if err != nil {
		return err
	}
	if format == "json" {
		err = writeJSON(stdout, rows)
	} else {
		_, err = io.WriteString(stdout, printable(driftText(rows)))
	}
	if err != nil {
		return err
	}
	blind := blindness(status)
	if blind != "" {
		fmt.Fprintln(stderr, printable("not the whole picture: "+blind))
	}
	if code := driftCode(rows, blind); code != exitClean {
		return &exitError{code: code}
	}
	return nil
}

// driftCode is the exit code. What cannot be seen is never in order.
func driftCode(rows []api.Difference, blind string) int {
	if blind != "" {
		return exitUnknown
	}
	for _, d := range rows {
		if counts(d) {
			return exitFindings
		}
	}
	return exitClean
}

// counts reports whether a difference stands and is not one that Git says to ignore.
func counts(d api.Difference) bool {
	return d.Corrected == nil && (d.Held == nil || *d.Held != drift.Ignore)
}
