package sync

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A revision without any overlay, where there were some, is a mistake.
func TestNotEmptied(t *testing.T) {
	noLimit := PruneLimit{Objects: -1, Tenants: -1}
	o := adopted(t, noLimit, rendering(rendered(t, "", "tier"), rendered(t, "a", "deny-all*")))
	require.ErrorIs(t, o.checkNotEmptied(t.Context(), rendering()), errEmptied)
	require.NoError(t, o.checkNotEmptied(t.Context(), rendering(rendered(t, "b", "deny-all*"))))
	require.NoError(t, adopted(t, noLimit).checkNotEmptied(t.Context(), rendering()), "there was none before")
	require.NoError(t, adopted(t, noLimit, rendering(rendered(t, "", "tier"))).checkNotEmptied(t.Context(), rendering()), "the cluster overlay is no tenant")
}

// Neither an empty folder nor a glob that matches nothing removes anything, whatever the limit: while the daemon runs, or at
// its start; whether the repository is at hand then or not.
func TestEmptiedRemovesNothing(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(overlay("a", ns, "one"), map[string]string{"overlays/cluster/kustomization.yaml": "resources: []"}))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.done(first)

	emptied := repo.commit(map[string]string{"overlays/a": ""})
	d.Offer(emptied)
	d.until("refused", func() bool { return d.Status().Waiting != "" })
	assert.Contains(t, d.Status().Waiting, "revision "+short(emptied.Revision().Commit)+" is refused: no tenant overlay is left in it")
	d.stop()

	repo.mu.Lock()
	repo.broken = errors.New("the remote is away")
	repo.mu.Unlock()
	d = startDaemon(b, repo, nil)
	d.Offer(emptied)
	d.until("it waits", func() bool { return d.Status().Waiting != "" })
	assert.Contains(t, d.Status().Waiting, "the remote is away")
	repo.mu.Lock()
	repo.broken = nil
	repo.mu.Unlock()
	d.at(first, Synced, ns)
	d.until("refused", func() bool { return d.Status().Waiting != "" })
	assert.Contains(t, d.Status().Waiting, "no tenant overlay is left in it")
	assert.Equal(t, []string{"deny-all", "one"}, d.policies(ns))
	assert.Equal(t, first.Revision().Commit, d.saved().Applied)

	// Without a cluster overlay nothing at all is left, which the renderer refuses.
	none := repo.commit(map[string]string{"overlays/cluster": ""})
	d.Offer(none)
	d.until("refused too", func() bool { return d.Status().Waiting != "" && d.Status().Revision == first.Revision().Commit })
	d.stop()
	d = startDaemon(b, repo, nil)
	d.Offer(none)
	d.at(first, Synced, ns)
	assert.Equal(t, []string{"deny-all", "one"}, d.policies(ns))

	// By name, the last tenant can leave.
	named := repo.commit(letsGo(ns))
	d.Offer(named)
	d.until("let go", func() bool { return len(d.policies(ns)) == 0 && d.tenant(ns).Name == "" })
	back := repo.commit(files(overlay("a", ns, "two"), letsGo()))
	d.Offer(back)
	d.at(back, Synced, ns)
	d.until("nothing is waited for", func() bool { return d.Status().Waiting == "" })
}
