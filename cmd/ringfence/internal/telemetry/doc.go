// Package telemetry holds what Ringfence is seen by from outside: it writes Grafana's dashboards of
// base/ringfence/dashboards, and has the tests that keep them, and the alerts and recording rules of
// base/ringfence/alerts, true.
//
// It guarantees that every metric and label that a panel or rule names is one that the daemon exports (the
// table in README.md, which a test holds equal to a scrape), that none which it exports goes unseen, that every
// expression parses with Prometheus' own parser, that dashboards fit Grafana's own schema, that every alert has a
// summary, an impact, an action, a section in the runbook and a case in which it fires and one in which it is
// quiet, and that the rules for a plain Prometheus and for the operator are one.
//
// It never becomes part of the daemon: it is a module of its own, so that the daemon's go.mod
// sees nothing of Prometheus and Grafana. The tests of package main run its tests, and put what they
// hold to a real Prometheus that scrapes a daemon.
//
// Limitations: the cases of alerts run on Debian's promtool; without it they are skipped. No Grafana draws the
// dashboards here: what is tested is their schema and their queries.
//
// Rejected: dashboards by hand (five thousand lines of JSON, in which nobody sees that two panels disagree);
// a generator for rules too (they are read more easily as they are loaded); recording rules under
// the dashboards (whoever imports a dashboard alone would see nothing).
package telemetry
