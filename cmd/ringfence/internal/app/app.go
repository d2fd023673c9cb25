package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/enforcer"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/web"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync"
)

// Config is what a daemon needs.
type Config struct {
	// Daemon is its configuration. Required.
	Daemon *config.Daemon
	// REST reaches the API server. It is copied. Required.
	REST *rest.Config
	// Build is what ringfence_build_info and the page show.
	Build web.Build
	// Log gets the daemon's log. Required.
	Log *slog.Logger
	// Started, if set, is called once everything runs, with the address that the
	// page listens on and the engine.
	Started func(address string, engine *sync.Replica)
}

// Run runs the daemon until ctx is done. It returns an error only for what a
// person must mend before it can run at all: configuration that contradicts
// reality, an address that is taken. Git and the API server are waited for.
func Run(ctx context.Context, c Config) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	source, err := newSource(c, registry)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	engine, watcher, err := newEngine(c, source, registry)
	if err != nil {
		return err
	}
	poller, err := sources.NewPoller(sources.PollerConfig{Repository: source, Schedule: c.Daemon.Source.Poll, Log: c.Log})
	if err != nil {
		return err
	}
	registerSummary(registry, c, engine)
	handler := web.New(web.Config{
		Instance: c.Daemon.Instance, Build: c.Build, Engine: engine, Source: sourceView{source, poller}, Gatherer: ofLeader(registry, engine.Leads),
		Metrics: c.Daemon.HTTP.MetricsListen == "",
	})
	servers, err := listen(c.Daemon.HTTP, handler)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range servers {
		group.Go(func() error { return s.run(ctx) })
	}
	group.Go(func() error { return handler.Run(ctx) })
	group.Go(func() error { return engine.Run(ctx) })
	group.Go(func() error { return watcher.Run(ctx) })
	group.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-engine.Loaded():
		}
		return poller.Run(ctx)
	})
	group.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case s := <-poller.Snapshots():
				engine.Offer(s)
			}
		}
	})
	c.Log.Info("ringfence runs", "instance", c.Daemon.Instance, "source", source.URL(), "listen", servers[0].address(), "version", c.Build.Version)
	if c.Started != nil {
		c.Started(servers[0].address(), engine)
	}
	return group.Wait()
}

func newSource(c Config, reg prometheus.Registerer) (*sources.Repository, error) {
	sc := c.Daemon.Sources()
	sc.Dir = filepath.Join(c.Daemon.DataDir, "git")
	sc.Metrics = sources.NewMetrics(reg)
	sc.Log = c.Log
	return sources.New(sc)
}

func newEngine(c Config, source *sources.Repository, reg prometheus.Registerer) (*sync.Replica, *enforcer.Watcher, error) {
	rc := rest.CopyConfig(c.REST)
	rc.QPS = float32(c.Daemon.Sync.QPS)
	rc.Burst = max(10, int(rc.QPS)*2)
	rc.UserAgent = "ringfence/" + c.Build.Version
	rc.Wrap(newRequestCounter(reg).wrap)
	lease, err := newLease(c, rc, source)
	if err != nil {
		return nil, nil, err
	}
	if lease != nil {
		rc.Wrap(lease.Fence.Wrap)
	}
	dyn, err := dynamic.NewForConfig(rc)
	if err != nil {
		return nil, nil, fmt.Errorf("reaching the API server: %w", err)
	}
	disc, err := discovery.NewDiscoveryClientForConfig(rc)
	if err != nil {
		return nil, nil, fmt.Errorf("reaching the API server: %w", err)
	}
	meta, err := metadata.NewForConfig(rc)
	if err != nil {
		return nil, nil, fmt.Errorf("reaching the API server: %w", err)
	}
	kube, err := kubernetes.NewForConfig(rc)
	if err != nil {
		return nil, nil, fmt.Errorf("reaching the API server: %w", err)
	}
	r := &renderer{daemon: c.Daemon, metrics: kustomize.NewMetrics(reg), log: c.Log}
	engine, err := sync.NewReplica(sync.Config{
		Dynamic: dyn, Discovery: disc, Metadata: meta, Kube: kube,
		Renderer: r, Source: source,
		Instance: c.Daemon.Instance, Namespace: c.Daemon.LeaderElection.Namespace,
		Mode: mode(c.Daemon), Workers: c.Daemon.Sync.Workers,
		MaxPrune: sync.PruneLimit(c.Daemon.Sync.MaxPrune), Freeze: freezes(c.Daemon.Sync.Freeze),
		Audit: c.Daemon.Drift.Audit, BreakGlass: c.Daemon.Drift.BreakGlass.MaxDuration,
		Metrics: sync.NewMetrics(reg), DriftMetrics: drift.NewMetrics(reg),
		Log: c.Log,
	}, lease)
	if err != nil {
		return nil, nil, err
	}
	r.owner = engine.Owner
	watcher := enforcer.New(enforcer.Config{Kube: kube, Log: c.Log})
	reg.MustRegister(watcher)
	return engine, watcher, nil
}

// freezes returns the windows of sync.freeze.
func freezes(windows []config.Freeze) []sync.Freeze {
	out := make([]sync.Freeze, len(windows))
	for i, w := range windows {
		out[i] = sync.Freeze{Start: w.Start.Schedule, Duration: w.Duration, Zone: w.Location()}
	}
	return out
}

// newLease returns how the replicas choose the one that writes; nil if there are
// no others, or nothing is written anyway.
func newLease(c Config, rc *rest.Config, source *sources.Repository) (*sync.Lease, error) {
	if !c.Daemon.LeaderElection.Enabled || mode(c.Daemon) == sync.Observe {
		return nil, nil
	}
	kube, err := kubernetes.NewForConfig(rc)
	if err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	return &sync.Lease{Kube: kube, Fence: sync.NewFence(), Poll: source.Poll}, nil
}

func mode(d *config.Daemon) sync.Mode {
	switch {
	case d.Sync.Mode == "observe":
		return sync.Observe
	case d.Drift.Mode == "report":
		return sync.Report
	}
	return sync.Correct
}

// server is an HTTP server that listens already.
type server struct {
	http     *http.Server
	listener net.Listener
}

// listen takes the addresses, the page's first.
func listen(c config.HTTP, h *web.Handler) ([]*server, error) {
	var out []*server
	add := func(key, address string, handler http.Handler) error {
		l, err := net.Listen("tcp", address)
		if err != nil {
			for _, s := range out {
				_ = s.listener.Close()
			}
			return fmt.Errorf("listening on http.%s: %w (hint: another address, or end the process that has it)", key, err)
		}
		out = append(out, &server{listener: l, http: &http.Server{
			Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		}})
		return nil
	}
	if err := add("listen", c.Listen, h); err != nil {
		return nil, err
	}
	if c.MetricsListen != "" {
		if err := add("metricsListen", c.MetricsListen, h.Metrics()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *server) address() string { return s.listener.Addr().String() }

func (s *server) run(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if s.http.Shutdown(grace) != nil {
			_ = s.http.Close()
		}
	}()
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	<-done
	return nil
}

// sourceView is what the web server sees of the source.
type sourceView struct {
	repository *sources.Repository
	poller     *sources.Poller
}

// URL returns the repository's URL without secrets.
func (v sourceView) URL() string { return v.repository.URL() }

// Status returns what the last poll found.
func (v sourceView) Status() sources.Status { return v.poller.Status() }
