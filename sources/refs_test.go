package sources_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sources"
)

func following(ref sources.Ref) func(*sources.Config) {
	return func(c *sources.Config) { c.Ref = ref }
}

func TestRefTag(t *testing.T) {
	o := serve(t, files{"a": "1"})
	first := o.head()
	git(t, o.clone, "tag", "light")
	git(t, o.clone, "tag", "-a", "-m", "annotated", "heavy")
	git(t, o.clone, "tag", "-a", "-m", "of a tag", "nested", "heavy")
	o.push("--tags")
	o.commit("later", files{"a": "2"})

	for _, tag := range []string{"light", "heavy", "nested"} {
		t.Run(tag, func(t *testing.T) {
			r := o.repository(following(sources.Ref{Tag: tag}))
			s := poll(t, r)
			require.Equal(t, first, s.Revision().Commit)
			require.Equal(t, "refs/tags/"+tag, s.Revision().Ref)
			o.asked()
			require.Same(t, s, poll(t, r))
			require.Equal(t, []string{"refs"}, o.asked())
		})
	}
	t.Run("of a blob", func(t *testing.T) {
		git(t, o.clone, "tag", "blob", "HEAD:a")
		o.push("--tags")
		require.ErrorContains(t, failure(t, o.repository(following(sources.Ref{Tag: "blob"})), sources.ReasonRef), "does not name a commit")
	})
	t.Run("moved forward", func(t *testing.T) {
		r := o.repository(following(sources.Ref{Tag: "light"}))
		poll(t, r)
		git(t, o.clone, "tag", "-f", "light")
		o.push("refs/tags/light")
		require.Equal(t, o.head(), poll(t, r).Revision().Commit)
	})
	t.Run("moved back", func(t *testing.T) {
		r := o.repository(following(sources.Ref{Tag: "light"}))
		poll(t, r)
		git(t, o.clone, "tag", "-f", "light", first)
		o.push("refs/tags/light")
		fails(t, r, sources.ReasonRewind)
	})
}

func TestRefSemver(t *testing.T) {
	o := serve(t, files{"a": "1"})
	tag := func(name, at string) {
		git(t, o.clone, "tag", "-f", name, at)
		o.push("refs/tags/" + name)
	}
	base := o.head()
	tag("v1.0.0", base)
	tag("v1.2", base)
	tag("nightly", base)
	two := o.commit("1.1", files{"a": "2"})
	tag("v1.1.0", two)
	tag("v2.0.0", two)
	tag("v1.2.0-rc.1", two)
	r := o.repository(following(sources.Ref{Semver: "^1"}))
	s := poll(t, r)
	require.Equal(t, "refs/tags/v1.1.0", s.Revision().Ref, "neither a pre-release, nor another major version, nor what is no full version")

	t.Run("a higher version on another branch is accepted", func(t *testing.T) {
		git(t, o.clone, "checkout", "-q", "-b", "release", base)
		side := o.sideCommit("1.1.1")
		tag("v1.1.1", side)
		s = poll(t, r)
		require.Equal(t, side, s.Revision().Commit)
	})
	t.Run("so it is after a restart", func(t *testing.T) {
		again := o.repository(following(sources.Ref{Semver: "^1"}))
		again.SetFloor(two)
		require.Equal(t, s.Revision(), poll(t, again).Revision())
	})
	t.Run("the same version on a commit that does not descend is refused", func(t *testing.T) {
		tag("v1.1.1", two)
		require.ErrorIs(t, failure(t, r, sources.ReasonRewind), sources.ErrRewind)
	})
	t.Run("a lower version is refused", func(t *testing.T) {
		o.push(":refs/tags/v1.1.1")
		fails(t, r, sources.ReasonRewind)
	})
	t.Run("nothing satisfies", func(t *testing.T) {
		e := failure(t, o.repository(following(sources.Ref{Semver: ">=9"})), sources.ReasonRef)
		require.ErrorContains(t, e, "4 of its tags are versions")
	})
}

// sideCommit commits on the branch that is checked out, without pushing it.
func (o *origin) sideCommit(message string) string {
	git(o.t, o.clone, "commit", "-q", "--allow-empty", "-m", message)
	return git(o.t, o.clone, "rev-parse", "HEAD")
}

