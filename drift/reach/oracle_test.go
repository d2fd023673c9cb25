package reach_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOracle has the tests of the nested module run, which compares this package with Calico's own code and with
// Cyclonus, with the flags with which CI vets and lints it: Calico is compiled once.
func TestOracle(t *testing.T) {
	if testing.Short() {
		t.Skip("the module has its own test processes, which the race detector does not see")
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = "oracle", append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly -trimpath")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "go %v\n%s", args, out)
	}
}
