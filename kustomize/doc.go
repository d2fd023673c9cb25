// Package kustomize renders a policy repository: one overlay per tenant
// namespace, the guard beside each of them, and the cluster overlay, into the
// objects that are to be applied, each with the file and line that it came from.
//
// # What it guarantees
//
//   - A [Tenant] without problems holds objects of exactly one namespace, of
//     guarded namespaced kinds (and its Namespace), in the tiers that a tenant
//     may use, none of which shares a name with an object of the guard. The
//     guard is rendered on its own, so no overlay can patch or drop it.
//   - Scope comes from the table of package kinds, never from
//     metadata.namespace.
//   - An overlay with a fault is refused as a whole, with every fault that was
//     found, each with file and line; the other overlays are not touched by it.
//     What is left of the refused tenant is its guard: isolation.
//   - kustomize sees nothing but files that the pre-flight has read and approved,
//     and of kustomization files only a normalised form whose paths all begin with
//     "./" or "../": it cannot be talked into following a URL, an absolute
//     path, a symbolic link or a plugin.
//   - The result depends on the tree, the Config and the answers of Config.Owner
//     only: not on earlier renders, the network, the environment or the clock (but
//     for RenderTime).
//   - kustomize runs once for overlays that differ in nothing but folder and
//     namespace (see stencils); that it gives what it would give for each is tested
//     on random overlays. It does not for an overlay in whose files its namespace's
//     name stands once more, or a backslash, or that has replacements or vars.
//
// # What it never does
//
// It never writes, never starts a process, never opens a connection, and knows
// nothing of Git or clusters. It never follows remote resources, symbolic links,
// submodules, Git LFS pointers or paths that leave the repository, and refuses
// openapi, crds, configurations, generators, transformers, validators, helm and
// the ConfigMap and Secret generators (whose kinds no overlay may hold, and whose
// env files would let an overlay read this process's environment).
//
// # Rules worth knowing
//
// Of metadata, Git may set name, namespace, labels and annotations only; null and
// empty values of the others, and an empty status, as `kubectl create --dry-run`
// writes them, are dropped. A folder that matches the layout and has no
// kustomization is a problem and not "no tenant": a misspelt file name must not
// look like a tenant that left. Folders whose name begins with a dot are passed
// over, as in a shell's glob.
//
// # Limitations
//
//   - ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy are not
//     checked against a schema here; the API server does that.
//   - Calico's selectors are not parsed here; package reach does that, by
//     Config.Selector.
//   - The line of an object is that of its document; a patched field's fault is
//     sought in the object's own file first and then in the overlay's other files.
//     Below a namePrefix or nameSuffix the document is the one of that kind with the
//     longest name that the rendered name contains.
//   - kustomize itself prints a line to standard error for the deprecated fields
//     patchesJson6902 and vars; the other deprecated ones are translated.
//   - kustomize cannot be interrupted: past RenderTime its goroutine is cut off from
//     the files and left behind until it notices.
//
// # Alternatives rejected
//
// The kustomize binary (a process per overlay, its own network access), a copy of
// the tree on disk (TOCTOU, symbolic links), one kustomization over all overlays
// (one bad tenant would stop all), and matching origins by comments (kustomize
// drops them in patches).
package kustomize