func TestRefCommit(t *testing.T) {
	o := serve(t, files{"a": "1"})
	first := o.head()
	o.commit("second", files{"a": "2"})
	for name, config := range map[string]string{"not given out": "false", "given out": "true"} {
		t.Run(name, func(t *testing.T) {
			git(t, o.folder, "config", "uploadpack.allowReachableSHA1InWant", config)
			r := o.repository(following(sources.Ref{Commit: first}))
			s := poll(t, r)
			require.Equal(t, first, s.Revision().Commit)
			require.Empty(t, s.Revision().Ref)
			require.Equal(t, "1", read(t, s, "a"))
			o.asked()
			require.Same(t, s, poll(t, r))
			require.Empty(t, o.asked(), "a commit cannot move: the remote is not asked again")

			unknown := o.repository(following(sources.Ref{Commit: "0123456789012345678901234567890123456789"}))
			require.ErrorIs(t, failure(t, unknown, sources.ReasonCommit), sources.ErrNoCommit)
		})
	}
	t.Run("going back on purpose is no rewind", func(t *testing.T) {
		r := o.repository(following(sources.Ref{Commit: first}))
		r.SetFloor(o.head())
		require.Equal(t, first, poll(t, r).Revision().Commit)
	})
}

func TestRewind(t *testing.T) {
	o := serve(t, files{"a": "1"})
	first := o.head()
	o.commit("second", files{"a": "2"})
	strict, lax := o.repository(), o.repository(func(c *sources.Config) { c.AllowRewind = true })
	good := poll(t, strict)
	poll(t, lax)

	git(t, o.clone, "reset", "-q", "--hard", first)
	other := o.commit("another second", files{"a": "3"})
	e := failure(t, strict, sources.ReasonRewind)
	require.ErrorIs(t, e, sources.ErrRewind)
	require.True(t, e.Refused())
	require.Equal(t, other, e.Revision.Commit)
	require.Equal(t, "another second", e.Revision.Subject)
	require.Equal(t, other, poll(t, lax).Revision().Commit)
	o.asked()
	require.Equal(t, e, failure(t, strict, sources.ReasonRewind))
	require.Equal(t, []string{"refs"}, o.asked(), "what is refused is not fetched again")

	t.Run("descending from what is refused does not help", func(t *testing.T) {
		o.commit("third", nil)
		fails(t, strict, sources.ReasonRewind)
	})
	t.Run("back to the good one", func(t *testing.T) {
		o.push(good.Revision().Commit + ":main")
		require.Same(t, good, poll(t, strict))
	})
	t.Run("back to an ancestor is a rewind too", func(t *testing.T) {
		o.push(first + ":main")
		fails(t, strict, sources.ReasonRewind)
	})
	t.Run("a merge that has it is none", func(t *testing.T) {
		git(t, o.clone, "merge", "-q", "-s", "ours", "-m", "merge", good.Revision().Commit)
		o.push("HEAD:main")
		require.Equal(t, "merge", poll(t, strict).Revision().Subject)
	})
}

func TestRewindAfterRestart(t *testing.T) {
	o := serve(t, files{"a": "1"})
	first := o.head()
	second := o.commit("second", files{"a": "2"})
	git(t, o.clone, "reset", "-q", "--hard", first)
	other := o.commit("another second", files{"a": "3"})

	for name, test := range map[string]struct {
		floor  string
		reason string
	}{
		"none":          {"", ""},
		"not a hash":    {"main", ""},
		"an ancestor":   {first, ""},
		"itself":        {other, ""},
		"rewound away":  {second, sources.ReasonRewind},
		"never existed": {"0123456789012345678901234567890123456789", sources.ReasonRewind},
	} {
		t.Run(name, func(t *testing.T) {
			r := o.repository()
			r.SetFloor(test.floor)
			if test.reason != "" {
				fails(t, r, test.reason)
				r.SetFloor(first)
			}
			require.Equal(t, other, poll(t, r).Revision().Commit)
		})
	}
}
