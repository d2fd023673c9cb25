package sources

import (
	"io/fs"

	"github.com/go-git/go-git/v5/plumbing"
)

// Hash is the identity of a file's content, or of a folder's: what FileInfo.Sys returns in a
// snapshot's file system. It is Git's own hash of the blob or tree, so that equal hashes mean
// equal content (of a folder: of everything in it, names and modes included), across snapshots
// and repositories. It is "" where it is not known, as for the folders of Folder.
type Hash string

// HashOf returns the Hash of a file with this content.
func HashOf(content []byte) Hash {
	return Hash(plumbing.ComputeHash(plumbing.BlobObject, content).String())
}

// Snapshot is the content of one revision. It is immutable and safe for concurrent use.
type Snapshot struct {
	revision Revision
	fsys     fs.FS
	at       target // where the ref stood
}

// Revision returns the commit and the ref it was reached by; zero for a plain folder.
func (s *Snapshot) Revision() Revision { return s.revision }

// FS returns the files, rooted at Config.Path. It implements fs.ReadFileFS, fs.ReadDirFS and
// fs.StatFS. Folders are sorted by name. FileInfo.Sys is a Hash, ModTime the commit's time.
//
// Symbolic links and submodules show in ReadDir, with the types fs.ModeSymlink and
// fs.ModeIrregular; opening, reading or asking for the state of one, of anything beneath one, of
// a pointer to LFS, fails with ErrNotFollowed. A file past Limits.FileBytes fails with ErrLimit.
// Paths that fs.ValidPath does not accept fail with fs.ErrInvalid.
func (s *Snapshot) FS() fs.FS { return s.fsys }

// Named returns the same content under a revision that is no commit, such as "working tree".
func (s *Snapshot) Named(name string) *Snapshot {
	return &Snapshot{revision: Revision{Commit: name}, fsys: s.fsys}
}

// contents returns the files that are held in memory, to be shared with the next snapshot.
func (s *Snapshot) contents() map[Hash][]byte {
	if s == nil {
		return nil
	}
	t, ok := s.fsys.(tree)
	if !ok {
		return nil
	}
	known := make(map[Hash][]byte, len(t))
	for _, n := range t {
		if n.data != nil {
			known[n.hash] = n.data
		}
	}
	return known
}
