// Package app assembles the daemon from its rooms: Git source, renderer, sync
// engine, metrics and web server, from one configuration.
//
// It guarantees that whatever it starts has ended when [Run] returns, and that
// the web server answers /healthz from the first moment, also while Git or the
// API server are away.
//
// It decides nothing about policy; that is the rooms' work.
//
// Rejected: a dependency-injection framework; the graph is a page long.
package app
