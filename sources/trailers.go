package sources

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Trailer is a line "Key: value" of a commit's message. Whoever made the commit wrote it.
type Trailer struct {
	// Commit is the full hash of the commit.
	Commit string
	// Value is what follows the key, without space around it, made fit to be printed.
	Value string
}

// trailerRunes bounds Trailer.Value, and historyMost the commits that are looked at.
const (
	trailerRunes = 200
	historyMost  = 50_000
)

// Trailers returns the lines that begin with key and a colon, case aside, in the messages of the commits that are in the
// history of newest and not in that of base, newest first. They may stand anywhere in the message, since a squash puts
// messages into one another. newest is the full hash of a commit; of a base that the store does not have, nothing is left
// out. Its error is an *Error: ErrNoCommit if neither the store nor the remote has newest.
func (r *Repository) Trailers(ctx context.Context, base, newest, key string) ([]Trailer, error) {
	var out []Trailer
	_, err := r.do(ctx, "reading the history of", func(ctx context.Context, s secrets) (*Snapshot, error) {
		if !fullHash.MatchString(newest) {
			return nil, noCommit(newest)
		}
		h := plumbing.NewHash(newest)
		if !r.store.has(h) {
			if err := r.bringCommit(ctx, s, h); err != nil {
				return nil, err
			}
		}
		out = nil
		return nil, r.store.since(ctx, plumbing.NewHash(base), h, func(c *object.Commit) {
			for _, value := range trailers(c.Message, key) {
				out = append(out, Trailer{Commit: c.Hash.String(), Value: value})
			}
		})
	})
	return out, err
}

// trailers returns the values of the lines of a message that begin with key and a colon.
func trailers(message, key string) (values []string) {
	for line := range strings.Lines(message) {
		name, value, ok := strings.Cut(line, ":")
		if ok && strings.EqualFold(name, key) {
			values = append(values, printable(value, trailerRunes))
		}
	}
	return values
}

// since visits the commits that are in the history of newest and not in that of base, by falling time. Where the clocks of
// those who made them were wrong, it may visit some of base's too.
func (s *store) since(ctx context.Context, base, newest plumbing.Hash, visit func(*object.Commit)) error {
	type entry struct {
		commit *object.Commit
		old    bool // in the history of base
	}
	var due []entry // by time, the newest last; of those of one second what is old is last
	seen := map[plumbing.Hash]bool{}
	fresh := 0 // how many of due are not old
	push := func(h plumbing.Hash, old bool) error {
		if was, known := seen[h]; known && (was || !old) {
			return nil
		}
		c, err := s.commit(h)
		if err != nil {
			return fmt.Errorf("reading the history: %w", err)
		}
		if _, known := seen[h]; known { // it turns out to be old
			for i := range due {
				if due[i].commit.Hash == h {
					due[i].old = true
					fresh--
				}
			}
			seen[h] = true
			return nil
		}
		seen[h] = old
		at, _ := slices.BinarySearchFunc(due, c, func(e entry, c *object.Commit) int {
			later := e.commit.Committer.When.Compare(c.Committer.When)
			if later == 0 && old {
				return -1
			}
			return later
		})
		due = slices.Insert(due, at, entry{c, old})
		if !old {
			fresh++
		}
		return nil
	}
	if s.has(base) {
		if err := push(base, true); err != nil {
			return err
		}
	}
	if err := push(newest, false); err != nil {
		return err
	}
	for fresh > 0 {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if len(seen) > historyMost {
			return fmt.Errorf("reading the history: more than %d commits since %s", historyMost, base)
		}
		e := due[len(due)-1]
		due = due[:len(due)-1]
		if !e.old {
			fresh--
			visit(e.commit)
		}
		for _, parent := range e.commit.ParentHashes {
			if err := push(parent, e.old); err != nil {
				return err
			}
		}
	}
	return nil
}
