package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/ringfence/ringfence"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/app"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/sources/gitserver"
	"github.com/ringfence/ringfence/sync"
	"github.com/ringfence/ringfence/sync/controlplane"
)

func newDemoCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "The whole system on this machine",
		Long: `Starts a real control plane (etcd and kube-apiserver), serves a copy of the example
policy repository over HTTP, runs the daemon on both, and says what to try. All of it
listens on loopback only. Ctrl-C stops it and leaves nothing behind.

It needs git, and either a checkout of Ringfence with Go, from which the control plane
is built once, or a ready one that RINGFENCE_CONTROLPLANE names.`,
		Args: arguments(),
	}
	address := cmd.Flags().String("listen", "", "address of the page, the API and metrics (default 127.0.0.1:8080, or a free port if that is taken)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		silenceClient()
		d := &demo{env: env, listen: *address}
		if d.listen == "" {
			d.listen = preferred("127.0.0.1:8080")
		}
		return d.run(cmd.Context())
	}
	return cmd
}

// demo is the whole system on one machine. Everything it makes is under one
// temporary folder.
type demo struct {
	env    environment
	listen string
	dir    string
}

func (d *demo) run(ctx context.Context) (err error) {
	if _, err := exec.LookPath("git"); err != nil {
		return fmt.Errorf("the demo needs git, and there is none: %w", err)
	}
	if d.dir, err = makeFolder(); err != nil {
		return err
	}
	defer func() {
		if e := os.RemoveAll(d.dir); err == nil {
			err = e
		}
	}()
	fmt.Fprintln(d.env.Stderr, "starting a control plane …")
	plane, err := controlplane.Start(ctx, controlplane.Config{Dir: filepath.Join(d.dir, "controlplane"), Calico: controlplane.CalicoCRD, Log: d.env.Stderr})
	if err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C
		}
		return err
	}
	defer func() {
		if e := plane.Stop(); err == nil {
			err = e
		}
	}()
	if err := d.linkCommands(plane.Kubectl()); err != nil {
		return err
	}
	git, err := gitserver.New(gitserver.Config{Dir: filepath.Join(d.dir, "git"), Listen: preferred("127.0.0.1:8081")})
	if err != nil {
		return err
	}
	defer func() { _ = git.Close() }()
	if err := git.CreateRepository("policies", ringfence.Example()); err != nil {
		return err
	}
	return d.daemon(ctx, plane, git.URL("policies"))
}

// makeFolder makes the folder of everything, under a name that is easy to type if
// nothing else has it.
func makeFolder() (string, error) {
	dir := filepath.Join(os.TempDir(), "ringfence-demo")
	if os.Mkdir(dir, 0o700) == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "ringfence-demo-")
}

// preferred returns the address if it is free, and otherwise that of a port that
// the system chooses.
func preferred(address string) string {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close()
	return address
}

// linkCommands puts kubectl and this very program into the demo's folder, which can be had on the PATH: by `go run` the program
// is nowhere that anyone would find it.
func (d *demo) linkCommands(kubectl string) error {
	if err := os.Symlink(kubectl, d.kubectl()); err != nil {
		return err
	}
	own, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the program itself: %w", err)
	}
	return os.Symlink(own, d.ringfence())
}

func (d *demo) ringfence() string { return filepath.Join(d.dir, "ringfence") }

func (d *demo) kubectl() string { return filepath.Join(d.dir, "kubectl") }

// daemon runs the daemon and says what to try once everything is applied.
func (d *demo) daemon(ctx context.Context, plane *controlplane.ControlPlane, url string) error {
	daemon, err := config.ParseDaemon("demo.yaml", []byte(fmt.Sprintf(`apiVersion: ringfence.dev/v1
kind: Config
dataDir: %q
source: {url: %q, poll: "@every 1s"}
http: {listen: %q}
`, filepath.Join(d.dir, "data"), url, d.listen)))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		select {
		case <-plane.Done():
			return fmt.Errorf("the control plane ended by itself")
		case <-ctx.Done():
			return nil
		}
	})
	group.Go(func() error {
		err := app.Run(ctx, app.Config{
			Daemon: daemon, REST: plane.REST(), Build: webBuild(), Log: d.logger(),
			Started: func(address string, engine *sync.Replica) {
				group.Go(func() error { return d.greet(ctx, url, address, engine) })
			},
		})
		cancel(nil)
		return err
	})
	return group.Wait()
}

// logger shortens times: the demo is watched as it goes.
func (d *demo) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(d.env.Stderr, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			a.Value = slog.StringValue(a.Value.Time().Format("15:04:05.000"))
		}
		return a
	}}))
}

// greet waits until every tenant is synced and prints what to try next.
func (d *demo) greet(ctx context.Context, url, address string, engine *sync.Replica) error {
	for {
		s := engine.Status()
		if n := s.Tenants[sync.Synced]; s.Ready && n > 0 && n == total(s.Tenants) {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
	var names []string
	for _, t := range engine.Tenants() {
		if t.Name != "" {
			names = append(names, t.Name)
		}
	}
	return greeting.Execute(d.env.Stdout, map[string]string{
		"Tenants": strings.Join(names, ", "), "Page": "http://" + reachable(address), "Git": url,
		"Kubectl": d.kubectl(), "Ringfence": d.ringfence(), "Clone": filepath.Join(os.TempDir(), "policies"),
	})
}

// reachable returns the address under which a listener is reached from this
// machine.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func total(counts map[sync.State]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

var greeting = template.Must(template.New("greeting").Parse(`
Ringfence fences {{.Tenants}} on a real Kubernetes API.

  page     {{.Page}}
  drift    {{.Page}}/api/v1/drift
  metrics  {{.Page}}/metrics
  Git      {{.Git}}
  kubectl  {{.Kubectl}}

Try, in another terminal:

  # a fence
  {{.Kubectl}} get networkpolicies,networkpolicies.projectcalico.org -n caas-acme

  # open it by hand, under another name: it is reported, and undone
  {{.Kubectl}} patch networkpolicy deny-all -n caas-acme --field-manager rogue --type merge -p '{"spec":{"ingress":[{}]}}'
  {{.Kubectl}} get networkpolicy deny-all -n caas-acme -o yaml
  curl -s {{.Page}}/api/v1/drift

  # add a tenant by a push
  git clone {{.Git}} {{.Clone}} && cd {{.Clone}}
  {{.Ringfence}} tenant new umbrella
  git add . && git commit -m 'add umbrella' && git push
  {{.Kubectl}} get networkpolicies -n caas-umbrella

Ctrl-C stops everything and leaves nothing behind.
`))
