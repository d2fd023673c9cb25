package sources_test

import (
	"bytes"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sources/gitserver"
)

// patience is how long what must come about may take on a machine that is busy.
const patience = time.Minute

// files is the content of a repository, by path.
type files map[string]string

func (f files) fs() fs.FS {
	m := fstest.MapFS{}
	for name, content := range f {
		m[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
	}
	return m
}

// origin is a real repository behind a real server, and a clone that commits are made in.
type origin struct {
	t      *testing.T
	server *gitserver.Server
	url    string
	folder string // the bare one
	clone  string

	mu       sync.Mutex
	requests []string // METHOD path?query
	answer   http.HandlerFunc
	next     http.Handler
}

// serve starts a server with the repository "policies"; a nil content makes it empty.
func serve(t *testing.T, content files, change ...func(*gitserver.Config)) *origin {
	t.Helper()
	o := &origin{t: t, clone: filepath.Join(t.TempDir(), "clone")}
	config := gitserver.Config{Dir: t.TempDir(), Wrap: o.wrap}
	for _, c := range change {
		c(&config)
	}
	server, err := gitserver.New(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	var tree fs.FS
	if content != nil {
		tree = content.fs()
	}
	require.NoError(t, server.CreateRepository("policies", tree))
	o.server, o.url, o.folder = server, server.URL("policies"), server.Folder("policies")
	git(t, ".", "clone", "-q", o.folder, o.clone)
	if content == nil {
		git(t, o.clone, "checkout", "-q", "-b", "main")
	}
	return o
}

// wrap notes each request, and lets a test answer in Git's place.
func (o *origin) wrap(next http.Handler) http.Handler {
	o.next = next
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.requests = append(o.requests, r.Method+" "+r.URL.RequestURI())
		answer := o.answer
		o.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (o *origin) instead(h http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = h
}

// asked returns the requests since it was called last: refs for a listing, pack for a fetch.
func (o *origin) asked() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var kinds []string
	for _, r := range o.requests {
		switch {
		case strings.HasPrefix(r, "GET ") && strings.Contains(r, "/info/refs"):
			kinds = append(kinds, "refs")
		case strings.HasPrefix(r, "POST ") && strings.HasSuffix(r, "/git-upload-pack"):
			kinds = append(kinds, "pack")
		default:
			kinds = append(kinds, r)
		}
	}
	o.requests = nil
	return kinds
}

// commit writes files in the clone, commits and pushes main, and returns the commit.
func (o *origin) commit(message string, change files) string {
	o.t.Helper()
	write(o.t, o.clone, change)
	git(o.t, o.clone, "add", "--all")
	git(o.t, o.clone, "commit", "-q", "--allow-empty", "-m", message)
	o.push("HEAD:main")
	return git(o.t, o.clone, "rev-parse", "HEAD")
}

func (o *origin) push(refs ...string) {
	o.t.Helper()
	git(o.t, o.clone, append([]string{"push", "-q", "--force", o.folder}, refs...)...)
}

func (o *origin) head() string { return git(o.t, o.folder, "rev-parse", "main") }

func write(t *testing.T, folder string, content files) {
	t.Helper()
	for name, text := range content {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

// git runs Git uninfluenced by this machine, and returns what it prints.
func git(t *testing.T, folder string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

// repository makes a Repository for main of o; change adapts its configuration.
func (o *origin) repository(change ...func(*sources.Config)) *sources.Repository {
	o.t.Helper()
	c := sources.Config{URL: o.url, Ref: sources.Ref{Branch: "main"}, Dir: filepath.Join(o.t.TempDir(), "store"), Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&c)
	}
	r, err := sources.New(c)
	require.NoError(o.t, err)
	o.t.Cleanup(func() { require.NoError(o.t, r.Close()) })
	return r
}

func poll(t *testing.T, r *sources.Repository) *sources.Snapshot {
	t.Helper()
	s, err := r.Poll(t.Context())
	require.NoError(t, err)
	return s
}

// fails polls, which must fail for that reason.
func fails(t *testing.T, r *sources.Repository, reason string) {
	t.Helper()
	require.Error(t, failure(t, r, reason))
}

// failure polls and returns the error, which must be an *Error of that reason, on one line.
func failure(t *testing.T, r *sources.Repository, reason string) *sources.Error {
	t.Helper()
	s, err := r.Poll(t.Context())
	return failureOf(t, s, err, reason)
}

func failureOf(t *testing.T, s *sources.Snapshot, err error, reason string) *sources.Error {
	t.Helper()
	require.Error(t, err)
	require.Nil(t, s)
	var e *sources.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, reason, e.Reason, "%v", err)
	require.NotContains(t, err.Error(), "\n")
	t.Log(err)
	return e
}

func read(t *testing.T, s *sources.Snapshot, name string) string {
	t.Helper()
	data, err := fs.ReadFile(s.FS(), name)
	require.NoError(t, err)
	return string(data)
}

// file writes a file of its own and returns its path.
func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// buffer collects log lines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *buffer) log() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

func many(n int, each func(i int) (string, string)) files {
	f := files{}
	for i := range n {
		name, content := each(i)
		f[name] = content
	}
	return f
}
