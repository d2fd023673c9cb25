// Package sources turns a Git repository into verified, immutable snapshots.
//
// A [Repository] watches one ref of one URL. [Repository.Poll] asks the remote where the ref
// stands; if it moved, the new history is fetched into a bare store on disk, checked, and read
// into a [Snapshot]: a read-only [io/fs.FS] over the objects of one commit. [Poller] does that
// on a schedule. [Folder] gives a plain working folder the same file system.
//
// # What it guarantees
//
//   - A poll that finds nothing new costs one listing of refs, and returns the very same
//     *Snapshot: no fetch, no walk of the tree.
//   - A snapshot never changes and never fails later. Every tree and blob in it was read and its
//     hash checked before Poll returned, so that a store which is lost, corrupt or rewritten
//     afterwards cannot reach a snapshot that is in use. Blobs that two snapshots share are
//     held once.
//   - History only goes forward: a new commit must descend from the last accepted one (or, after
//     a restart, from the one given to [Repository.SetFloor]), else [ErrRewind]. The exceptions
//     are in the comment of [Ref].
//   - The store is a cache. Whatever is wrong with it, it is thrown away and fetched anew; the
//     process that uses it holds a lock.
//   - Credentials go to the configured host and nowhere else: a redirect to another scheme, host
//     or port is refused. They are read from their files at each poll, so that rotation needs
//     no restart. They appear in no error, log line or metric.
//   - SSH host keys are always checked against a known_hosts file.
//   - Hostile trees do no harm: symbolic links and submodules can be seen but never followed,
//     names that cannot be paths are refused, sizes are bounded (see [Limits]).
//
// # What it never does
//
// It never checks out files, runs hooks or filters, follows submodules, downloads from LFS, reads
// the user's Git or SSH configuration, or pushes. It knows nothing of kustomize or Kubernetes.
//
// # Limitations
//
//   - file URLs need a git executable, since Git's own upload-pack reads the repository.
//   - go-git speaks protocol version 0: the remote lists all of its refs at each poll.
//   - Shallow remotes are refused: descent cannot be proven without history.
//   - SHA-1 repositories only. Hashing detects the known collision attacks on SHA-1.
//   - Packs are bounded in size, yet one object of a pack is inflated whole while it is indexed.
//
// # Alternatives rejected
//
//   - go-git's own Remote.Fetch: its transports are process-wide, two round trips are needed to
//     find out whether to fetch, and its SSH client cannot be cancelled and reads ~/.ssh/config.
//   - Blobs read from the store when they are asked for: a render would then depend on a store
//     that may be corrupt or replaced, and every reader would contend for go-git's scanner,
//     which is not safe for concurrent use.
//   - A checkout: it can be changed by others, half-written, and escaped from through links.
package sources
