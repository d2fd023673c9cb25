package sources

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// ErrNotRepository means that a folder is in no Git repository.
var ErrNotRepository = errors.New("not in a Git repository")

// Local is the Git repository on this machine that a folder is in: somebody's clone. Nothing of it is ever changed, no program
// is run and no remote asked. Get one from OpenLocal; it is used by one goroutine.
type Local struct {
	store *store
	root  string // of the folder within the repository
}

// OpenLocal finds the repository of a folder, which may lie deeper in it, be a linked working tree, or be a bare repository
// itself. The error is ErrNotRepository where there is none.
func OpenLocal(dir string) (*Local, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return nil, fmt.Errorf("opening folder %q: %w", dir, pathless(err))
	}
	for top := abs; ; top = filepath.Dir(top) {
		git, err := gitFolder(top)
		if err != nil {
			return nil, fmt.Errorf("opening the Git repository of %q: %w", dir, err)
		}
		if git != "" {
			return openLocal(git, top, abs)
		}
		if filepath.Dir(top) == top {
			return nil, fmt.Errorf("folder %q: %w", dir, ErrNotRepository)
		}
	}
}

// gitFolder returns where the repository of a working tree is, if the folder is the top of one; "" if it is not.
func gitFolder(top string) (string, error) {
	at := filepath.Join(top, ".git")
	info, err := os.Stat(at)
	switch {
	case err == nil && info.IsDir():
		return at, nil
	case err == nil: // a linked working tree, or a submodule
		text, err := os.ReadFile(at)
		if err != nil {
			return "", pathless(err)
		}
		target, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
		if !ok {
			return "", fmt.Errorf("%s does not say where it is", at)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(top, target)
		}
		return target, nil
	}
	for _, name := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Stat(filepath.Join(top, name)); err != nil {
			return "", nil //nolint:nilerr // it is no bare repository either
		}
	}
	return top, nil
}

func openLocal(git, top, dir string) (*Local, error) {
	rel, err := filepath.Rel(top, dir)
	if err != nil {
		return nil, fmt.Errorf("opening the Git repository of %q: %w", dir, err)
	}
	files := osfs.New(git)
	if text, err := os.ReadFile(filepath.Join(git, "commondir")); err == nil {
		common := strings.TrimSpace(string(text))
		if !filepath.IsAbs(common) {
			common = filepath.Join(git, common)
		}
		files = dotgit.NewRepositoryFilesystem(files, osfs.New(common))
	}
	storage := filesystem.NewStorageWithOptions(files, cache.NewObjectLRU(objectCacheBytes), filesystem.Options{AlternatesFS: osfs.New("/")})
	config, err := storage.Config()
	if err != nil {
		return nil, fmt.Errorf("reading the configuration of the Git repository of %q: %w", dir, err)
	}
	if format := config.Raw.Section("extensions").Option("objectformat"); format != "" && format != "sha1" {
		return nil, fmt.Errorf("opening the Git repository of %q: its objects are named by %s, and only SHA-1 is understood", dir, format)
	}
	return &Local{store: &store{git, storage}, root: filepath.ToSlash(rel)}, nil
}

// At returns the snapshot of a commit by its full hash, rooted at the folder that the repository was opened by. Nothing is
// judged of its history. The error is ErrNoCommit where the repository does not have it.
func (l *Local) At(ctx context.Context, commit string) (*Snapshot, error) {
	if !fullHash.MatchString(commit) {
		return nil, fmt.Errorf("%q is no full hash: %w", printable(commit, 40), ErrNoCommit)
	}
	c, err := l.commit(plumbing.NewHash(commit))
	if err != nil {
		return nil, err
	}
	limits := Limits{}.effective()
	files, err := readTree(ctx, l.store, c, l.root, limits, nil)
	if err != nil {
		return nil, fmt.Errorf("reading commit %s: %w", commit[:12], err)
	}
	return &Snapshot{revision: revisionOf(c, ""), fsys: files}, nil
}

// Trailers returns what Repository.Trailers does.
func (l *Local) Trailers(ctx context.Context, base, newest, key string) ([]Trailer, error) {
	if !fullHash.MatchString(newest) {
		return nil, nil // what is no commit has no history
	}
	var out []Trailer
	err := l.store.since(ctx, plumbing.NewHash(base), plumbing.NewHash(newest), func(c *object.Commit) {
		for _, value := range trailers(c.Message, key) {
			out = append(out, Trailer{Commit: c.Hash.String(), Value: value})
		}
	})
	return out, err
}

// commit reads a commit, or the one that a tag names.
func (l *Local) commit(h plumbing.Hash) (*object.Commit, error) {
	if _, err := l.store.EncodedObject(plumbing.AnyObject, h); errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, fmt.Errorf("commit %s is not in this repository (hint: git fetch; a clone that was cut needs git fetch --unshallow): %w", h.String()[:12], ErrNoCommit)
	}
	return l.store.commit(h)
}

// Names returns the branches, the remotes' branches and the tags, as Resolve takes them, sorted.
func (l *Local) Names() ([]string, error) {
	refs, err := l.store.IterReferences()
	if err != nil {
		return nil, fmt.Errorf("listing the refs: %w", err)
	}
	names := map[string]bool{}
	err = refs.ForEach(func(ref *plumbing.Reference) error {
		for _, prefix := range []string{"refs/heads/", "refs/remotes/", "refs/tags/"} {
			if short, ok := strings.CutPrefix(ref.Name().String(), prefix); ok {
				names[short] = true
			}
		}
		return nil
	})
	return slices.Sorted(maps.Keys(names)), err
}
