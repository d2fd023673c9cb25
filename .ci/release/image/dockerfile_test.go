package image

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// contextOf copies what .dockerignore lets through, as `docker build` sends it, and returns where it is.
func contextOf(t *testing.T) string {
	t.Helper()
	ignore, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	require.NoError(t, err)
	patterns, err := ignorefile.ReadAll(bytes.NewReader(ignore))
	require.NoError(t, err)
	matcher, err := patternmatcher.New(patterns)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() == ".git" {
			return ignoreFolder(entry, err)
		}
		name, err := filepath.Rel(root, path)
		if err != nil || entry.IsDir() {
			return err
		}
		ignored, err := matcher.MatchesOrParentMatches(name)
		if err != nil || ignored {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o644)
	}))
	return dir
}

// ignoreFolder leaves Git's own files out: a folder, or the file of a worktree.
func ignoreFolder(entry fs.DirEntry, err error) error {
	if err == nil && entry.IsDir() {
		return fs.SkipDir
	}
	return err
}

// checkDockerfile runs the command by which the Dockerfile makes the files, in its context, and compares them with
// the image; what it says of the image beside files is the same as well.
func checkDockerfile(t *testing.T, context string, entries map[string]entry, data map[string][]byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	require.NoError(t, err)
	build, final, found := strings.Cut(string(text), "\nFROM scratch\n")
	require.True(t, found, "nothing of another image is in it")
	assert.Equal(t, []string{"COPY --from=build /out/ /", "USER 65532:65532", `ENTRYPOINT ["/ringfence"]`}, instructions(final))

	commands := regexp.MustCompile(`(?m)^RUN (.*)$`).FindAllStringSubmatch(build, -1)
	require.NotEmpty(t, commands)
	out := filepath.Join(t.TempDir(), "out")
	command := strings.ReplaceAll(commands[len(commands)-1][1], "/out", out)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir = context
	cmd.Env = append(os.Environ(), "VERSION=v1.2.3", "REVISION=0123456789ab", "SOURCE_DATE_EPOCH=1700000000", "TARGETARCH="+runtime.GOARCH)
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", command, said)

	got := map[string]bool{}
	require.NoError(t, filepath.WalkDir(out, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == out {
			return err
		}
		name, err := filepath.Rel(out, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if entry.IsDir() {
			name += "/"
		} else {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			assert.True(t, bytes.Equal(data[name], content), "%s is not that of the image", name)
		}
		assert.EqualValues(t, entries[name].mode, info.Mode().Perm(), name)
		assert.EqualValues(t, 1700000000, info.ModTime().Unix(), name)
		got[name] = true
		return nil
	}))
	for name := range entries {
		assert.True(t, got[name], "%s is not there", name)
	}
	assert.Len(t, got, len(entries))
}

// instructions returns the lines of a stage that are no comments.
func instructions(stage string) (out []string) {
	for line := range strings.Lines(stage) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}
