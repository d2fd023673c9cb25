package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// havesPerRef is how many commits of each ref of ours we tell the remote about, so that it finds a
// common one even after a rewind.
const havesPerRef = 128

// fetch brings wants, with all of their history, into the store.
func (r *Repository) fetch(ctx context.Context, sess session, refs *packp.AdvRefs, wants []plumbing.Hash) error {
	if len(refs.Shallows) > 0 {
		return &fault{reason: ReasonShallow, err: errors.New("the remote's own history is cut"), hint: "point source.url at a full clone"}
	}
	wants = slices.DeleteFunc(slices.Clone(wants), r.store.has)
	if len(wants) == 0 {
		return nil
	}
	req := packp.NewUploadPackRequestFromCapabilities(refs.Capabilities)
	if refs.Capabilities.Supports(capability.NoProgress) {
		if err := req.Capabilities.Set(capability.NoProgress); err != nil {
			return err
		}
	}
	req.Wants = wants
	req.Haves = r.store.haves()
	resp, err := sess.UploadPack(ctx, req)
	if err != nil {
		if errors.Is(err, transport.ErrEmptyUploadPackRequest) {
			return errors.New("the remote sent no pack")
		}
		return err
	}
	defer resp.Close()
	pack := bounded(demux(req.Capabilities, resp), r.limits.PackBytes, "the pack")
	source := &sourceErrors{r: pack}
	if err := packfile.UpdateObjectStorage(r.store, source); err != nil {
		if source.err != nil {
			return source.err
		}
		if isUnusable(err) {
			return unusable(err)
		}
		return fmt.Errorf("receiving the pack: %w", err)
	}
	return nil
}

// sourceErrors remembers how reading failed, to tell trouble of the remote from trouble of the
// store.
type sourceErrors struct {
	r   io.Reader
	err error
}

func (s *sourceErrors) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func demux(c *capability.List, r io.Reader) io.Reader {
	switch {
	case c.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, r)
	case c.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, r)
	}
	return r
}

// haves lists commits that the store has with all of their history, newest first. A store that
// cannot tell has none: the remote then sends more than needed.
func (s *store) haves() []plumbing.Hash {
	var haves []plumbing.Hash
	seen := map[plumbing.Hash]bool{}
	for _, name := range []plumbing.ReferenceName{refFetched, refAccepted, refFloor} {
		c, err := s.commit(s.ref(name))
		if err != nil {
			continue
		}
		left := havesPerRef
		_ = object.NewCommitIterCTime(c, seen, nil).ForEach(func(c *object.Commit) error {
			seen[c.Hash] = true
			haves = append(haves, c.Hash)
			if left--; left == 0 {
				return storer.ErrStop
			}
			return nil
		})
	}
	return haves
}

// errNotCommit means that an object is there and whole, and neither a commit nor a tag of one.
var errNotCommit = errors.New("not a commit")

// commit peels an object of the store to a commit. Its error is *damage or errNotCommit.
func (s *store) commit(h plumbing.Hash) (*object.Commit, error) {
	for range 8 { // a tag may name a tag
		o, err := s.EncodedObject(plumbing.AnyObject, h)
		if err != nil {
			return nil, &damage{fmt.Errorf("reading %s: %w", h, err)}
		}
		switch o.Type() {
		case plumbing.CommitObject:
			c, err := object.DecodeCommit(s, o)
			if err != nil {
				return nil, &damage{fmt.Errorf("reading commit %s: %w", h, err)}
			}
			return c, nil
		case plumbing.TagObject:
			t, err := object.DecodeTag(s, o)
			if err != nil {
				return nil, &damage{fmt.Errorf("reading tag %s: %w", h, err)}
			}
			h = t.Target
		default:
			return nil, errNotCommit
		}
	}
	return nil, errNotCommit
}

// wantable lists what to ask for to get a commit: the commit itself where the server gives out any
// or shows it, else every branch and tag.
func wantable(commit plumbing.Hash, refs *packp.AdvRefs) []plumbing.Hash {
	if refs.Capabilities.Supports(capability.AllowReachableSHA1InWant) || refs.Capabilities.Supports(anySHA1) {
		return []plumbing.Hash{commit}
	}
	return everything(commit, refs)
}

// anySHA1 is uploadpack.allowAnySHA1InWant; Git advertises it beside the other two.
const anySHA1 capability.Capability = "allow-any-sha1-in-want"

func everything(commit plumbing.Hash, refs *packp.AdvRefs) []plumbing.Hash {
	var all []plumbing.Hash
	for name, h := range refs.References {
		if h == commit {
			return []plumbing.Hash{commit}
		}
		ref := plumbing.ReferenceName(name)
		if ref.IsBranch() || ref.IsTag() {
			all = append(all, h)
		}
	}
	plumbing.HashesSort(all)
	return slices.Compact(all)
}
