package ringfence_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nestedModule is a module that the daemon's go.mod must not see.
type nestedModule struct {
	why string
	// testedBy is the root module's test that runs this module's tests, as
	// "file: function"; "" where there is no code to test.
	testedBy string
}

var nestedModules = map[string]nestedModule{
	".ci/release":                      {why: "go-containerregistry and a classifier of licences, for releases", testedBy: "cmd/ringfence/image_test.go: TestReleaseModule"},
	".ci/tools":                        {why: "linters of CI, pinned"},
	"cmd/ringfence/internal/browser":   {why: "a browser's protocol, for the page in a real Chromium", testedBy: "cmd/ringfence/browser_test.go: TestPageInChromium"},
	"cmd/ringfence/internal/telemetry": {why: "Prometheus' parser and Grafana's schema, for dashboards and alerts", testedBy: "cmd/ringfence/telemetry_test.go: TestTelemetryModule"},
	"drift/reach/oracle":               {why: "Calico and Cyclonus, whose verdicts drift/reach is compared with", testedBy: "drift/reach/oracle_test.go: TestOracle"},
	"sync/controlplane/calico":         {why: "Calico's own API server, for tests", testedBy: "sync/controlplane/binary_test.go: TestModules"},
	"sync/controlplane/server/child":   {why: "what the two others have in common", testedBy: "sync/controlplane/binary_test.go: TestModules"},
	"sync/controlplane/server":         {why: "etcd, kube-apiserver and kubectl, for tests and the demo", testedBy: "sync/controlplane/binary_test.go: TestModules"},
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
func TestNestedModulesAreTested(t *testing.T) {
	for folder, module := range nestedModules {
		if module.testedBy == "" {
			code, err := filepath.Glob(filepath.Join(folder, "*.go"))
			require.NoError(t, err)
			assert.Empty(t, code, "%s has code that nothing tests", folder)
			continue
		}
		file, function, _ := strings.Cut(module.testedBy, ": ")
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Contains(t, string(source), "func "+function+"(", "%s says that it tests %s", file, folder)
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
