package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/app"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/web"
)

func newRunCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run --config FILE",
		Short: "The daemon",
		Long: `Runs the daemon until SIGTERM or SIGINT: polls the policy repository, keeps the
cluster equal to it, and serves the page, the API and metrics.

Git and the API server may be away, also at the start: they are waited for, and
/readyz says so. A configuration that cannot work ends it with exit code 2.`,
		Args: arguments(),
	}
	file := cmd.Flags().String("config", "", "the daemon's configuration file (required)")
	must(cmd.MarkFlagFilename("config", "yaml", "yml"))
	cluster := clusterFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file == "" {
			return usage(cmd, "--config is required")
		}
		daemon, err := readDaemon(*file)
		if err != nil {
			return err
		}
		if err := daemon.CheckFiles(); err != nil {
			return err
		}
		restConfig, err := cluster.rest()
		if err != nil {
			return err
		}
		silenceClient()
		podIP, _ := env.LookupEnv("POD_IP") // the Deployment says it
		return app.Run(cmd.Context(), app.Config{
			Daemon: daemon, REST: restConfig, Build: webBuild(), Log: newLogger(env.Stderr, daemon.Log), PodIP: podIP,
		})
	}
	return cmd
}

// connection is how a cluster is chosen, as in kubectl.
type connection struct{ kubeconfig, context string }

func clusterFlags(cmd *cobra.Command) *connection {
	c := &connection{}
	cmd.Flags().StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file (default: $KUBECONFIG, ~/.kube/config, or the pod's own)")
	cmd.Flags().StringVar(&c.context, "context", "", "context of the kubeconfig (default: its current one)")
	must(cmd.MarkFlagFilename("kubeconfig"))
	return c
}

func (c *connection) rest() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	out, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("choosing the cluster: %w (hint: --kubeconfig FILE, or run in a pod with a service account)", err)
	}
	return out, nil
}

// newLogger returns the daemon's logger.
func newLogger(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // config allows only what slog knows
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// silenceClient keeps client-go from writing to stderr by itself: whatever of
// it matters is logged by the room that asked.
func silenceClient() { klog.SetSlogLogger(slog.New(slog.DiscardHandler)) }

func webBuild() web.Build {
	b := buildInfo()
	return web.Build{Version: b.Version, Revision: b.Revision}
}
