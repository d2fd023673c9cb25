// Package access asks the API server who may read what the daemon says: each request needs a bearer token that a
// TokenReview knows, of somebody who may get that path by a SubjectAccessReview (a ClusterRole with nonResourceURLs, see [URL]).
//
// It guarantees that nothing behind it is reached otherwise: not without a token, not while the API server does not answer, and
// not for longer than [Memory] after a token or a right was taken away. Answers are remembered that long, for at most
// a thousand pairs of token and path, by a hash: no token is kept. What strangers cost the API server is bounded.
//
// It never logs a token, and never tells a stranger more than that he is one.
//
// Limitations: an answer that goes on (server-sent events) was allowed when it began; it is ended after [Longest], and whoever
// may no longer read does not get the next. Browsers send no bearer token by themselves: for people something before the
// page adds it (an authenticating proxy, or one on their own machine; README.md shows both).
//
// Rejected: passwords and sessions of our own (the cluster has users already); a form that takes a token and keeps it in a
// cookie (a cookie of localhost, where kubectl port-forward brings people, goes to every program there); and asking on every request (a page that
// reloads itself would be a load).
package access
