package sources

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// target is where the ref that is followed stands on the remote.
type target struct {
	name    string          // full; "" for a commit
	hash    plumbing.Hash   // as advertised: a tag's own hash if it is annotated
	version *semver.Version // of a semver ref
}

func (t target) same(o target) bool { return t.name == o.name && t.hash == o.hash }

// resolve finds what ref names in the remote's list.
func resolve(ref Ref, constraint *semver.Constraints, refs *packp.AdvRefs) (target, error) {
	switch {
	case ref.Commit != "":
		return target{hash: plumbing.NewHash(ref.Commit)}, nil
	case ref.Semver != "":
		return highest(ref.Semver, constraint, refs)
	}
	name, kind := string(plumbing.NewBranchReferenceName(ref.Branch)), "branch"
	if ref.Tag != "" {
		name, kind = string(plumbing.NewTagReferenceName(ref.Tag)), "tag"
	}
	h, ok := refs.References[name]
	if !ok {
		return target{}, &fault{
			reason: ReasonRef,
			err:    fmt.Errorf("the remote has no %s %q", kind, ref.Branch+ref.Tag),
			hint:   "it has " + among(refs, strings.TrimSuffix(name, ref.Branch+ref.Tag)),
		}
	}
	return target{name: name, hash: h}, nil
}

// among names the first few refs under a prefix.
func among(refs *packp.AdvRefs, prefix string) string {
	var names []string
	for name := range refs.References {
		if short, ok := strings.CutPrefix(name, prefix); ok {
			names = append(names, short)
		}
	}
	slices.Sort(names)
	what := map[string]string{"refs/heads/": "branches", "refs/tags/": "tags"}[prefix]
	switch {
	case len(names) == 0:
		return "no " + what
	case len(names) > 5:
		return fmt.Sprintf("%d %s, among them %s", len(names), what, strings.Join(names[:5], ", "))
	}
	return "the " + what + " " + strings.Join(names, ", ")
}

const tagPrefix = "refs/tags/"

// highest is the tag of the highest version that satisfies the constraint. Of equal versions (they
// may differ in build metadata or a leading v) the one with the greater name wins, so that the
// choice does not depend on the order of a listing.
func highest(text string, constraint *semver.Constraints, refs *packp.AdvRefs) (target, error) {
	var best target
	seen := 0
	for name, h := range refs.References {
		v := versionOf(name)
		if v == nil {
			continue
		}
		seen++
		if !constraint.Check(v) {
			continue
		}
		if best.version == nil || v.GreaterThan(best.version) || (v.Equal(best.version) && name > best.name) {
			best = target{name: name, hash: h, version: v}
		}
	}
	if best.version == nil {
		return target{}, &fault{
			reason: ReasonRef,
			err:    fmt.Errorf("no tag of the remote satisfies %q", text),
			hint:   fmt.Sprintf("%d of its tags are versions of three numbers", seen),
		}
	}
	return best, nil
}

// versionOf reads a full ref name as a version; nil if it is none.
func versionOf(ref string) *semver.Version {
	tag, ok := strings.CutPrefix(ref, tagPrefix)
	if !ok {
		return nil
	}
	v, err := semver.StrictNewVersion(strings.TrimPrefix(tag, "v"))
	if err != nil {
		return nil
	}
	return v
}

// versionAt is the highest version within the constraint that the remote's tags give to a commit;
// nil if there is none.
func versionAt(commit plumbing.Hash, constraint *semver.Constraints, refs *packp.AdvRefs) *semver.Version {
	var best *semver.Version
	for name, h := range refs.References {
		if peeled, ok := refs.Peeled[name]; ok {
			h = peeled
		}
		if v := versionOf(name); v != nil && h == commit && constraint.Check(v) && (best == nil || v.GreaterThan(best)) {
			best = v
		}
	}
	return best
}
