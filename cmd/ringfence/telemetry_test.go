package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTelemetryModule has the tests of the nested module run, which knows Prometheus' parser: those
// of the alerts and recording rules. Without promtool it says so and leaves their cases out.
func TestTelemetryModule(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Log("there is no promtool (Debian: prometheus): the rules are parsed, and not tried on their cases")
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = filepath.Join("internal", "telemetry"), append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "go %v\n%s", args, out)
	}
}
