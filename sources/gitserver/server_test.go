package gitserver_test

import (
	"crypto/rand"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sources/gitserver"
)

// git runs Git as a user would, with a configuration of the user's own.
func git(t *testing.T, folder string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0", "GIT_AUTHOR_NAME=U", "GIT_AUTHOR_EMAIL=u@example.com", "GIT_COMMITTER_NAME=U", "GIT_COMMITTER_EMAIL=u@example.com")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func must(t *testing.T, folder string, args ...string) string {
	t.Helper()
	out, err := git(t, folder, args...)
	require.NoError(t, err, out)
	return out
}

func serve(t *testing.T, c gitserver.Config) *gitserver.Server {
	t.Helper()
	c.Dir = filepath.Join(t.TempDir(), "repositories")
	s, err := gitserver.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

var content = fstest.MapFS{
	"a.yaml":     {Data: []byte("a\r\n")},
	"dir/b.yaml": {Data: []byte("b\n"), Mode: 0o444},
	".gitignore": {Data: []byte("*.yaml\n")},
}

func TestCloneAndPush(t *testing.T) {
	s := serve(t, gitserver.Config{})
	require.NoError(t, s.CreateRepository("policies", content))
	clone := filepath.Join(t.TempDir(), "clone")
	must(t, ".", "clone", "-q", s.URL("policies"), clone)
	require.Equal(t, "main", must(t, clone, "branch", "--show-current"))
	require.Equal(t, "1", must(t, clone, "rev-list", "--count", "HEAD"))
	for name, f := range content {
		data, err := os.ReadFile(filepath.Join(clone, name))
		require.NoError(t, err)
		require.Equal(t, f.Data, data, "byte for byte, ignored or not")
	}
	big := make([]byte, 3<<20) // more than http.postBuffer: sent in chunks
	_, _ = rand.Read(big)
	require.NoError(t, os.WriteFile(filepath.Join(clone, "big"), big, 0o644))
	must(t, clone, "add", "big")
	must(t, clone, "commit", "-q", "-m", "big")
	must(t, clone, "push", "-q")
	require.Equal(t, must(t, clone, "rev-parse", "HEAD"), must(t, s.Folder("policies"), "rev-parse", "main"))
	must(t, s.Folder("policies"), "fsck", "--full", "--strict")
	must(t, clone, "-c", "protocol.version=2", "fetch", "-q", "origin")
	must(t, clone, "reset", "-q", "--hard", "HEAD~1")
	must(t, clone, "push", "-q", "--force")
}

func TestEmptyRepository(t *testing.T) {
	s := serve(t, gitserver.Config{})
	require.NoError(t, s.CreateRepository("empty", nil))
	require.Empty(t, must(t, ".", "ls-remote", s.URL("empty")))
	entries, err := os.ReadDir(s.Folder("empty"))
	require.NoError(t, err)
	for _, e := range entries {
		require.NotEqual(t, "hooks", e.Name(), "nothing of a template")
	}
}

// Whatever the user has configured, the repository and its commit are the same.
func TestConfigurationOfTheUserIsIgnored(t *testing.T) {
	home := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[user]\n\tname = Somebody Else\n[commit]\n\tgpgsign = true\n[core]\n\tautocrlf = input\n\thooksPath = /nonexistent\n[init]\n\tdefaultBranch = other\n[http]\n\treceivepack = false\n"), 0o600))
	t.Setenv("HOME", home)
	t.Setenv("GIT_DIR", "/nonexistent")
	t.Setenv("GIT_AUTHOR_NAME", "Somebody Else")
	s := serve(t, gitserver.Config{})
	require.NoError(t, s.CreateRepository("policies", content))
	t.Setenv("GIT_DIR", "")
	require.NoError(t, os.Unsetenv("GIT_DIR"))
	require.Equal(t, "Ringfence", must(t, s.Folder("policies"), "log", "-1", "--format=%an", "main"))
	require.Contains(t, must(t, s.Folder("policies"), "cat-file", "-p", "main:a.yaml"), "a")
	require.Equal(t, "3", must(t, s.Folder("policies"), "cat-file", "-s", "main:a.yaml"))
}

func TestPassword(t *testing.T) {
	s := serve(t, gitserver.Config{User: "u", Password: "p"})
	require.NoError(t, s.CreateRepository("policies", content))
	for auth, good := range map[string]bool{"": false, "u:wrong@": false, "v:p@": false, "u:p@": true} {
		_, err := git(t, ".", "ls-remote", strings.Replace(s.URL("policies"), "://", "://"+auth, 1))
		require.Equal(t, good, err == nil, auth)
	}
}

func TestConfinement(t *testing.T) {
	s := serve(t, gitserver.Config{})
	require.NoError(t, s.CreateRepository("policies", content))
	for _, name := range []string{"", ".", "..", "../x", "a/b", "-x", "x.git", "a b"} {
		require.Error(t, s.CreateRepository(name, nil), name)
	}
	require.ErrorIs(t, s.CreateRepository("policies", nil), fs.ErrExist)
	base := strings.TrimSuffix(s.URL("policies"), "/policies.git")
	for _, path := range []string{"/nothing.git/info/refs?service=git-upload-pack", "/../../etc/passwd", "/policies.git/../../x/HEAD", "/policies.git/config", "/"} {
		resp, err := http.Get(base + path)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.NotEqual(t, http.StatusOK, resp.StatusCode, path)
	}
}

func TestWithoutGit(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := gitserver.New(gitserver.Config{Dir: t.TempDir()})
	require.ErrorContains(t, err, "needs a git executable")
}

func TestBadConfig(t *testing.T) {
	_, err := gitserver.New(gitserver.Config{})
	require.ErrorContains(t, err, "Dir is missing")
	_, err = gitserver.New(gitserver.Config{Dir: t.TempDir(), Listen: "256.0.0.1:1"})
	require.ErrorContains(t, err, "listening for Git")
}
