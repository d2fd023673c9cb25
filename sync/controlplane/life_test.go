package controlplane

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
)

func TestStopLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p, err := Start(t.Context(), Config{})
	require.NoError(t, err)
	require.True(t, alive(p.Pid()))
	require.DirExists(t, p.Dir())
	require.NoError(t, p.Stop())
	assert.False(t, alive(p.Pid()))
	assert.True(t, gone(p.Dir()))
	select {
	case <-p.Done():
	default:
		t.Error("Done is closed after Stop")
	}
	require.NoError(t, p.Stop(), "once more is no error")
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// A client that was made before sees the server go away and come back, with
// what it wrote.
func TestRestartKeepsStateAndPort(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	p := start(t, Config{Dir: dir})
	k, host := client(t, p.REST()), p.REST().Host
	_, err := k.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{})
	require.NoError(t, err)

	_, err = Start(t.Context(), Config{Dir: dir})
	require.ErrorContains(t, err, "another control plane runs in "+dir)
	_, err = k.CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{})
	require.NoError(t, err, "a refused second start does not disturb the first")

	require.NoError(t, p.Stop())
	require.DirExists(t, dir, "a folder that the caller named is kept")
	_, err = k.CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{})
	require.ErrorIs(t, err, syscall.ECONNREFUSED)

	again := start(t, Config{Dir: dir})
	assert.Equal(t, host, again.REST().Host)
	_, err = k.CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{})
	require.NoError(t, err, "the old client, with its old keys")
	c, err := clientcmd.BuildConfigFromFlags("", again.Kubeconfig())
	require.NoError(t, err)
	assert.Equal(t, host, c.Host)
}

func TestParentKilled(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), asParent+"=1", "TMPDIR="+t.TempDir())
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	words := strings.SplitN(strings.TrimSpace(line), " ", 3)
	require.Len(t, words, 3, line)
	var pids []int
	for _, word := range words[:2] {
		pid, err := strconv.Atoi(word)
		require.NoError(t, err)
		require.True(t, alive(pid))
		pids = append(pids, pid)
	}
	dir := words[2]
	require.DirExists(t, dir)

	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	for _, pid := range pids {
		require.Eventually(t, func() bool { return !alive(pid) }, patience, 10*time.Millisecond, "the servers follow their parent")
	}
	assert.True(t, gone(dir), "and takes its temporary folder along")
}

// The pipe alone suffices, where there is no death signal.
func TestServerLeavesWhenItsInputEnds(t *testing.T) {
	binary, err := Binary(t.Context(), nil)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "data")
	cmd := exec.CommandContext(t.Context(), binary, "serve", "--parent", "--temporary", "--data", dir)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.True(t, reportsReady(stdout))
	require.NoError(t, stdin.Close())
	require.NoError(t, cmd.Wait(), "it ends by itself, and in order")
	assert.True(t, gone(dir))
}

func TestStartTellsWhyItFailed(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	_, err := Start(t.Context(), Config{Args: []string{"--no-such-flag"}})
	require.ErrorContains(t, err, "starting the control plane: it ended before it was ready (exit status 1)")
	require.ErrorContains(t, err, "fatal: reading kube-apiserver's flags: unknown flag: --no-such-flag")
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	_, err := Binary(t.Context(), nil) // so that the time is not spent on a build
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = Start(ctx, Config{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestPortTaken(t *testing.T) {
	dir := t.TempDir()
	p := start(t, Config{Dir: dir})
	require.NoError(t, p.Stop())
	taken, err := listenOn(strings.TrimPrefix(p.REST().Host, "https://"))
	require.NoError(t, err)
	defer taken.Close()
	_, err = Start(t.Context(), Config{Dir: dir})
	require.ErrorContains(t, err, "taking port ")
	require.ErrorContains(t, err, filepath.Join(dir, "port"))
}

func TestDeathIsReported(t *testing.T) {
	var log bytes.Buffer
	p := start(t, Config{Log: &log, Env: []string{"GOTRACEBACK=none"}})
	other, err := os.FindProcess(p.Pid())
	require.NoError(t, err)
	require.NoError(t, other.Kill())
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatal("Done is closed when the server dies")
	}
	require.NoError(t, p.Stop()) // and what is said of it has been said
	assert.Contains(t, log.String(), "the control plane ended by itself (signal: killed)")
}
