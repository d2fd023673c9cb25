package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sync/controlplane"
)

// used is processor time: of this process, and of the control plane. Unlike what a clock says, it says much the same on a
// machine that does other things beside it.
type used struct{ here, there time.Duration }

// spent returns what was used until now; nothing where the system has no /proc.
func spent(tb testing.TB, plane *controlplane.ControlPlane) used {
	tb.Helper()
	return used{processorTime(tb, os.Getpid()), processorTime(tb, plane.Pid())}
}

// since returns what was used after before.
func (u used) since(before used) used { return used{u.here - before.here, u.there - before.there} }

func (u used) seconds() float64 { return (u.here + u.there).Seconds() }

// processorTime returns what a process has used of processors, by proc_pid_stat(5).
func processorTime(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, after, found := strings.Cut(string(stat), ") ") // our programs have no ")" in their names
	require.True(tb, found)
	fields := strings.Fields(after)
	ticks := 0
	for _, field := range fields[11:13] { // utime and stime, the 14th and 15th
		n, err := strconv.Atoi(field)
		require.NoError(tb, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // a hundredth of a second each
}
