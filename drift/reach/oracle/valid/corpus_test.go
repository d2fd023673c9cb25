package valid

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// withoutGinkgo are the imports of Calico's test whose names testdata/corpus has.
var withoutGinkgo = regexp.MustCompile(`(?m)^\t\. "github\.com/onsi/.*"\n`)

// TestCorpus judges the inputs of Calico's own tests of its validator, which stand in the module cache, as far as they
// are part of a policy, a set or a tier. The package that gathers them is whole only while this runs.
func TestCorpus(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/projectcalico/calico").Output()
	require.NoError(t, err)
	theirs, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "libcalico-go", "lib", "validator", "v3", "validator_test.go"))
	require.NoError(t, err)
	text := withoutGinkgo.ReplaceAllString(strings.Replace(string(theirs), "package v3_test", "package corpus", 1), "")
	require.NotContains(t, text, "onsi")

	dir := t.TempDir()
	here, err := os.Getwd()
	require.NoError(t, err)
	copied := filepath.Join(dir, "validator_test.go")
	require.NoError(t, os.WriteFile(copied, []byte(text), 0o600))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(here, "testdata", "corpus", "validator_test.go"): copied,
	}})
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, overlay, 0o600))

	said, err := exec.CommandContext(t.Context(), "go", "test", "-v", "-vet=off", "-overlay", file, "./testdata/corpus").CombinedOutput()
	require.NoError(t, err, "%s", said)
	t.Logf("%s", said)
}
