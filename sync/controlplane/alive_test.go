package controlplane

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// alive reports whether a process with this id runs. One that has ended and
// waits for its parent, or for init, to ask how does not run.
func alive(pid int) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	state := strings.TrimSpace(string(out))
	return err == nil && state != "" && !strings.HasPrefix(state, "Z")
}

// gone reports whether nothing is at path.
func gone(path string) bool {
	_, err := os.Stat(path)
	return os.IsNotExist(err)
}

func TestAliveTellsTheLivingFromTheDead(t *testing.T) {
	require.True(t, alive(os.Getpid()))
	cmd := exec.Command("sleep", "60")
	require.NoError(t, cmd.Start())
	require.True(t, alive(cmd.Process.Pid))
	require.NoError(t, cmd.Process.Kill())
	require.Eventually(t, func() bool { return !alive(cmd.Process.Pid) }, 5*time.Second, 10*time.Millisecond) // not waited for yet
	require.Error(t, cmd.Wait())
	require.False(t, alive(cmd.Process.Pid))
}
