// Package random draws revisions of tenants' policies and of a cluster overlay, and what follows on them, for tests of the
// order in which they are written. It says who can reach whom in a small cluster of every kind of pod that they tell apart.
//
// It guarantees that equal draws give equal revisions, and that every object that it draws is one that the API servers
// accept. It never touches a cluster, and is not part of the daemon.
package random
