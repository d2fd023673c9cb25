package sync

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane/trouble"
)

// A daemon in a process of its own syncs, dies at a moment that is named, is paused, cut
// off, and ends when it is told to.
func TestChild(t *testing.T) {
	b := newBench(t)
	proxy, err := trouble.Start(trouble.Config{REST: b.server})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, proxy.Close()) })
	repo := newRepository(t)
	n := newNursery(t, proxy, childConfig{Repo: repo.dir, Namespace: b.namespace})
	tenant := b.namespace + "-a"
	policy := func(name string) drift.ID {
		return drift.ID{Kind: kinds.NetworkPolicy, Namespace: tenant, Name: name}
	}
	stands := func(name string) func() bool {
		return func() bool { return b.live(policy(name)) != nil }
	}
	soon := func(what string, holds func() bool) {
		t.Helper()
		require.Eventually(t, holds, 30*time.Second, 20*time.Millisecond, what)
	}

	repo.commit(overlay("a", tenant, "one"))
	n.start()
	n.arm("after apply", 2)
	soon("it dies", func() bool { return !n.runs() })
	assert.Equal(t, "after apply", n.died)
	assert.Equal(t, syscall.SIGKILL, n.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
	assert.Nil(t, b.live(policy("one")), "it did not come so far")
	n.start()
	soon("it goes on", stands("one"))

	proxy.Part(true)
	repo.commit(overlay("a", tenant, "one", "two"))
	n.poll()
	time.Sleep(time.Second)
	assert.False(t, stands("two")(), "it is cut off")
	proxy.Part(false)
	soon("it is back", stands("two"))

	n.pause()
	repo.commit(overlay("a", tenant, "one", "two", "three"))
	n.poll()
	time.Sleep(time.Second)
	assert.False(t, stands("three")(), "it is paused")
	n.resume()
	soon("it goes on", stands("three"))
	n.stop()
	assert.Zero(t, n.cmd.ProcessState.ExitCode(), n.said(20))
}
