// Package telemetry holds what Ringfence is seen by from outside: the alerts and recording rules of
// base/ringfence/alerts, and the tests that keep them true.
//
// It guarantees that every metric and label that a rule names is one that the daemon exports (the
// table in README.md, which a test holds equal to a scrape), that every expression parses with Prometheus' own
// parser, that every alert has a summary, an impact, an action, a section in the runbook and a case in
// which it fires and one in which it is quiet, and that the rules for a plain Prometheus and for the operator are one.
//
// It never becomes part of the daemon: it is a module of its own, so that the daemon's go.mod
// sees nothing of Prometheus. The tests of package main run its tests, and scrape a daemon with a real Prometheus.
//
// Limitations: Debian's promtool is what the cases run on; without it they are skipped.
//
// Rejected: a generator for rules (jsonnet mixins); fourteen alerts are read more easily as they are loaded.
package telemetry
