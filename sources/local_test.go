package sources

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clone is a repository in which somebody works, driven by Git itself.
type clone struct {
	*testing.T
	dir string
}

func newClone(t *testing.T) *clone {
	t.Helper()
	c := &clone{t, filepath.Join(t.TempDir(), "clone")}
	require.NoError(t, os.Mkdir(c.dir, 0o755))
	c.git("init", "--quiet", "--initial-branch=main")
	return c
}

func (c *clone) git(args ...string) string {
	c.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com")
	out, err := cmd.CombinedOutput()
	require.NoError(c, err, "git %v: %s", args, out)
	return strings.TrimSpace(string(out))
}

// commit writes a file and commits it.
func (c *clone) commit(name, text string) string {
	c.Helper()
	require.NoError(c, os.MkdirAll(filepath.Dir(filepath.Join(c.dir, name)), 0o755))
	require.NoError(c, os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o644))
	c.git("add", "--all")
	c.git("commit", "--quiet", "--message", text)
	return c.git("rev-parse", "HEAD")
}

// Every way to name a commit gives the one that Git gives, wherever its objects and refs are.
func TestLocalResolves(t *testing.T) {
	c := newClone(t)
	c.commit("a/file", "one")
	c.git("tag", "v1")
	c.commit("a/file", "two")
	c.git("tag", "--annotate", "--message", "second", "v2")
	c.git("branch", "side", "HEAD~1")
	c.git("switch", "--quiet", "side")
	third := c.commit("b/file", "three")
	c.git("switch", "--quiet", "main")
	c.git("merge", "--quiet", "--no-edit", "side")
	c.git("update-ref", "refs/remotes/origin/main", third)
	names := []string{
		"HEAD", "@", "main", "heads/main", "refs/heads/side", "side", "v1", "v2", "tags/v2", "origin/main", third, third[:7], third[:8],
		"HEAD~1", "HEAD~2", "HEAD^", "HEAD^1", "HEAD^2", "HEAD^2~1", "HEAD^^", "@~0", "HEAD^0", "v2~1", third[:9] + "^",
	}
	linked := filepath.Join(t.TempDir(), "linked")
	c.git("worktree", "add", "--quiet", "--detach", linked, "side")
	borrowed := filepath.Join(t.TempDir(), "borrowed")
	c.git("clone", "--quiet", "--shared", "--bare", c.dir, borrowed)
	for _, state := range []string{"loose", "packed"} {
		if state == "packed" {
			c.git("gc", "--quiet")
		}
		l, err := OpenLocal(filepath.Join(c.dir, "a"))
		require.NoError(t, err)
		for _, name := range names {
			got, err := l.Resolve(name)
			require.NoError(t, err, "%s %s", state, name)
			assert.Equal(t, c.git("rev-parse", name+"^{commit}"), got, "%s %s", state, name)
		}
		l, err = OpenLocal(linked)
		require.NoError(t, err)
		for name, want := range map[string]string{"HEAD": third, "main~1": c.git("rev-parse", "main~1")} {
			got, err := l.Resolve(name)
			require.NoError(t, err, name)
			assert.Equal(t, want, got, "in a linked working tree: %s", name)
		}
		l, err = OpenLocal(borrowed)
		require.NoError(t, err)
		s, err := l.At(t.Context(), third)
		require.NoError(t, err, "a bare repository, the objects of which are another's")
		text, err := fs.ReadFile(s.FS(), "b/file")
		require.NoError(t, err)
		assert.Equal(t, "three", string(text))
	}
}

func TestLocalCannotResolve(t *testing.T) {
	c := newClone(t)
	c.commit("file", "one")
	l, err := OpenLocal(c.dir)
	require.NoError(t, err)
	for name, says := range map[string]string{
		"nowhere":                         "no such branch, tag or commit",
		"":                                "no such branch, tag or commit",
		"abc":                             "no such branch, tag or commit",
		"HEAD~1":                          "has no parent 1",
		"HEAD^2":                          "has no parent 2",
		"HEAD@{1}":                        "no such branch, tag or commit",
		"HEAD^{tree}":                     `"^{tree}" is not understood`,
		strings.Repeat("0", 40):           "is not in this repository",
		c.git("rev-parse", "HEAD^{tree}"): "",
	} {
		_, err := l.Resolve(name)
		require.Error(t, err, name)
		assert.ErrorContains(t, err, says)
	}
	_, err = OpenLocal(t.TempDir())
	require.ErrorIs(t, err, ErrNotRepository)
	_, err = OpenLocal(filepath.Join(c.dir, "missing"))
	require.ErrorContains(t, err, "missing")
}

// A snapshot is rooted at the folder that was asked for, as Git had it, and a history that was cut says so.
func TestLocalSnapshots(t *testing.T) {
	c := newClone(t)
	first := c.commit("deep/folder/file", "one")
	c.commit("deep/folder/file", "two\n\nRingfence-Confirm-Prune: abc")
	l, err := OpenLocal(filepath.Join(c.dir, "deep", "folder"))
	require.NoError(t, err)
	s, err := l.At(t.Context(), first)
	require.NoError(t, err)
	text, err := fs.ReadFile(s.FS(), "file")
	require.NoError(t, err)
	assert.Equal(t, "one", string(text))
	assert.Equal(t, first, s.Revision().Commit)
	assert.Equal(t, "working tree", s.Named("working tree").Revision().Short())

	found, err := l.Trailers(t.Context(), first, c.git("rev-parse", "HEAD"), "ringfence-confirm-prune")
	require.NoError(t, err)
	assert.Equal(t, []Trailer{{Commit: c.git("rev-parse", "HEAD"), Value: "abc"}}, found)
	none, err := l.Trailers(t.Context(), first, "working tree", "ringfence-confirm-prune")
	require.NoError(t, err)
	assert.Empty(t, none)

	_, err = l.At(t.Context(), strings.Repeat("1", 40))
	require.ErrorIs(t, err, ErrNoCommit)
	_, err = l.At(t.Context(), "main")
	require.ErrorIs(t, err, ErrNoCommit)

	shallow := filepath.Join(t.TempDir(), "shallow")
	c.git("clone", "--quiet", "--depth=1", "file://"+c.dir, shallow)
	l, err = OpenLocal(shallow)
	require.NoError(t, err)
	_, err = l.Resolve("HEAD")
	require.NoError(t, err)
	_, err = l.Resolve("HEAD~1")
	require.ErrorIs(t, err, ErrNoCommit)
	assert.ErrorContains(t, err, "git fetch --unshallow")
}
