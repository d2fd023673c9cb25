package sources

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// older reads a commit by its hash, from memory, from the store or from the remote.
func (r *Repository) older(ctx context.Context, s secrets, commit string) (*Snapshot, error) {
	if !fullHash.MatchString(commit) {
		return nil, noCommit(commit)
	}
	for _, snap := range []*Snapshot{r.last, r.earlier} {
		if snap != nil && snap.revision.Commit == commit {
			return snap, nil
		}
	}
	h := plumbing.NewHash(commit)
	if !r.store.has(h) {
		if err := r.bringCommit(ctx, s, h); err != nil {
			return nil, err
		}
	}
	snap, err := r.stored(ctx, h)
	if err != nil {
		return nil, err
	}
	r.earlier = snap
	return snap, nil
}

// stored reads a commit of the store.
func (r *Repository) stored(ctx context.Context, h plumbing.Hash) (*Snapshot, error) {
	if !r.store.has(h) {
		return nil, noCommit(h.String())
	}
	c, err := r.store.commit(h)
	if errors.Is(err, errNotCommit) || (err == nil && c.Hash != h) {
		return nil, noCommit(h.String()) // it is there, as something else
	}
	if err != nil {
		return nil, err
	}
	snap, err := r.read(ctx, c, revisionOf(c, ""))
	if err != nil {
		return nil, err
	}
	snap.at = target{hash: h}
	return snap, nil
}

// bringCommit fetches one commit with its history.
func (r *Repository) bringCommit(ctx context.Context, s secrets, h plumbing.Hash) error {
	sess, err := r.connect(ctx, s)
	if err != nil {
		return err
	}
	defer sess.Close()
	refs, err := sess.AdvertisedReferencesContext(ctx)
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return noCommit(h.String())
	}
	if err != nil {
		return err
	}
	return r.fetchCommit(ctx, sess, refs, h)
}

// fetchCommit fetches a commit that need not stand where a ref does.
func (r *Repository) fetchCommit(ctx context.Context, sess session, refs *packp.AdvRefs, h plumbing.Hash) error {
	err := r.fetch(ctx, sess, refs, wantable(h, refs))
	if err != nil && strings.Contains(err.Error(), "not our ref") {
		return noCommit(h.String())
	}
	if err == nil && !r.store.has(h) {
		return noCommit(h.String())
	}
	return err
}

func noCommit(commit string) error {
	return &fault{
		reason: ReasonCommit,
		err:    fmt.Errorf("neither the store nor the remote has commit %s", printable(commit, 40)),
		hint:   "it may have been rewound away; or it is not a full hash",
	}
}
