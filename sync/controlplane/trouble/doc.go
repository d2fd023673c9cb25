// Package trouble is a way to an API server on which things go wrong: a proxy that
// delays and loses requests and answers, answers errors of its own, cuts bodies and
// watches in the middle, and can be parted from its clients. Tests put it between a
// daemon and a control plane.
//
// It guarantees:
//   - What the API server has been asked is done to the end and is told to
//     Config.Seen, whether the client lives or not and whatever it is answered.
//   - Which fault meets a request is decided by the seed, the request's verb and path,
//     and how many like it came before: not by the order in which goroutines run.
//   - Clients speak HTTP/2 over TLS with it, as with the API server.
//   - While parted, nothing passes in either direction and no connection ends; what was
//     on its way arrives afterwards, as on a real network.
//
// It never changes what it passes on.
//
// Limitations: it answers for the API server's identity and rights, whoever asks; no
// upgrades (exec, port-forward).
//
// Rejected: faults in the client's own transport (the process that is killed would take
// them with it, and answers could not be lost after they were given); toxiproxy and the
// like (they know bytes, not requests).
package trouble
