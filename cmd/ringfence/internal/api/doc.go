// Package api is the daemon's HTTP API from both ends: the shapes of its answers, which package web fills, and a client
// that reads them.
//
// It guarantees that both ends agree on every field, and that a client never takes the answer of something else, or a part
// of one, for the daemon's.
//
// It never changes anything: the API only tells. The client never follows a redirect to another address.
//
// Limitations: the client authenticates nobody and itself to nobody; the daemon's page is to be kept on loopback or behind
// something that does.
//
// Rejected: generated clients (four answers are no reason for a toolchain).
package api
