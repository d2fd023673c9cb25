package sources

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Resolve returns the full hash of the commit that a revision names, as Git understands it: a branch, a tag, a remote's branch,
// HEAD or @, a hash or the beginning of one, each with any number of ~N, ^ and ^N behind.
func (l *Local) Resolve(revision string) (string, error) {
	c, err := l.resolve(revision)
	if err != nil {
		return "", fmt.Errorf("revision %q: %w", printable(revision, 100), err)
	}
	return c.Hash.String(), nil
}

func (l *Local) resolve(revision string) (*object.Commit, error) {
	name, steps := revision, ""
	if i := strings.IndexAny(revision, "~^"); i >= 0 {
		name, steps = revision[:i], revision[i:]
	}
	h, err := l.named(name)
	if err != nil {
		return nil, err
	}
	c, err := l.commit(h)
	for steps != "" && err == nil {
		c, steps, err = l.step(c, steps)
	}
	return c, err
}

// named finds what a name stands for; refs come before hashes, as in Git.
func (l *Local) named(name string) (plumbing.Hash, error) {
	if name == "@" {
		name = "HEAD"
	}
	if fullHash.MatchString(name) {
		return plumbing.NewHash(name), nil
	}
	for _, rule := range plumbing.RefRevParseRules {
		if ref, err := l.follow(plumbing.ReferenceName(fmt.Sprintf(rule, name))); err == nil {
			return ref.Hash(), nil
		}
	}
	return l.abbreviated(name)
}

// follow goes from a symbolic ref to the one that names an object.
func (l *Local) follow(name plumbing.ReferenceName) (*plumbing.Reference, error) {
	for range 5 {
		ref, err := l.store.Reference(name)
		if err != nil || ref.Type() == plumbing.HashReference {
			return ref, err
		}
		name = ref.Target()
	}
	return nil, plumbing.ErrReferenceNotFound
}

// step takes the first of the ~N and ^N behind a revision.
func (l *Local) step(c *object.Commit, steps string) (*object.Commit, string, error) {
	kind, rest := steps[0], steps[1:]
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	n := 1
	if digits > 0 {
		if _, err := fmt.Sscan(rest[:digits], &n); err != nil {
			return nil, "", fmt.Errorf("%q is no number of steps", rest[:digits])
		}
	}
	rest = rest[digits:]
	if rest != "" && rest[0] != '~' && rest[0] != '^' {
		return nil, "", fmt.Errorf("%q is not understood (hint: a branch, a tag or a hash, with ~N or ^N behind)", steps)
	}
	if kind == '^' {
		if n == 0 {
			return c, rest, nil
		}
		parent, err := l.parent(c, n-1)
		return parent, rest, err
	}
	for ; n > 0; n-- {
		var err error
		if c, err = l.parent(c, 0); err != nil {
			return nil, "", err
		}
	}
	return c, rest, nil
}

func (l *Local) parent(c *object.Commit, i int) (*object.Commit, error) {
	if i >= len(c.ParentHashes) {
		return nil, fmt.Errorf("commit %s has no parent %d", c.Hash.String()[:12], i+1)
	}
	return l.commit(c.ParentHashes[i])
}

// abbreviated finds the one object whose hash begins so.
func (l *Local) abbreviated(name string) (plumbing.Hash, error) {
	unknown := fmt.Errorf("the repository has no such branch, tag or commit: %w", ErrNoCommit)
	if len(name) < 4 || strings.Trim(name, "0123456789abcdef") != "" {
		return plumbing.ZeroHash, unknown
	}
	var found []plumbing.Hash
	err := l.eachCommit(name, func(h plumbing.Hash) { found = append(found, h) })
	switch {
	case err != nil:
		return plumbing.ZeroHash, err
	case len(found) == 0:
		return plumbing.ZeroHash, unknown
	case len(found) > 1:
		return plumbing.ZeroHash, fmt.Errorf("%d commits have a hash that begins so", len(found))
	}
	return found[0], nil
}

// eachCommit visits the commits, and tags of them, whose hash begins with a prefix.
func (l *Local) eachCommit(prefix string, visit func(plumbing.Hash)) error {
	even, err := hex.DecodeString(prefix[:len(prefix)/2*2])
	if err != nil {
		return err
	}
	hashes, err := l.store.HashesWithPrefix(even)
	if err != nil {
		return fmt.Errorf("looking for commits: %w", err)
	}
	seen := map[plumbing.Hash]bool{}
	for _, h := range hashes {
		if !strings.HasPrefix(h.String(), prefix) || seen[h] {
			continue
		}
		seen[h] = true
		if _, err := l.store.commit(h); err == nil {
			visit(h)
		}
	}
	return nil
}
