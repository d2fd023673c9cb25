package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/sync"
)

func newStatusCommand(environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [--server URL]",
		Short: "What a running daemon says of its tenants",
		Long: `Asks a running daemon how its tenants are: how many stand at Git's newest revision, and
why the others do not.

Exit codes: 0 every tenant is synced; 1 some are not, an overlay or a revision is
refused, removals are held back, or a namespace is not fenced that should be; 2 the
daemon cannot be reached, is not ready, or does not see the cluster or Git.`,
		Args: arguments(),
	}
	server := serverFlag(cmd)
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := api.NewClient(*server)
		if err != nil {
			return err
		}
		r, err := askStatus(cmd.Context(), client)
		if err != nil {
			return err
		}
		if output.value == "json" {
			err = writeJSON(cmd.OutOrStdout(), r)
		} else {
			_, err = io.WriteString(cmd.OutOrStdout(), printable(r.text()))
		}
		if code := r.code(); err == nil && code != exitClean {
			return &exitError{code: code}
		}
		return err
	}
	return cmd
}

// serverFlag adds --server.
func serverFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("server", "http://127.0.0.1:8080", "URL of the daemon")
}

// statusReport is what the daemon says, in its own words.
type statusReport struct {
	Status   api.Status   `json:"status"`
	Tenants  []api.Tenant `json:"tenants"`
	Unfenced []string     `json:"unfenced"`
}

func askStatus(ctx context.Context, client *api.Client) (r statusReport, err error) {
	if r.Status, err = client.Status(ctx); err != nil {
		return r, err
	}
	if r.Tenants, err = client.Tenants(ctx); err != nil {
		return r, err
	}
	r.Unfenced, err = client.Unfenced(ctx)
	return r, err
}

// code is the exit code. What cannot be seen is never in order.
func (r statusReport) code() int {
	s := r.Status
	found := len(s.Refused) > 0 || s.Source.Refused != nil || s.PruneHeld != "" || len(r.Unfenced) > 0
	unseen := blindness(s) != "" || s.Source.Error != "" && s.Source.Refused == nil
	for _, t := range r.Tenants {
		found = found || t.State != sync.Synced
		unseen = unseen || t.State == sync.Unknown
	}
	switch {
	case unseen:
		return exitUnknown
	case found:
		return exitFindings
	}
	return exitClean
}

// blindness says what keeps the daemon from seeing the cluster; "" if nothing does.
func blindness(s api.Status) string {
	switch {
	case len(s.Blind) > 0:
		kind, _, _ := strings.Cut(s.Blind[0], ": ")
		if more := len(s.Blind) - 1; more > 0 {
			kind += fmt.Sprintf(" and %s", counted(more, "more kind"))
		}
		return kind + " cannot be seen"
	case !s.Ready && s.Waiting != "":
		return "it waits: " + s.Waiting
	case !s.Ready:
		return "it is not ready"
	}
	return ""
}
