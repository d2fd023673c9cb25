package sync

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// outage is a daemon on an API server of its own, which keeps no history for long.
type outage struct {
	*daemon
	storm   *storm
	plane   *controlplane.ControlPlane
	tenants []string
}

// forgetful is an API server in which a watch that resumes finds no cached history to resume from, and soon none in etcd.
func forgetful(dir string) controlplane.Config {
	return controlplane.Config{Dir: dir, Log: io.Discard, Args: []string{"--watch-cache=false", "--etcd-compaction-interval=1s"}}
}

// The watches are cut, etcd's history is compacted, the API server is started
// anew, in the middle of it all: no drift is lost and none is invented.
func TestOutage(t *testing.T) {
	dir := t.TempDir()
	plane, err := controlplane.Start(t.Context(), forgetful(dir))
	require.NoError(t, err)
	t.Cleanup(func() { _ = plane.Stop() })
	b := newBenchOn(t, plane.REST())
	o := &outage{storm: newStorm(b), plane: plane}
	repo := newRepository(t)
	o.daemon = startDaemon(b, repo, nil)
	parts := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		o.tenants = append(o.tenants, b.namespace+"-"+name)
		parts = files(parts, overlay(name, b.namespace+"-"+name, "one"))
	}
	s := repo.commit(parts)
	o.Offer(s)
	o.at(s, Synced, o.tenants...)
	o.done(s)
	require.Empty(t, o.Drift())

	opened, deleted, restarted := o.policy(0, "deny-all"), o.policy(1, "one"), o.policy(2, "deny-all")
	o.blind()
	old := o.live(opened).GetResourceVersion()
	o.open(opened)
	o.passingExtra(o.tenants[2])
	o.compacted(opened, old)
	o.sees(opened)
	o.onlyDrift(opened)

	o.blind()
	require.NoError(t, o.others(deleted).Delete(t.Context(), deleted.Name, metav1.DeleteOptions{}))
	o.restart(dir)
	o.open(restarted)
	o.sees(deleted, restarted)
	o.onlyDrift(opened, deleted, restarted)

	// And once more while the daemon watches, and is about to mend.
	again := o.policy(1, "deny-all")
	o.open(again)
	o.restart(dir)
	o.sees(again)
	o.onlyDrift(opened, deleted, restarted, again)
	n, err := o.cluster.Audit(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n, "the watches have it right")
}

func (o *outage) policy(tenant int, name string) drift.ID {
	return drift.ID{Kind: kinds.NetworkPolicy, Namespace: o.tenants[tenant], Name: name}
}

// blind takes the API server from the daemon, which then concludes nothing.
func (o *outage) blind() {
	o.Helper()
	o.storm.status.Store(http.StatusServiceUnavailable)
	o.storm.cut()
	o.until("blind", func() bool { return len(o.Status().Blind) > 0 })
	for _, name := range o.tenants {
		assert.Equal(o, Unknown, o.tenant(name).State)
	}
}

func (o *outage) open(id drift.ID) {
	o.Helper()
	o.merge(id, `{spec: {ingress: [{}]}}`)
}

// passingExtra makes an object that is gone before anybody looks.
func (o *outage) passingExtra(namespace string) {
	o.Helper()
	id := drift.ID{Kind: kinds.NetworkPolicy, Namespace: namespace, Name: "passing"}
	o.does(deed{Do: "create", To: "np/passing", As: "someone", With: map[string]any{"spec": map[string]any{"podSelector": map[string]any{}}}}, namespace)
	require.NoError(o, o.others(id).Delete(o.Context(), id.Name, metav1.DeleteOptions{}))
}

// compacted waits until nobody can watch from a version any more.
func (o *outage) compacted(id drift.ID, version string) {
	o.Helper()
	require.Eventually(o, func() bool {
		o.merge(id, `{metadata: {annotations: {at: "`+time.Now().String()+`"}}}`) // history goes on
		w, err := o.others(id).Watch(o.Context(), metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true})
		if err != nil {
			return apierrors.IsResourceExpired(err)
		}
		defer w.Stop()
		e := <-w.ResultChan()
		return e.Type == watch.Error && apierrors.IsResourceExpired(apierrors.FromObject(e.Object))
	}, time.Minute, 500*time.Millisecond, "history is never compacted")
}

// restart ends the API server and starts it anew, with what it had.
func (o *outage) restart(dir string) {
	o.Helper()
	require.NoError(o, o.plane.Stop())
	plane, err := controlplane.Start(o.Context(), forgetful(dir))
	require.NoError(o, err)
	o.plane = plane
	o.Cleanup(func() { _ = plane.Stop() })
}

// sees gives the API server back, and waits until everything is in order.
func (o *outage) sees(mended ...drift.ID) {
	o.Helper()
	o.storm.status.Store(0)
	o.until("all is in order", func() bool {
		for _, id := range mended {
			if !o.equal(id) {
				return false
			}
		}
		for _, name := range o.tenants {
			if o.tenant(name).State != Synced {
				return false
			}
		}
		return o.Status().Ready
	})
	for _, name := range o.tenants {
		for _, w := range o.world.Load().targets[name].wanted {
			if w.ID.Kind != kinds.Namespace {
				o.stands(w)
			}
		}
	}
}

// equal says whether the object is what Git says.
func (o *outage) equal(id drift.ID) bool {
	o.Helper()
	live := o.live(id)
	for _, w := range o.world.Load().targets[id.Namespace].wanted {
		if w.ID == id && live != nil {
			fields, err := w.Fields(live)
			require.NoError(o, err)
			return len(fields) == 0
		}
	}
	return false
}

// onlyDrift checks that these were found and undone, each once, and nothing else.
func (o *outage) onlyDrift(want ...drift.ID) {
	o.Helper()
	var got []drift.ID
	for _, e := range o.Drift() {
		assert.False(o, e.Corrected.IsZero(), "%s stands", e.ID)
		got = append(got, e.ID)
	}
	assert.ElementsMatch(o, want, got)
}
