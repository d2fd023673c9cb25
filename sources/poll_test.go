package sources_test

import (
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sources"
)

func TestPollUnchanged(t *testing.T) {
	o := serve(t, files{"a.yaml": "a: 1\n"})
	r := o.repository()

	first := poll(t, r)
	require.Equal(t, []string{"refs", "pack"}, o.asked(), "one listing and one pack, in one conversation")
	require.Equal(t, o.head(), first.Revision().Commit)
	require.Equal(t, "refs/heads/main", first.Revision().Ref)
	require.Equal(t, "The first commit", first.Revision().Subject)
	require.WithinDuration(t, time.Now(), first.Revision().Time, time.Minute)
	require.Len(t, first.Revision().Short(), 12)
	require.Equal(t, "a: 1\n", read(t, first, "a.yaml"))

	require.Same(t, first, poll(t, r))
	require.Equal(t, []string{"refs"}, o.asked(), "no pack where nothing has moved")
}

func TestPollChanged(t *testing.T) {
	o := serve(t, files{"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"})
	r := o.repository()
	first := poll(t, r)
	second := o.commit("more\n\nbody", files{"a.yaml": "a: 2\n"})

	s := poll(t, r)
	require.Equal(t, second, s.Revision().Commit)
	require.Equal(t, "more", s.Revision().Subject)
	require.Equal(t, "a: 2\n", read(t, s, "a.yaml"))
	require.Equal(t, "a: 1\n", read(t, first, "a.yaml"), "the older snapshot stays as it was")
}

func TestPollAfterRestartFetchesNothing(t *testing.T) {
	o := serve(t, files{"a.yaml": "a: 1\n"})
	dir := t.TempDir()
	first := o.repository(func(c *sources.Config) { c.Dir = dir })
	poll(t, first)
	require.NoError(t, first.Close())
	o.asked()

	again := o.repository(func(c *sources.Config) { c.Dir = dir })
	require.Equal(t, "a: 1\n", read(t, poll(t, again), "a.yaml"))
	require.Equal(t, []string{"refs"}, o.asked())
}

func TestPollFetchesOnlyWhatIsNew(t *testing.T) {
	o := serve(t, many(40, func(i int) (string, string) { return strings.Repeat("d", i+1) + ".yaml", strings.Repeat("x", i) }))
	dir := t.TempDir()
	r := o.repository(func(c *sources.Config) { c.Dir = dir })
	poll(t, r)
	o.commit("small", files{"b.yaml": "b\n"})
	poll(t, r)
	indices, err := filepath.Glob(filepath.Join(dir, "*", "objects", "pack", "*.idx"))
	require.NoError(t, err)
	var counts []int
	for _, idx := range indices {
		counts = append(counts, len(regexp.MustCompile(`(?m)^[0-9a-f]{40} `).FindAllString(git(t, ".", "verify-pack", "-v", idx), -1)))
	}
	require.ElementsMatch(t, []int{42, 3}, counts, "the second pack holds a commit, a tree and a blob")
}

func TestPollEmptyRepositoryThenFirstPush(t *testing.T) {
	o := serve(t, nil)
	for name, url := range map[string]string{"http": o.url, "file": "file://" + o.folder} {
		t.Run(name, func(t *testing.T) {
			r := o.repository(func(c *sources.Config) { c.URL = url })
			require.ErrorIs(t, failure(t, r, sources.ReasonEmpty), sources.ErrEmpty)
			t.Cleanup(func() { git(t, o.folder, "update-ref", "-d", "refs/heads/main") })
			commit := o.commit("first", files{"a": "a"})
			require.Equal(t, commit, poll(t, r).Revision().Commit)
		})
	}
}

func TestPollMissing(t *testing.T) {
	o := serve(t, files{"a": "a"})
	t.Run("branch", func(t *testing.T) {
		r := o.repository(func(c *sources.Config) { c.Ref = sources.Ref{Branch: "mian"} })
		e := failure(t, r, sources.ReasonRef)
		require.ErrorIs(t, e, sources.ErrRef)
		require.ErrorContains(t, e, `no branch "mian" (it has the branches main)`)
	})
	t.Run("repository", func(t *testing.T) {
		for _, url := range []string{o.server.URL("nothing"), "file://" + o.folder + "x", "file://" + o.clone + "/.git/objects"} {
			fails(t, o.repository(func(c *sources.Config) { c.URL = url }), sources.ReasonNotFound)
		}
	})
	t.Run("server", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, l.Close())
		r := o.repository(func(c *sources.Config) { c.URL = "http://" + l.Addr().String() + "/policies.git" })
		require.ErrorContains(t, failure(t, r, sources.ReasonUnreachable), "connection refused")
	})
	t.Run("host", func(t *testing.T) {
		r := o.repository(func(c *sources.Config) { c.URL = "http://nowhere.invalid/policies.git" })
		fails(t, r, sources.ReasonUnreachable)
	})
	t.Run("path", func(t *testing.T) {
		r := o.repository(func(c *sources.Config) { c.Path = "a/b" })
		require.ErrorContains(t, failure(t, r, sources.ReasonPath), `"a" of source.path is not a folder`)
	})
}

