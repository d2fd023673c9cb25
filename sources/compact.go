package sources

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// maxPacks is how many packs a store may gather, one for each fetch, before they are made one.
// Every lookup of an object asks each pack's index in turn.
const maxPacks = 32

// packWindow is how many objects are tried as the base of a delta; Git's own default.
const packWindow = 10

// compact writes everything that the refs reach into one pack, then removes the others.
//
// Crash notes. If we crash before the new pack is complete, its temporary file is removed at the
// next open. If we crash while removing, objects are there twice, which is harmless; the next
// compaction removes the rest.
func (s *store) compact(ctx context.Context) error {
	old, err := s.ObjectPacks()
	if err != nil {
		return fmt.Errorf("listing packs: %w", err)
	}
	objects, err := s.reachable(ctx)
	if err != nil {
		return err
	}
	w, err := s.PackfileWriter()
	if err != nil {
		return fmt.Errorf("writing a pack: %w", err)
	}
	fresh, err := packfile.NewEncoder(w, s, false).Encode(objects, packWindow)
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("writing a pack: %w", err)
	}
	for _, h := range old {
		if h == fresh {
			continue
		}
		if err := s.removePack(h); err != nil {
			return fmt.Errorf("removing pack %s: %w", h, err)
		}
	}
	return nil
}

// removePack removes a pack first and its index second: an index alone is removed at the next open.
func (s *store) removePack(h plumbing.Hash) error {
	base := filepath.Join(s.folder, "objects", "pack", "pack-"+h.String())
	if err := os.Remove(base + ".pack"); err != nil {
		return err
	}
	return os.Remove(base + ".idx")
}

// reachable lists every object that our refs lead to.
func (s *store) reachable(ctx context.Context) ([]plumbing.Hash, error) {
	seen := map[plumbing.Hash]bool{}
	var list, todo []plumbing.Hash
	visit := func(h plumbing.Hash, leaf bool) {
		if h.IsZero() || seen[h] {
			return
		}
		seen[h] = true
		list = append(list, h)
		if !leaf {
			todo = append(todo, h)
		}
	}
	for _, name := range []plumbing.ReferenceName{refFetched, refAccepted, refFloor} {
		visit(s.ref(name), false)
	}
	for len(todo) > 0 {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		h := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		o, err := object.GetObject(s, h)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", h, err)
		}
		switch o := o.(type) {
		case *object.Commit:
			visit(o.TreeHash, false)
			for _, p := range o.ParentHashes {
				visit(p, false)
			}
		case *object.Tag:
			visit(o.Target, false)
		case *object.Tree:
			for _, e := range o.Entries {
				if e.Mode != filemode.Submodule {
					visit(e.Hash, e.Mode != filemode.Dir)
				}
			}
		}
	}
	return list, nil
}

// tidy bounds the store after a revision was accepted. It never fails a poll: a store that cannot
// be made smaller is thrown away, to be fetched anew when the ref moves.
func (r *Repository) tidy(ctx context.Context) {
	if r.store.packs() <= maxPacks {
		return
	}
	err := r.store.compact(ctx)
	if err == nil {
		err = r.reopen()
	}
	if err == nil {
		return
	}
	r.log.WarnContext(ctx, "store cannot be compacted, fetching anew", "err", printable(err.Error(), textRunes))
	if err := r.reset(); err != nil {
		r.log.WarnContext(ctx, "store cannot be removed", "err", printable(err.Error(), textRunes))
	}
}
