// Package web serves what the daemon knows: the JSON API of SPEC §5, Prometheus
// metrics, health, and a page for people.
//
// It guarantees that every answer is made of what the rooms knew when it was
// asked for, that lists are lists even when they are empty, and that every string
// from Git or the cluster is escaped.
//
// It never changes anything, never waits for Git or the API server, never runs a
// script, and never loads anything from elsewhere.
//
// Limitations: it asks nobody who they are; listen on loopback, or put something
// before it that does. The page reloads itself and draws no picture yet.
//
// Rejected: a web framework and a bundle of scripts; the page is one template.
package web
