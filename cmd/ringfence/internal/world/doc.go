// Package world turns what Ringfence reads (a rendered policy repository, a plain folder of manifests, a live cluster)
// into a world of package reach, and the peers that people write into its questions.
//
// It guarantees that nothing is left out in silence: what could not be read is in [World.Gaps] or an error, and what it
// may decide is unknown. That holds for overlays that are refused, files that cannot be read, policies of other APIs in a
// folder, and kinds that a cluster serves and does not show.
//
// It never reads flags, files or the environment itself, never prints, and never writes to a cluster (but for asking what
// it may read).
//
// Limitations: a workload of a repository is known by what policy tests name and policies' selectors imply, since
// workloads are not in it; the same holds for a running daemon, which looks at no pods. Of a live cluster, policies of other engines' APIs (Cilium's, say) are not looked for. Which
// namespaces are tenants' is known by the layout of a repository; elsewhere every namespace that may be one by its name
// counts as one.
//
// Rejected: reading workloads from charts or Git branches beside the policy repository (they are somebody else's, and
// differ from what runs).
package world
