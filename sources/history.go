package sources

import (
	"context"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// descends reports whether ancestor is in the history of c, c itself included. Commits are visited
// by falling time, so that a yes is found early; a no needs the whole history, every commit of
// which must be readable.
func descends(ctx context.Context, c *object.Commit, ancestor plumbing.Hash) (bool, error) {
	found := false
	err := object.NewCommitIterCTime(c, nil, nil).ForEach(func(c *object.Commit) error {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if c.Hash == ancestor {
			found = true
			return storer.ErrStop
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		return false, &damage{fmt.Errorf("reading the history of %s: %w", c.Hash, err)}
	}
	return found, err
}

// forward checks that going to c is no rewind; see Ref for the rules.
func (r *Repository) forward(ctx context.Context, t target, c *object.Commit, rev Revision, refs *packp.AdvRefs) error {
	base := r.base()
	if base.IsZero() || r.config.AllowRewind || r.config.Ref.Commit != "" {
		return nil
	}
	ok, err := descends(ctx, c, base)
	if ok || err != nil {
		return err
	}
	if t.version != nil {
		old := versionAt(base, r.constraint, refs)
		if r.last != nil {
			old = r.last.at.version
		}
		if old != nil && t.version.GreaterThan(old) {
			return nil
		}
	}
	return &fault{
		reason:   ReasonRewind,
		revision: rev,
		err:      fmt.Errorf("%s now stands at %s, which does not descend from the accepted %s", t.name, rev.Short(), base.String()[:12]),
		hint:     "restore the branch or tag; to accept it, set source.allowRewind or pin source.ref.commit",
	}
}

// reconsider forgets the last accepted revision if the floor was set since and that revision does not descend from it: it
// was accepted before it was known how far another process has gone. What the ref stands at is then judged from the floor.
func (r *Repository) reconsider(ctx context.Context) error {
	floor := r.floor.Load()
	if floor == nil || r.last == nil || r.considered == *floor || r.config.AllowRewind || r.config.Ref.Commit != "" {
		return nil
	}
	c, err := r.store.commit(plumbing.NewHash(r.last.revision.Commit))
	if err != nil {
		return err
	}
	ok, err := descends(ctx, c, *floor)
	if err != nil {
		return err
	}
	if !ok {
		r.last, r.refused = nil, nil
	}
	r.considered = *floor
	return nil
}

// base is the commit that the next one must descend from.
func (r *Repository) base() plumbing.Hash {
	if r.last != nil {
		return plumbing.NewHash(r.last.revision.Commit)
	}
	if floor := r.floor.Load(); floor != nil {
		return *floor
	}
	return plumbing.ZeroHash
}
