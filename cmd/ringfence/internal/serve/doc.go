// Package serve is the daemon's HTTP server: what stands between a handler and whoever reaches its address.
//
// It guarantees that no connection holds it for long without a request (headers, bodies, answers and pauses between
// requests have their times), that no more connections are open than it was told, however many are tried, and that those
// that do nothing give way to those that come; so a crowd of idle connections keeps no probe and no scrape out. A
// request that reaches a loopback address must name it so ([Local]): a page on the web, whose name its owner lets point
// at this machine (DNS rebinding), learns nothing.
//
// It never reads a body that its handler did not ask for beyond what net/http drains, and never answers a request of more
// than 16 KiB of headers.
//
// Limitations: an answer that goes on for long (server-sent events) must extend its own deadline with
// http.ResponseController, whose SetWriteDeadline reaches the connection. There is no TLS: a proxy or a mesh does it.
//
// Rejected: golang.org/x/net/netutil.LimitListener, which makes newcomers wait for those that do nothing.
package serve
