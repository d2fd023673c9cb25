// Package image makes the daemon's container image without an engine: an OCI layout, written with
// go-containerregistry, of the same files that the Dockerfile copies, which has them written by this
// package too.
//
// It guarantees that an image holds one static binary, the certificates of the public authorities, and the
// passwd entry of the user that the daemon runs as, in folders that hold nothing else; that the same sources,
// version, revision, time and Go release give the same digest, wherever the checkout stands and whatever the
// machine has installed; and that what Git or the clock of the machine says is in none of it, but where it is given.
//
// It never talks to a registry, and never runs what it has built.
//
// # Certificates
//
// They are Mozilla's, from golang.org/x/crypto/x509roots/fallback, pinned by go.sum like all else. Those of the
// machine (Debian's package ca-certificates) would make the digest depend on when it was last upgraded, and
// Debian 12 ships those of 2023. Compiled into the daemon (that module's other package) they could not be seen in
// the image or replaced by a mount. An authority that Mozilla trusts only for what it issued before a day cannot be
// written into a PEM file and is left out: what it issued has expired within 398 days of that day anyway. Each
// release takes the newest; source.tls.caFile adds to them, and for a Git server with a private authority it is the only one needed.
//
// # Limitations
//
// Another Go release gives another binary. The image names no port, no volume and no health check: Kubernetes
// reads none of them.
//
// Alternatives rejected: ko (it builds with flags of its own and bases of other people's), and a base image such as distroless (files
// that a static binary does not need, and whose every fault is one of the image's).
package image
