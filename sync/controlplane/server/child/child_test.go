package child

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListenRemembersItsPort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "port")
	first, err := Listen(path)
	require.NoError(t, err)
	port := Port(first)
	assert.True(t, strings.HasPrefix(first.Addr().String(), "127.0.0.1:"))
	time.AfterFunc(200*time.Millisecond, func() { _ = first.Close() })
	again, err := Listen(path)
	require.NoError(t, err, "a predecessor that is about to go is waited for")
	defer again.Close()
	assert.Equal(t, port, Port(again))
}

func TestListenNamesWhatItCannotRemember(t *testing.T) {
	_, err := Listen(filepath.Join(t.TempDir(), "no", "such", "folder"))
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "remembering the port")
}

func TestUntilSaysWhatItWaitedFor(t *testing.T) {
	looks := 0
	require.NoError(t, Until(t.Context(), "a third look", func() bool { looks++; return looks == 3 }))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	assert.EqualError(t, Until(ctx, "nothing", func() bool { return false }), "waiting for nothing: enough")
}

func TestReadyIsALine(t *testing.T) {
	var out strings.Builder
	require.NoError(t, Ready{Ready: true, URL: "https://127.0.0.1:1", Kubeconfig: "/k"}.Say(&out))
	assert.Equal(t, `{"ready":true,"url":"https://127.0.0.1:1","kubeconfig":"/k"}`+"\n", out.String())
}

func TestRemoveTakesAWholeFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "deep"), 0o700))
	remove("")
	assert.DirExists(t, dir)
	remove(dir)
	assert.NoDirExists(t, dir)
}
