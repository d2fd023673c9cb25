package config

import (
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
)

// Kustomize returns what package kustomize needs to know of the layout and the
// limits. The caller adds what is not configuration: Owner, Metrics, and
// OwnNamespace where it is known.
func (r *Repository) Kustomize() kustomize.Config {
	cfg := kustomize.Config{
		Tenants:         r.Layout.Tenants,
		Cluster:         r.Layout.Cluster,
		Namespaces:      r.Layout.Namespaces,
		NamespaceLabels: r.Layout.NamespaceLabels,
		TenantTiers:     r.Layout.TenantTiers,
		Limits: kustomize.Limits{
			FileBytes:        int64(r.Limits.FileBytes),
			YAMLDepth:        r.Limits.YAMLDepth,
			YAMLAliases:      r.Limits.YAMLAliases,
			ObjectsPerTenant: r.Limits.ObjectsPerTenant,
			RenderTime:       r.Limits.RenderTime,
		},
	}
	if r.GuardRequired() || r.Layout.Guard != kustomize.DefaultGuard {
		cfg.Guard = r.Layout.Guard // "" there means: the default, if it exists
	}
	return cfg
}

// Sources returns what package sources needs to know of the source. The limits
// are the pinned ones and the defaults, since ringfence.yaml can only be read when
// the revision has been fetched. The caller adds Dir, Metrics and Log.
func (d *Daemon) Sources() sources.Config {
	s := d.Source
	return sources.Config{
		URL:         s.URL,
		Ref:         sources.Ref(s.Ref),
		Path:        s.Path,
		Auth:        sources.Auth(s.Auth),
		TLS:         sources.TLS(s.TLS),
		Proxy:       s.Proxy,
		AllowRewind: s.AllowRewind,
		Limits: sources.Limits{
			TreeBytes: int64(d.pins.Limits.TreeBytes),
			Files:     d.pins.Limits.Files,
			FileBytes: int64(d.pins.Limits.FileBytes),
		},
	}
}
