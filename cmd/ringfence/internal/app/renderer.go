package app

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync"
)

// renderer reads each revision's own ringfence.yaml, lets the daemon's pins win,
// and renders with it. The kustomize renderer, and what it remembers, is kept as
// long as the configuration stays the same. It is used by one goroutine.
type renderer struct {
	daemon  *config.Daemon
	metrics *kustomize.Metrics
	log     *slog.Logger
	owner   func(namespace string) (string, bool)

	configured string // what current was made with
	current    *kustomize.Renderer
}

// NewRenderer returns what the daemon renders with, for one goroutine; owner says which overlay owns a namespace.
func NewRenderer(daemon *config.Daemon, owner func(namespace string) (overlay string, ok bool)) sync.Renderer {
	return &renderer{daemon: daemon, metrics: kustomize.NewMetrics(nil), log: slog.New(slog.DiscardHandler), owner: owner}
}

// Render implements sync.Renderer.
func (r *renderer) Render(ctx context.Context, s *sources.Snapshot) (*sync.Rendered, error) {
	repository, err := config.ReadRepository(s.FS())
	if err != nil {
		return nil, err
	}
	if repository, err = r.daemon.Merge(repository); err != nil {
		return nil, err
	}
	if err := repository.CheckTree(s.FS()); err != nil {
		return nil, err
	}
	cfg := repository.Kustomize()
	cfg.OwnNamespace = r.daemon.LeaderElection.Namespace
	// As text, every field counts, also one that is yet to be added.
	if configured := fmt.Sprintf("%#v", cfg); r.current == nil || configured != r.configured {
		cfg.Owner, cfg.Metrics = r.owner, r.metrics
		next, err := kustomize.New(cfg)
		if err != nil {
			return nil, err
		}
		r.configured, r.current = configured, next
	}
	rendering, err := r.current.Render(ctx, s.FS())
	if err != nil {
		return nil, err
	}
	r.warn(rendering, s.Revision())
	current, files := r.current, s.FS()
	return &sync.Rendered{
		Rendering: rendering,
		Expect:    repository.Layout.Expect,
		Network:   networkOf(repository.Network),
		TenantMay: repository.Layout.TenantMay,
		Ignore:    ignoreRules(repository.Drift.Ignore), DeleteExtra: repository.Drift.Extra == "delete",
		Field: func(overlay string, o kustomize.Object, way ...any) kustomize.Problem {
			return current.Field(files, overlay, o, way...)
		},
		Guard: func(ctx context.Context, namespace string) ([]kustomize.Object, error) {
			return current.Guard(ctx, files, namespace)
		},
	}, nil
}

// ignoreRules returns the rules of drift.ignore.
func ignoreRules(rules []config.Ignore) []drift.IgnoreRule {
	out := make([]drift.IgnoreRule, len(rules))
	for i, r := range rules {
		out[i] = drift.IgnoreRule(r)
	}
	return out
}

// networkOf returns what policies need to know of the cluster's network.
func networkOf(n config.Network) exposure.Network {
	out := exposure.Network{PodCIDRs: n.PodCIDRs, NodeCIDRs: n.NodeCIDRs, CalicoVersion: n.CalicoVersion}
	if out.CalicoVersion == "auto" { // asking the cluster is not built yet: the default's semantics hold
		out.CalicoVersion = ""
	}
	return out
}

// warn says what a revision holds that this version does not act on.
func (r *renderer) warn(rendering *kustomize.Rendering, revision sources.Revision) {
	kinds := map[string]int{}
	count := func(t *kustomize.Tenant) {
		for _, o := range t.Settings {
			if o.GetKind() == "PolicyTest" {
				kinds[o.GetKind()]++
			}
		}
	}
	for _, t := range rendering.Tenants {
		count(t)
	}
	if rendering.Cluster != nil {
		count(rendering.Cluster)
	}
	for kind, n := range kinds {
		r.log.Warn("this version does not act on objects of this kind", "object", kind+".ringfence.dev", "count", n, "revision", revision.Short())
	}
}
