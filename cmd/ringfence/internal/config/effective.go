package config

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// Tree returns the effective configuration, every default included, as a YAML
// mapping that ParseRepository reads; strict.WriteYAML and strict.MarshalJSON write it.
// Keys that the daemon's file pins have a comment that says so.
func (r *Repository) Tree() *yaml.Node {
	tree := strict.Tree(nil, &header{APIVersion, kindRepository}, r)
	strict.Comment(tree, "layout.cluster", "used if it exists")
	if !r.GuardRequired() {
		strict.Comment(tree, "layout.guard", "used if it exists")
	}
	for _, key := range r.pins {
		strict.Comment(tree, key, "pinned by the daemon's file")
	}
	return tree
}

// Tree returns the daemon's effective configuration, every default and the
// pinned keys included, as a YAML mapping that ParseDaemon reads.
func (d *Daemon) Tree() *yaml.Node {
	own := strict.Keys(d)
	only := func(key string) bool {
		switch key {
		case "apiVersion", "kind":
			return true
		case "source.ref.branch", "source.ref.tag", "source.ref.semver", "source.ref.commit":
			return d.set(key)
		}
		return slices.Contains(own, key) || slices.Contains(d.pinned, key)
	}
	return strict.Tree(only, &header{APIVersion, kindConfig}, d, &d.pins)
}
