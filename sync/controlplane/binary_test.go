package controlplane

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func listenOn(address string) (net.Listener, error) { return net.Listen("tcp4", address) }

func script(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700))
	return path
}

func TestNamedBinary(t *testing.T) {
	named := script(t, filepath.Join(t.TempDir(), "mine"), "echo this is mine >&2; exit 3\n")
	t.Setenv(serverProgram.variable, named)
	got, err := Binary(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, named, got)
	_, err = Start(t.Context(), Config{})
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "this is mine")

	t.Setenv(serverProgram.variable, "/no/such/binary")
	_, err = Binary(t.Context(), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, serverProgram.variable)

	require.NoError(t, os.Chmod(named, 0o600))
	t.Setenv(serverProgram.variable, named)
	_, err = Binary(t.Context(), nil)
	require.ErrorContains(t, err, named+" is not an executable file")
}

func TestSourcesAreFound(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	server := filepath.Join(root, "sync", "controlplane", "server")
	for _, dir := range []string{root, filepath.Join(root, "sync"), filepath.Join(server, "calico")} {
		got, ok := serverProgram.checkoutAround(dir)
		assert.True(t, ok)
		assert.Equal(t, server, got)
	}
	got, err := serverProgram.findSource(t.TempDir(), filepath.Join(root, "sync", "controlplane", "checkout.go"))
	require.NoError(t, err, "outside, the folder that the package was compiled in")
	assert.Equal(t, server, got)
}

func TestOutsideACheckout(t *testing.T) {
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "go.mod"), []byte("module example.com/other\n"), 0o600))
	_, err := serverProgram.findSource(outside, rootModule+"/sync/controlplane/checkout.go") // as -trimpath leaves it
	require.EqualError(t, err, "the control plane is built from source: run this inside a checkout of the repository "+
		"github.com/ringfence/ringfence with Go in PATH, or set RINGFENCE_CONTROLPLANE to a ready binary (see the documentation of package controlplane)")
}

func TestKubernetesVersion(t *testing.T) {
	for _, mod := range []string{"require (\n\tk8s.io/kubernetes v1.37.2 // why\n)\n", "require k8s.io/kubernetes v1.37.2\n"} {
		v, err := kubernetesVersion([]byte(mod))
		require.NoError(t, err)
		assert.Equal(t, [3]string{"v1.37.2", "1", "37"}, v)
	}
	_, err := kubernetesVersion([]byte("require k8s.io/api v0.37.2\n"))
	assert.EqualError(t, err, "go.mod requires no version of k8s.io/kubernetes")
}

// fakeSource makes a module with the go.mod of Calico's server and one source
// file, and the folder outside it of the other one that it is built with.
func fakeSource(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "calico")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "..", "server", "child"), 0o700))
	mod, err := os.ReadFile("calico/go.mod")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), mod, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n"), 0o600))
	return dir
}

func TestVersionFollowsTheSources(t *testing.T) {
	dir := fakeSource(t)
	hash := func() string {
		b, err := newBuild(calicoProgram, dir)
		require.NoError(t, err)
		return b.hash
	}
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	first := hash()
	assert.Equal(t, first, hash())
	write("main_test.go", "package main\n")
	write("testdata/x.go", "package x\n")
	write("notes.md", "…\n")
	assert.Equal(t, first, hash(), "what is not in the binary is not in its version")
	write("inner/inner.go", "package inner\n")
	second := hash()
	assert.NotEqual(t, first, second)
	write("go.sum", "x\n")
	third := hash()
	assert.NotEqual(t, second, third)
	write("../server/child/child.go", "package child\n")
	assert.NotEqual(t, third, hash(), "a module of this checkout that is built in")
}

// goInstead puts a program named go before the real one: builds are counted,
// and take no minutes.
func goInstead(t *testing.T, text string) (count func() int) {
	t.Helper()
	bin, log := t.TempDir(), filepath.Join(t.TempDir(), "calls")
	script(t, filepath.Join(bin, "go"), "echo call >> '"+log+"'\n"+text)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return func() int {
		calls, err := os.ReadFile(log)
		require.NoError(t, err)
		return strings.Count(string(calls), "call\n")
	}
}

