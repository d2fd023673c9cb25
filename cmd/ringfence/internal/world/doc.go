// Package world turns what Ringfence reads (a rendered policy repository, a plain folder of manifests, a live cluster)
// into a world of package reach, and the peers that people write into its questions.
//
// It guarantees that nothing is left out in silence: what could not be read is in [World.Gaps] or an error, and the
// questions that it may concern are answered with unknown.
//
// It never reads flags, files or the environment itself, and never prints.
//
// Limitations: where a repository renders for some tenants only, the others are missing from the world, which
// [World.Gaps] says. A workload of a repository is known by what policy tests name and policies' selectors imply, since
// workloads are not in it.
//
// Rejected: reading workloads from charts or Git branches beside the policy repository (they are somebody else's, and
// differ from what runs).
package world
