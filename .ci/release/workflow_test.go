package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// workflow is what the tests read of a workflow's file.
type workflow struct {
	On          map[string]any
	Permissions map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Steps       []step
	}
}

type step struct {
	Name, Uses, Run string
}

func readWorkflow(t *testing.T) (w workflow, steps []step) {
	t.Helper()
	data, err := os.ReadFile("../../.github/workflows/release.yml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(data, &w))
	require.Contains(t, string(data), "\n# NOT RUN HERE.")
	for _, job := range w.Jobs {
		steps = append(steps, job.Steps...)
	}
	require.NotEmpty(t, steps)
	return w, steps
}

// The workflow starts with a tag alone, may nothing that it does not need, and runs no action that somebody else can change.
func TestWorkflowIsConfined(t *testing.T) {
	w, steps := readWorkflow(t)
	assert.Len(t, w.On, 1)
	assert.Contains(t, w.On, "push")
	assert.Empty(t, w.Permissions)
	assert.Equal(t, map[string]string{"contents": "read"}, w.Jobs["test"].Permissions)
	assert.Equal(t, map[string]string{"contents": "write", "id-token": "write"}, w.Jobs["release"].Permissions)
	assert.Len(t, w.Jobs, 2)
	for _, s := range steps {
		if s.Uses != "" {
			assert.Regexp(t, `^[a-z]+/[a-z-]+@[0-9a-f]{40}$`, s.Uses)
		}
		assert.NotContains(t, s.Run, "${{", "what others may name never becomes part of a script")
	}
}

var ours = regexp.MustCompile(`go run -C \.ci/release \. ([a-z]+) ([^)\n]*)`)

// Its scripts are ones, and what they call of this program exists, with the flags that it has.
func TestWorkflowScripts(t *testing.T) {
	_, steps := readWorkflow(t)
	called := map[string]bool{}
	for _, s := range steps {
		cmd := exec.CommandContext(t.Context(), "bash", "-n")
		cmd.Stdin = strings.NewReader(s.Run)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", s.Name, out)
		for _, m := range ours.FindAllStringSubmatch(s.Run, -1) {
			called[m[1]] = true
			assert.Contains(t, help, "\n  "+m[1]+" -o ")
			_, _, out, err := prepare(m[1], strings.Fields(m[2]), os.Stderr)
			require.NoError(t, err, m[0])
			assert.NotEmpty(t, out)
		}
	}
	assert.Equal(t, map[string]bool{"image": true, "sbom": true, "notices": true}, called)
}

// Its push puts the image into a registry under the digest that was printed.
func TestWorkflowPushes(t *testing.T) {
	server := httptest.NewServer(registry.New())
	t.Cleanup(server.Close)
	dir := t.TempDir()
	index, err := random.Index(100, 1, 2)
	require.NoError(t, err)
	path, err := layout.Write(filepath.Join(dir, "image"), emptyIndex(t))
	require.NoError(t, err)
	require.NoError(t, path.AppendIndex(index))
	digest, err := index.Digest()
	require.NoError(t, err)

	_, steps := readWorkflow(t)
	for _, s := range steps {
		if s.Name != "push" {
			continue
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-eo", "pipefail", "-c", s.Run)
		cmd.Dir = "../.."
		host := strings.TrimPrefix(server.URL, "http://")
		cmd.Env = append(os.Environ(), "RUNNER_TEMP="+dir, "REGISTRY="+host, "IMAGE="+host+"/ringfence", "VERSION=v1.2.3", "DIGEST="+digest.String(),
			"REGISTRY_USER=somebody", "REGISTRY_PASSWORD=secret", "DOCKER_CONFIG="+filepath.Join(dir, "docker"))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	require.Fail(t, "there is no step that pushes")
}

func emptyIndex(t *testing.T) v1.ImageIndex {
	t.Helper()
	index, err := random.Index(0, 0, 0)
	require.NoError(t, err)
	return index
}

// Whoever calls it wrongly is told how.
func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"nothing"}, {"image"}, {"image", "-o", "x", "y"}, {"files", "-o", "x", "-arch", "amd64,arm64"}, {"image", "-such", "x"}} {
		var out, log bytes.Buffer
		require.Error(t, run(t.Context(), args, &out, &log), "%v", args)
		assert.Empty(t, out.String())
	}
}
