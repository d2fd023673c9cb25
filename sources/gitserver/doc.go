// Package gitserver serves Git repositories over HTTP, so that people can clone from and push to
// them: for the demo, and for tests against the real thing.
//
// It is Git's own http-backend behind net/http, and so guarantees to behave as Git does, and that
// nothing which the user, or the machine, has configured for Git influences it.
//
// It never serves anything outside its folder, and only on the address that it is told; whoever
// reaches that address can push, unless a password is set.
//
// Limitations: it needs a git executable with http-backend ([New] says so if there is none). It is
// no server for production: one process per request, one password, no quotas.
//
// Alternatives rejected: go-git's own server, which has no HTTP and ignores much of what clients
// ask for.
package gitserver
