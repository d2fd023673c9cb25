// Package web serves what the daemon knows: the JSON API of SPEC §5, Prometheus
// metrics, health, and a page for people.
//
// It guarantees that every answer is made of what the rooms knew when it was
// asked for, that lists are lists even when they are empty, that every string
// from Git or the cluster is escaped, and that the page can be read, searched and
// printed without a script. With one, it takes over what has changed by itself,
// which events tell it; whoever is slow to take them is dropped. What is unknown
// never looks well.
//
// It never changes anything, never waits for Git or the API server, and never
// loads anything from elsewhere: the browser is told so, too.
//
// Limitations: it asks nobody who they are unless it is given a Guard.
//
// Rejected: a web framework and a bundle of scripts: the views are templates, and
// the one script takes over regions of the page that the server has written.
package web
