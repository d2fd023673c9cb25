package main

import (
	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
)

// server is the daemon that is asked, and how.
type server struct{ url, tokenFile string }

// serverFlag adds --server, which names the daemon that is asked, and --token-file.
func serverFlag(cmd *cobra.Command) *server {
	s := &server{}
	cmd.Flags().StringVar(&s.url, "server", "http://127.0.0.1:8080", "URL of the daemon")
	cmd.Flags().StringVar(&s.tokenFile, "token-file", "", "file with a bearer token of the cluster, for a daemon with http.auth: kubernetes")
	must(cmd.MarkFlagFilename("token-file"))
	return s
}

// daemonAt returns a client of a running daemon.
func daemonAt(cmd *cobra.Command, s *server) (*api.Client, error) {
	c, err := api.NewClient(s.url)
	if err != nil {
		return nil, usage(cmd, "%v", err)
	}
	if s.tokenFile != "" {
		c.TokenFile(s.tokenFile)
	}
	return c, nil
}

// completeFromDaemon completes names of tenants as the daemon knows them.
func completeFromDaemon(server *server) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		daemon, err := daemonAt(cmd, server)
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
