package sync

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	stdsync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// change is what one write, whoever's, did to one object.
type change struct {
	version uint64 // etcd's revision: one order for all kinds
	kind    schema.GroupVersionResource
	gone    bool
	object  *unstructured.Unstructured
}

// annals are all that happens to the kinds that matter, from their first list on, seen
// past any proxy and without a gap.
type annals struct {
	testing.TB
	client dynamic.Interface
	kinds  []schema.GroupVersionResource

	mu      stdsync.Mutex
	changes []change                                             // not taken yet
	latest  map[schema.GroupVersionResource]map[types.UID]string // versions, by kind
	broken  error
}

// chronicled are the kinds whose history is kept.
func chronicled(calico bool) []schema.GroupVersionResource {
	out := []schema.GroupVersionResource{kinds.Namespace.GVR(), {Version: "v1", Resource: "configmaps"}, {Version: "v1", Resource: "secrets"}}
	for _, k := range kinds.Guarded() {
		if k.Group == kinds.GroupKubernetes || k.Group == kinds.GroupCalico && calico {
			out = append(out, k.GVR())
		}
	}
	return out
}

func newAnnals(t testing.TB, client dynamic.Interface, calico bool) *annals {
	h := &annals{TB: t, client: client, kinds: chronicled(calico), latest: map[schema.GroupVersionResource]map[types.UID]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	var wg stdsync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	for _, kind := range h.kinds {
		list, err := client.Resource(kind).List(ctx, metav1.ListOptions{})
		require.NoError(t, err)
		h.latest[kind] = map[types.UID]string{}
		for _, u := range list.Items {
			h.latest[kind][u.GetUID()] = u.GetResourceVersion()
		}
		wg.Go(func() { h.follow(ctx, kind, list.GetResourceVersion()) })
	}
	return h
}

// follow takes in every change of a kind. A version that is too old to go on from is the
// end of the history, and of the test.
func (h *annals) follow(ctx context.Context, kind schema.GroupVersionResource, version string) {
	for ctx.Err() == nil {
		w, err := h.client.Resource(kind).Watch(ctx, metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true})
		if err != nil {
			h.tear(ctx, fmt.Errorf("watching %s: %w", kind.Resource, err))
			return
		}
		for e := range w.ResultChan() {
			u, ok := e.Object.(*unstructured.Unstructured)
			if !ok || e.Type == watch.Error {
				h.tear(ctx, fmt.Errorf("watching %s: %v", kind.Resource, e.Object))
				return
			}
			version = u.GetResourceVersion()
			if e.Type != watch.Bookmark {
				h.take(kind, e.Type == watch.Deleted, u)
			}
		}
	}
}

func (h *annals) tear(ctx context.Context, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() == nil && h.broken == nil {
		h.broken = err
	}
}

func (h *annals) take(kind schema.GroupVersionResource, gone bool, u *unstructured.Unstructured) {
	version, err := strconv.ParseUint(u.GetResourceVersion(), 10, 64)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.broken = err
	}
	h.changes = append(h.changes, change{version, kind, gone, u})
	h.latest[kind][u.GetUID()] = u.GetResourceVersion()
	if gone {
		delete(h.latest[kind], u.GetUID())
	}
}

// caughtUp waits until the history has come to what is listed now, and returns what has
// happened since it was last asked, in order, and all that there is.
func (h *annals) caughtUp() ([]change, map[schema.GroupVersionResource][]unstructured.Unstructured) {
	h.Helper()
	live := map[schema.GroupVersionResource][]unstructured.Unstructured{}
	for _, kind := range h.kinds {
		require.Eventually(h, func() bool {
			list, err := h.client.Resource(kind).List(h.Context(), metav1.ListOptions{})
			require.NoError(h, err)
			live[kind] = list.Items
			return h.at(kind, list.Items)
		}, 30*time.Second, 10*time.Millisecond, "the history of %s is not what is listed", kind.Resource)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	require.NoError(h, h.broken, "the history has a gap")
	out := h.changes
	h.changes = nil
	slices.SortStableFunc(out, func(a, b change) int { return cmp.Compare(a.version, b.version) })
	return out, live
}

func (h *annals) at(kind schema.GroupVersionResource, items []unstructured.Unstructured) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return true
	}
	latest := h.latest[kind]
	for _, u := range items {
		if latest[u.GetUID()] != u.GetResourceVersion() {
			return false
		}
	}
	return len(latest) == len(items)
}

// text writes an object in one line.
func text(u *unstructured.Unstructured) string {
	c := u.DeepCopy()
	c.SetManagedFields(nil)
	raw, err := json.Marshal(c.Object)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
