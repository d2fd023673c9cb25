// Package api is the daemon's HTTP API from both ends: the shapes of its answers, which package web fills, a client that
// reads them, and a watch of what changes in its drift.
//
// It guarantees that both ends agree on every field, and that a client never takes the answer of something else, or a part
// of one, for the daemon's: an answer that lacks what is needed is an error, a missing list is not an empty one, and a
// difference without "corrected" is not one that stands. What a newer daemon says beside that is let through.
//
// It never changes anything: the API only tells. The client never follows a redirect to another address.
//
// Limitations: the client authenticates nobody; user and password in the URL are sent as HTTP has them, for what may stand
// before the daemon, which itself is to be kept on loopback. What a newer daemon says that this client does not know is not
// in what it prints as JSON. A [Watcher] polls: what appears and goes by itself between two looks is not seen; what was
// corrected meanwhile is, since the daemon remembers it for fifteen minutes.
//
// Rejected: generated clients (four answers are no reason for a toolchain); a stream of events (one more thing to keep
// alive, where a look each second costs the daemon less than a scrape).
package api