const writesOutput = `while [ "$1" != -o ]; do shift; done; sleep 0.3; printf '#!/bin/sh\n' > "$2"; chmod +x "$2"`

// cacheIn gives the test a cache folder of its own.
func cacheIn(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home) // macOS
	t.Setenv("XDG_CACHE_HOME", home)
	dir, err := os.UserCacheDir()
	require.NoError(t, err)
	return filepath.Join(dir, "ringfence")
}

func TestOneOfManyBuilds(t *testing.T) {
	t.Setenv(serverProgram.variable, "")
	cache, count := cacheIn(t), goInstead(t, writesOutput)
	old := script(t, filepath.Join(cache, serverProgram.prefix+"old", "controlplane"), "")
	recent := script(t, filepath.Join(cache, serverProgram.prefix+"recent", "controlplane"), "")
	long := time.Now().Add(-2 * stale)
	require.NoError(t, os.Chtimes(old, long, long))

	var log lockedWriter
	var said strings.Builder
	log.w = &said
	var work sync.WaitGroup
	paths := make([]string, 4)
	for i := range paths {
		work.Go(func() {
			path, err := Binary(t.Context(), &log)
			assert.NoError(t, err)
			paths[i] = path
		})
	}
	work.Wait()
	assert.Equal(t, 1, count())
	for _, path := range paths {
		assert.Equal(t, paths[0], path)
	}
	info, err := os.Stat(paths[0])
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&0o100)
	assert.Contains(t, said.String(), "building the control plane, about 5 minutes the first time…\n")
	assert.Contains(t, said.String(), "built the control plane in ")
	assert.True(t, gone(filepath.Dir(old)), "what nobody uses any more is removed")
	assert.FileExists(t, recent)

	require.NoError(t, os.Chtimes(paths[0], long, long))
	_, err = Binary(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, 1, count(), "found")
	info, err = os.Stat(paths[0])
	require.NoError(t, err)
	assert.Less(t, time.Since(info.ModTime()), time.Hour, "and marked as used")
}

func TestBuildFails(t *testing.T) {
	t.Setenv(serverProgram.variable, "")
	cache := cacheIn(t)
	goInstead(t, "echo 'main.go:7: no such thing' >&2; exit 1\n")
	_, err := Binary(t.Context(), &strings.Builder{})
	require.ErrorContains(t, err, "building the control plane: exit status 1\nmain.go:7: no such thing")
	left, err := filepath.Glob(filepath.Join(cache, "*", "*"))
	require.NoError(t, err)
	assert.Empty(t, left, "nothing half-made is left")
}

func TestBuildIsCancelled(t *testing.T) {
	t.Setenv(serverProgram.variable, "")
	cacheIn(t)
	goInstead(t, "exec sleep 60\n")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := Binary(ctx, &strings.Builder{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestBuildWithoutGo(t *testing.T) {
	t.Setenv(serverProgram.variable, "")
	cacheIn(t)
	t.Setenv("PATH", t.TempDir())
	_, err := Binary(t.Context(), &strings.Builder{})
	require.ErrorIs(t, err, exec.ErrNotFound)
	require.ErrorContains(t, err, "the go command is needed in PATH, or a ready binary in RINGFENCE_CONTROLPLANE")
}

// TestModules has the tests of the nested modules run with those of the root,
// on the packages that the builds of the binaries have left in Go's cache.
func TestModules(t *testing.T) {
	for _, module := range []string{"server/child", "server", "calico"} {
		for _, args := range [][]string{{"vet", "-mod=readonly", "-trimpath", "./..."}, {"test", "-mod=readonly", "-trimpath", "./..."}} {
			cmd := exec.CommandContext(t.Context(), "go", args...)
			cmd.Dir, cmd.Env = module, goEnv()
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "go %v in %s\n%s", args, module, out)
		}
	}
}
