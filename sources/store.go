package sources

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// The refs of a store. They are ours alone: what they name is complete, since each is set after
// the pack that brought it was written. They are also what compaction keeps.
const (
	refFetched  plumbing.ReferenceName = "refs/ringfence/fetched"  // the last target that was fetched
	refAccepted plumbing.ReferenceName = "refs/ringfence/accepted" // the last commit that was accepted
	refFloor    plumbing.ReferenceName = "refs/ringfence/floor"    // the commit of SetFloor
)

// objectCacheBytes bounds go-git's cache of objects, which only serves the reading of one revision.
const objectCacheBytes = 16 * cache.MiByte

// store is a bare repository on disk.
//
// Crash notes. A pack is written under a temporary name, then its index, then it is renamed, then
// the ref is set. If we crash before the rename, leftovers remain, which open removes. If we crash
// before the ref is set, the objects are fetched again. If the machine crashes and loses what was
// not yet on disk, reading finds damage and the store is thrown away.
type store struct {
	folder string
	*filesystem.Storage
}

// lockStore takes the lock of Config.Dir, which the caller holds until it closes the file.
func lockStore(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unusable(err)
	}
	if err := tryLock(f); err != nil {
		_ = f.Close()
		if errors.Is(err, ErrLocked) {
			return nil, &fault{reason: ReasonStore, err: fmt.Errorf("%w: %q", ErrLocked, dir), hint: "each instance needs a dataDir of its own"}
		}
		return nil, unusable(fmt.Errorf("locking %q: %w", dir, err))
	}
	return f, nil
}

// openStore opens the store in a folder, or makes it.
func openStore(folder string) (*store, error) {
	sweep(filepath.Join(folder, "objects", "pack"))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, unusable(err)
	}
	s := &store{folder, filesystem.NewStorage(osfs.New(folder), cache.NewObjectLRU(objectCacheBytes))}
	if err := s.Init(); err != nil {
		return nil, unusable(err)
	}
	// Nothing reads HEAD, but without it Git's own tools take the folder for no repository.
	if err := s.SetReference(plumbing.NewSymbolicReference(plumbing.HEAD, "refs/heads/none")); err != nil {
		return nil, unusable(err)
	}
	return s, nil
}

// sweep removes what a crash has left of packs: temporary files, and indices without a pack, which
// go-git would take for those of a pack that arrives again.
func sweep(packs string) {
	leftovers, _ := filepath.Glob(filepath.Join(packs, "tmp_*"))
	indices, _ := filepath.Glob(filepath.Join(packs, "*.idx"))
	for _, idx := range indices {
		if _, err := os.Stat(strings.TrimSuffix(idx, ".idx") + ".pack"); errors.Is(err, fs.ErrNotExist) {
			leftovers = append(leftovers, idx)
		}
	}
	for _, f := range leftovers {
		_ = os.Remove(f) // what stays in the way is found by who stumbles over it
	}
}

// ref returns what a ref of ours names, or the zero hash.
func (s *store) ref(name plumbing.ReferenceName) plumbing.Hash {
	ref, err := s.Reference(name)
	if err != nil || ref.Type() != plumbing.HashReference {
		return plumbing.ZeroHash
	}
	return ref.Hash()
}

func (s *store) setRef(name plumbing.ReferenceName, to plumbing.Hash) error {
	if s.ref(name) == to {
		return nil
	}
	if err := s.SetReference(plumbing.NewHashReference(name, to)); err != nil {
		return unusable(err)
	}
	return nil
}

// has reports whether the store holds an object.
func (s *store) has(h plumbing.Hash) bool { return s.HasEncodedObject(h) == nil }

// EncodedObjectSize returns the size of an object, also where it is another repository's: go-git looks there for the whole object
// alone.
func (s *store) EncodedObjectSize(h plumbing.Hash) (int64, error) {
	size, err := s.Storage.EncodedObjectSize(h)
	if !errors.Is(err, plumbing.ErrObjectNotFound) {
		return size, err
	}
	o, err := s.EncodedObject(plumbing.AnyObject, h)
	if err != nil {
		return 0, err
	}
	return o.Size(), nil
}

// packs counts the packs.
func (s *store) packs() int {
	found, _ := filepath.Glob(filepath.Join(s.folder, "objects", "pack", "*.pack"))
	return len(found)
}

// unusable is an error of the store's folder that fetching anew does not mend.
func unusable(err error) error {
	if isUnusable(err) {
		return &fault{reason: ReasonStore, err: fmt.Errorf("using the store: %w", err), hint: "dataDir must be writable and have room"}
	}
	return &damage{err}
}

func isUnusable(err error) bool {
	text := err.Error()
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, errNoSpace) || errors.Is(err, errReadOnly) ||
		strings.Contains(text, errNoSpace.Error()) || strings.Contains(text, "not a directory") || strings.Contains(text, "too many open files")
}
