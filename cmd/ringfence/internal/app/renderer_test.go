package app

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sources/gitserver"
)

const head = "apiVersion: ringfence.dev/v1\nkind: Repository\n"

// history is a repository whose every commit is read as the daemon reads it.
type history struct {
	t          *testing.T
	clone      string
	repository *sources.Repository
}

// newHistory serves a repository with a tenant that has a policy and a test.
func newHistory(t *testing.T) *history {
	t.Helper()
	server, err := gitserver.New(gitserver.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	require.NoError(t, server.CreateRepository("policies", fstest.MapFS{
		"ringfence.yaml":                   {Data: []byte(head), Mode: 0o644},
		"overlays/acme/kustomization.yaml": {Data: []byte("namespace: caas-acme\nresources: [policy.yaml, test.yaml]\n"), Mode: 0o644},
		"overlays/acme/policy.yaml": {Mode: 0o644, Data: []byte(
			"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web}\nspec: {podSelector: {}, policyTypes: [Ingress]}\n")},
		"overlays/acme/test.yaml": {Mode: 0o644, Data: []byte(
			"apiVersion: ringfence.dev/v1\nkind: PolicyTest\nmetadata: {name: web}\nspec: {workloads: {web: {labels: {app: web}}}, expect: [{deny: web -> internet}]}\n")},
	}))
	r, err := sources.New(sources.Config{
		URL: server.URL("policies"), Ref: sources.Ref{Branch: "main"}, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	h := &history{t: t, clone: filepath.Join(t.TempDir(), "clone"), repository: r}
	h.git("clone", "-q", server.Folder("policies"), h.clone)
	return h
}

func (h *history) git(args ...string) {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	require.NoError(h.t, err, "git %v: %s", args, out)
}

// write pushes a file and returns the snapshot that has it.
func (h *history) write(name, text string) *sources.Snapshot {
	h.t.Helper()
	require.NoError(h.t, os.WriteFile(filepath.Join(h.clone, name), []byte(text), 0o600))
	h.git("-C", h.clone, "commit", "-q", "-a", "-m", "change "+name)
	h.git("-C", h.clone, "push", "-q", "origin", "HEAD:main")
	return h.poll()
}

func (h *history) poll() *sources.Snapshot {
	h.t.Helper()
	s, err := h.repository.Poll(h.t.Context())
	require.NoError(h.t, err)
	return s
}

// newRenderer returns the renderer of a daemon with lines added to its file.
func newRenderer(t *testing.T, log *bytes.Buffer, lines ...string) *renderer {
	t.Helper()
	daemon, err := config.ParseDaemon("config.yaml", fmt.Appendf(nil,
		"apiVersion: ringfence.dev/v1\nkind: Config\nsource: {url: \"https://git.example.com/policies.git\"}\n%s\n", strings.Join(lines, "\n")))
	require.NoError(t, err)
	return &renderer{daemon: daemon, log: slog.New(slog.NewTextHandler(log, nil)), owner: func(string) (string, bool) { return "", false }}
}

// What it remembers of overlays is kept while the layout stays as it is, and dropped when it
// changes: a renderer of the old layout would refuse, or allow, what the new one does not.
func TestRendererFollowsTheConfiguration(t *testing.T) {
	h := newHistory(t)
	r := newRenderer(t, &bytes.Buffer{})
	got, err := r.Render(t.Context(), h.poll())
	require.NoError(t, err)
	require.Len(t, got.Rendering.Tenants, 1)
	assert.Empty(t, got.Rendering.Tenants[0].Problems)
	assert.Empty(t, got.Expect)
	first := r.current

	_, err = r.Render(t.Context(), h.write("overlays/acme/policy.yaml",
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: other}\nspec: {podSelector: {}, policyTypes: [Egress]}\n"))
	require.NoError(t, err)
	assert.Same(t, first, r.current, "another policy")
	got, err = r.Render(t.Context(), h.write("ringfence.yaml", head+"layout: {expect: [\"caas-*\"]}\n"))
	require.NoError(t, err)
	assert.Same(t, first, r.current, "a key that rendering does not depend on")
	assert.Equal(t, []string{"caas-*"}, got.Expect)

	got, err = r.Render(t.Context(), h.write("ringfence.yaml", head+"layout: {namespaces: [\"other-*\"]}\n"))
	require.NoError(t, err)
	assert.NotSame(t, first, r.current, "another layout")
	require.NotEmpty(t, got.Rendering.Problems)
	assert.Contains(t, got.Rendering.Problems[0].Error(), "caas-acme")
}

// The daemon's own file wins over the repository's.
func TestRendererPins(t *testing.T) {
	h := newHistory(t)
	r := newRenderer(t, &bytes.Buffer{}, `layout: {namespaces: ["other-*"]}`)
	got, err := r.Render(t.Context(), h.write("ringfence.yaml", head+"layout: {namespaces: [\"caas-*\"]}\n"))
	require.NoError(t, err)
	assert.NotEmpty(t, got.Rendering.Problems)
}

// A ringfence.yaml that cannot be used refuses the revision as a whole, with the place.
func TestRendererRefuses(t *testing.T) {
	h := newHistory(t)
	r := newRenderer(t, &bytes.Buffer{})
	_, err := r.Render(t.Context(), h.write("ringfence.yaml", head+"layout:\n  namespace: [a]\n"))
	require.ErrorContains(t, err, "ringfence.yaml:4:3: layout.namespace: unknown key")
	got, err := r.Render(t.Context(), h.write("ringfence.yaml", head))
	require.NoError(t, err, "and the next one is judged anew")
	assert.Len(t, got.Rendering.Tenants, 1)
}

// What is not acted on is said, not passed over in silence.
func TestRendererWarns(t *testing.T) {
	h := newHistory(t)
	var log bytes.Buffer
	_, err := newRenderer(t, &log).Render(t.Context(), h.poll())
	require.NoError(t, err)
	assert.Contains(t, log.String(), `msg="this version does not act on objects of this kind" object=PolicyTest.ringfence.dev count=1`)
}