func TestPollAnswersThatAreNotGit(t *testing.T) {
	o := serve(t, files{"a": "a"})
	r := o.repository()
	good := poll(t, r)
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		reason string
	}{
		"a page":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello\n\n</html>")) }, sources.ReasonProtocol},
		"nothing":    {func(http.ResponseWriter, *http.Request) {}, sources.ReasonProtocol},
		"503":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, sources.ReasonUnreachable},
		"429":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, sources.ReasonUnreachable},
		"418":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(418) }, sources.ReasonProtocol},
		"403":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, sources.ReasonAuth},
		"hanging up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, sources.ReasonUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			o.instead(test.answer)
			first := failure(t, r, test.reason)
			require.Equal(t, first.Error(), failure(t, r, test.reason).Error(), "the same trouble has the same text")
			o.instead(nil)
			require.Same(t, good, poll(t, r), "it recovers")
		})
	}
}

func TestPollTimeoutAndCancel(t *testing.T) {
	o := serve(t, files{"a": "a"})
	o.instead(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r := o.repository(func(c *sources.Config) { c.Timeout = 50 * time.Millisecond })
	require.ErrorContains(t, failure(t, r, sources.ReasonTimeout), "longer than 50ms")
	o.instead(nil)
}

func TestPollCutOffInTheMiddleOfAPack(t *testing.T) {
	o := serve(t, many(50, func(i int) (string, string) { return strings.Repeat("d", i+1) + ".yaml", strings.Repeat("x", i*100) }))
	r := o.repository()
	o.instead(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			o.forward(w, req)
			return
		}
		o.forward(&cut{ResponseWriter: w, left: 600}, req)
	})
	_, err := r.Poll(t.Context())
	require.Error(t, err)
	t.Log(err)
	o.instead(nil)
	require.Equal(t, o.head(), poll(t, r).Revision().Commit)
}

// forward lets Git answer after all.
func (o *origin) forward(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	next := o.next
	o.mu.Unlock()
	next.ServeHTTP(w, r)
}

// cut hangs up after so many bytes.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	if len(p) > c.left {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

func TestPollMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := sources.NewMetrics(reg)
	families, err := reg.Gather()
	require.NoError(t, err)
	require.Len(t, families, 5, "every family has a sample before anything has happened")

	o := serve(t, files{"a": "a"})
	r := o.repository(func(c *sources.Config) { c.Metrics = m })
	poll(t, r)
	poll(t, r)
	second := o.commit("second", nil)
	poll(t, r)
	git(t, o.clone, "reset", "-q", "--hard", "HEAD~1")
	o.commit("another", files{"b": "b"})
	fails(t, r, sources.ReasonRewind)
	fails(t, r, sources.ReasonRewind)
	o.instead(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	fails(t, r, sources.ReasonUnreachable)

	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP ringfence_source_polls_total Polls of the policy repository, by result: changed, unchanged, refused, error.
# TYPE ringfence_source_polls_total counter
ringfence_source_polls_total{result="changed"} 2
ringfence_source_polls_total{result="error"} 1
ringfence_source_polls_total{result="refused"} 2
ringfence_source_polls_total{result="unchanged"} 1
# HELP ringfence_source_refused_total Revisions that were refused, each once, by reason: rewind, signature, limit.
# TYPE ringfence_source_refused_total counter
ringfence_source_refused_total{reason="limit"} 0
ringfence_source_refused_total{reason="rewind"} 1
ringfence_source_refused_total{reason="signature"} 0
# HELP ringfence_source_revision_info 1 for the current revision; an empty revision with 0 while there is none.
# TYPE ringfence_source_revision_info gauge
ringfence_source_revision_info{revision="`+second+`"} 1
`), "ringfence_source_polls_total", "ringfence_source_refused_total", "ringfence_source_revision_info"))
}
