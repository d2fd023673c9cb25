package config

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/ringfence/ringfence/drift/reach"
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
		TenantMay:       r.Layout.TenantMay,
		Selector:        reach.CheckSelector,
		Limits: kustomize.Limits{
			FileBytes:        int64(r.Limits.FileBytes),
			YAMLDepth:        r.Limits.YAMLDepth,
			YAMLAliases:      r.Limits.YAMLAliases,
			ObjectsPerTenant: r.Limits.ObjectsPerTenant,
			RenderTime:       r.Limits.RenderTime,
		},
	}
	// The version is valid here, or "auto": then nothing is known of it.
	cfg.TierPrefix, _ = reach.PrefixedNames(r.Network.CalicoVersion)
	if r.GuardRequired() || r.Layout.Guard != kustomize.DefaultGuard {
		cfg.Guard = r.Layout.Guard // "" there means: the default, if it exists
	}
	return cfg
}

// Sources returns what package sources needs to know of the source. The limits
// are the pinned ones and the defaults, since ringfence.yaml can only be read when
// the revision has been fetched; single files are then left to package kustomize, which
// knows that file's limits.fileBytes. The caller adds Dir, Metrics and Log.
func (d *Daemon) Sources() sources.Config {
	s := d.Source
	fileBytes := int64(-1)
	if slices.Contains(d.pinned, "limits.fileBytes") {
		fileBytes = int64(d.pins.Limits.FileBytes)
	}
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
			FileBytes: fileBytes,
		},
	}
}

// CheckTree holds the whole tree of a policy repository against
// limits.treeBytes and limits.files. Package sources cannot do it, since it reads
// the revision before anyone can read its ringfence.yaml.
func (r *Repository) CheckTree(fsys fs.FS) error {
	var size, count int64
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		count++
		if entry.Type().IsRegular() {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			size += info.Size()
		}
		return r.Limits.check(size, count)
	})
	if err != nil {
		return fmt.Errorf("measuring the repository: %w", err)
	}
	return nil
}

func (l Limits) check(size, count int64) error {
	switch {
	case l.Files > 0 && count > int64(l.Files):
		return fmt.Errorf("it has more than %d files and folders, which limits.files allows", l.Files)
	case l.TreeBytes > 0 && size > int64(l.TreeBytes):
		return fmt.Errorf("its files have more than %d bytes together, which limits.treeBytes allows", l.TreeBytes)
	}
	return nil
}
