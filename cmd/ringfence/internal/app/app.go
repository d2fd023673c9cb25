package app

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
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
	// PodIP is where other replicas reach this one's hooks, if they are served on every address; "" means nowhere.
	PodIP string
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
	pushed := make(chan struct{}, 1)
	poller, err := sources.NewPoller(sources.PollerConfig{Repository: source, Schedule: c.Daemon.Source.Poll, Trigger: pushed, Log: c.Log})
	if err != nil {
		return err
	}
	registerSummary(registry, c, engine)
	guard, err := newGuard(c)
	if err != nil {
		return err
	}
	handler := web.New(web.Config{
		Instance: c.Daemon.Instance, Build: c.Build, Engine: engine, Source: sourceView{source, poller}, Enforcer: watcher.State, Gatherer: ofLeader(registry, engine.Leads),
		Metrics: c.Daemon.HTTP.MetricsListen == "", Guard: guard,
	})
	handing := newRelay(c, engine)
	servers, err := listen(ctx, c.Daemon.HTTP, handler, newHooks(c.Daemon.HTTP, pushed, handing), c.Log)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range servers {
		group.Go(func() error { return s.Run(ctx) })
	}
	group.Go(func() error { return handler.Run(ctx) })
	group.Go(func() error { return engine.Run(ctx) })
	group.Go(func() error { return watcher.Run(ctx) })
	group.Go(func() error { return handing.Run(ctx) })
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
	c.Log.Info("ringfence runs", "instance", c.Daemon.Instance, "source", source.URL(), "listen", servers[0].Address(), "version", c.Build.Version)
	if c.Started != nil {
		c.Started(servers[0].Address(), engine)
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
	kube, err := NewKube(rc)
	if err != nil {
		return nil, nil, err
	}
	r := &renderer{daemon: c.Daemon, metrics: kustomize.NewMetrics(reg), log: c.Log}
	engine, err := sync.NewReplica(sync.Config{
		Dynamic: dyn, Discovery: disc, Metadata: meta, Kube: kube,
		Renderer: r, Source: source,
		Instance: c.Daemon.Instance, Namespace: c.Daemon.LeaderElection.Namespace,
		Mode: mode(c.Daemon), Workers: c.Daemon.Sync.Workers,
		MaxPrune: sync.PruneLimit(c.Daemon.Sync.MaxPrune), Freeze: freezes(c.Daemon.Sync.Freeze),
		Audit: c.Daemon.Drift.Audit, BreakGlass: c.Daemon.Drift.BreakGlass.MaxDuration,
		Metrics: sync.NewMetrics(reg), DriftMetrics: drift.NewMetrics(reg), Rush: collectLess(),
		Log: c.Log,
	}, lease)
	if err != nil {
		return nil, nil, err
	}
	r.owner = engine.Owner
	watcher := enforcer.New(enforcer.Config{Kube: kube.AppsV1(), Log: c.Log})
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
	kube, err := NewKube(rc)
	if err != nil {
		return nil, err
	}
	return &sync.Lease{Kube: kube, Fence: sync.NewFence(), Poll: source.Poll, Address: hookAddress(c.Daemon.HTTP, c.PodIP)}, nil
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

// sourceView is what the web server sees of the source.
type sourceView struct {
	repository *sources.Repository
	poller     *sources.Poller
}

// URL returns the repository's URL without secrets.
func (v sourceView) URL() string { return v.repository.URL() }

// Status returns what the last poll found.
func (v sourceView) Status() sources.Status { return v.poller.Status() }
