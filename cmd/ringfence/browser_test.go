package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPageInChromium has the tests of the nested module run, which knows a browser's protocol, on a demo: its page in a real
// Chromium. Without Chromium it is left out on somebody's own machine, and fails where CI runs, which is root.
func TestPageInChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole demo and a browser")
	}
	if _, err := exec.LookPath("chromium"); err != nil && os.Geteuid() != 0 {
		t.Skip("there is no chromium (Debian: chromium)")
	}
	page := startDemo(t, "go run ./cmd/ringfence demo --listen 127.0.0.1:0")
	guarded := startGuarded(t, page)
	for _, args := range [][]string{{"vet", "./..."}, {"test", "-count=1", "-run", "^TestDemo", "./..."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = filepath.Join("internal", "browser")
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly", "RINGFENCE_BROWSER_PAGE="+page.web,
			"RINGFENCE_BROWSER_BARE="+guarded.bare, "RINGFENCE_BROWSER_PROXY="+guarded.proxy, "RINGFENCE_BROWSER_PROXY_CONTROL="+guarded.off,
			"RINGFENCE_BROWSER_KUBECTL="+filepath.Join(page.temp, "ringfence-demo", "kubectl"))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "go %v\n%s", args, out)
	}
}
