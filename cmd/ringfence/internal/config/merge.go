package config

import (
	"slices"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// Merge returns the repository's configuration with the daemon's pins, which
// win key by key (a list or a map is one key). r is not changed. The error is a
// *strict.Error: where a pin and a key of r contradict each other, at the pin.
func (d *Daemon) Merge(r *Repository) (*Repository, error) {
	merged := *r
	merged.pins = slices.Clone(d.pinned)
	for _, key := range d.pinned {
		strict.Copy(&merged, &d.pins, key)
	}
	merged.guardGiven = r.guardGiven || d.pins.guardGiven
	var problems []strict.Problem
	merged.contradictions(func(key string, err error) {
		problems = append(problems, d.doc.Problem(key, err))
	}, func(string) bool { return true })
	if len(problems) > 0 {
		return nil, &strict.Error{Problems: problems}
	}
	return &merged, nil
}
