package controlplane

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// alive reports whether a process with this id runs. One that has ended and
// waits for its parent, or for init, to ask how does not run.
func alive(pid int) bool {
	state, err := stateOf(pid)
	return err == nil && state != "" && !strings.HasPrefix(state, "Z")
}

// stateOf returns a process's state as ps writes it. Linux needs no ps for it, which
// small machines do not have.
func stateOf(pid int) (string, error) {
	if runtime.GOOS != "linux" {
		out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
		return strings.TrimSpace(string(out)), err
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err
	}
	_, state, _ := strings.Cut(string(stat), ") ") // proc_pid_stat(5); our programs have no ")" in their names
	return state, nil
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
	require.Eventually(t, func() bool { return !alive(cmd.Process.Pid) }, patience, 10*time.Millisecond) // not waited for yet
	require.Error(t, cmd.Wait())
	require.False(t, alive(cmd.Process.Pid))
}
