// Package web serves what the daemon knows: the JSON API of SPEC §5, Prometheus
// metrics, health, and a page for people.
//
// It guarantees that every answer is a snapshot of one moment, that every string
// from Git or the cluster is escaped, and that nothing can be changed through
// it.
//
// Limitations: it asks nobody who they are; listen on loopback, or put something
// before it that does. The page reloads itself and draws no picture yet.
package web
