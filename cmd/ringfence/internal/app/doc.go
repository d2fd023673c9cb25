// Package app assembles the daemon from its rooms: Git source, renderer, sync
// engine, metrics and web server, from one configuration.
//
// It guarantees that whatever it starts has ended when [Run] returns, and that
// the web server answers /healthz from the first moment, also while Git or the
// API server are away.
//
// It never decides anything about policy, which is the rooms' work, and never
// ends because Git or the API server are away: [Run] fails only for what a person
// must mend first.
//
// Limitations: one daemon, one cluster, one repository.
//
// Rejected: a dependency-injection framework; the graph is a page long.
package app
