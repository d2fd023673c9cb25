// Package config is Ringfence's configuration: ringfence.yaml at the root of a
// policy repository (Repository), and the daemon's own file (Daemon).
//
// It guarantees that a configuration that it returns is whole and consistent:
// every key has its value or its default, keys contradict each other nowhere,
// and settings whose feature this version does not have are refused rather than
// ignored (notyet.go). What is wrong is reported all at once, each problem with
// file, line, column, key and what is allowed (package strict). WriteYAML of a
// parsed configuration parses to the same configuration.
//
// The daemon's file may pin any key of ringfence.yaml; Daemon.Merge applies the
// pins, which win.
//
// It never expands environment variables, never holds a secret (keys that end in
// File are paths; CheckFiles looks whether they can be read) and never talks to
// anything. Relative paths are relative to the working folder of the process.
//
// Limitation: a contradiction between a pin and ringfence.yaml is found by
// Merge, not before, since neither file alone has it.
//
// Rejected: environment variables and flags for each key, since the effective
// value of a setting should be found in one place; a library that merges
// sources for the same reason.
package config
