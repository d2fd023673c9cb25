package main

import (
	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
)

// serverFlag adds --server, which names the daemon that is asked.
func serverFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("server", "http://127.0.0.1:8080", "URL of the daemon")
}

// daemonAt returns a client of a running daemon.
func daemonAt(cmd *cobra.Command, server string) (*api.Client, error) {
	c, err := api.NewClient(server)
	if err != nil {
		return nil, usage(cmd, "%v", err)
	}
	return c, nil
}

// completeFromDaemon completes names of tenants as the daemon knows them.
func completeFromDaemon(server *string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		daemon, err := daemonAt(cmd, *server)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		tenants, err := daemon.Tenants(cmd.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return tenantRows(tenants), cobra.ShellCompDirectiveNoFileComp
	}
}

func tenantRows(tenants []api.Tenant) []string {
	names := make([]string, len(tenants))
	for i, t := range tenants {
		names[i] = t.Name
	}
	return names
}
