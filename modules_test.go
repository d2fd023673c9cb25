package ringfence_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nestedModules are the modules that the daemon's go.mod must not see, each with its reason.
var nestedModules = map[string]string{
	".ci/tools":                "linters of CI, pinned",
	"sync/controlplane/server": "etcd, kube-apiserver and kubectl, for tests and the demo",
}

// A nested module is a build of its own: one that nobody lists is one that nobody tests.
func TestNestedModulesAreListed(t *testing.T) {
	var want []string
	for folder := range nestedModules {
		want = append(want, folder)
	}
	assert.ElementsMatch(t, want, findNestedModules(t))
}

func findNestedModules(t *testing.T) (folders []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.Name() == "go.mod" && path.Dir(filepath.ToSlash(name)) != ".":
			folders = append(folders, path.Dir(filepath.ToSlash(name)))
		}
		return nil
	})
	require.NoError(t, err)
	return folders
}

// The tests of nested modules run with those of the root, which ./... does not reach by itself.
func TestNestedModules(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Kubernetes")
	}
	for _, folder := range findNestedModules(t) {
		if path.Base(folder) == "tools" {
			continue // it holds no code
		}
		t.Run(folder, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), "go", "test", "./...")
			command.Dir = filepath.FromSlash(folder)
			command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
			out, err := command.CombinedOutput()
			require.NoError(t, err, "go test ./... in %s:\n%s", folder, out)
			t.Logf("%s", out)
		})
	}
}

var requirement = regexp.MustCompile(`^(?:require )?(\S+\.\S+) v\S+(.*)$`)

// Each direct dependency says in go.mod, on its own line, what it is there for.
func TestDependenciesHaveReasons(t *testing.T) {
	goMod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	direct := 0
	for line := range strings.Lines(string(goMod)) {
		m := requirement.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		comment := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(m[2]), "//"))
		if comment == "indirect" {
			continue
		}
		direct++
		assert.NotEmpty(t, comment, "%s has no reason behind it: `%s // why`", m[1], strings.TrimSpace(line))
	}
	assert.NotZero(t, direct)
}
