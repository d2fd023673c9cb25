package drift

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	backoff "k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// watched is one kind under watch.
type watched struct {
	kind    kinds.Kind
	cluster *Cluster
	cancel  context.CancelFunc
	store   *store

	// reason says why the kind cannot be seen; "" where a watch stands on a
	// whole list. Nil until the first answer.
	reason atomic.Pointer[string]
}

// run lists and watches until ctx is done. The reflector renews a watch that
// ends in order, lists anew when its version is too old, and returns when it
// cannot go on; then it is started again after a pause.
func (w *watched) run(ctx context.Context) {
	resource := w.cluster.config.Dynamic.Resource(w.kind.GVR())
	reflector := cache.NewReflectorWithOptions(w.lister(resource), &unstructured.Unstructured{}, w, cache.ReflectorOptions{
		Name: w.kind.Resource, TypeDescription: label(w.kind),
		// How long an API server that is back may go unnoticed.
		Backoff: &backoff.Backoff{Duration: 250 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 6, Cap: 5 * time.Second},
	})
	pause := 200 * time.Millisecond
	for ctx.Err() == nil {
		began := time.Now()
		err := reflector.ListAndWatchWithContext(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !errors.Is(err, io.EOF) && !apierrors.IsResourceExpired(err) {
			w.lost(err)
		}
		if time.Since(began) > time.Minute {
			pause = 200 * time.Millisecond
		}
		if err == nil && pause > time.Second { // longer than a change may go unseen
			w.lost(errors.New("the watch ends again and again"))
		}
		wait(ctx, pause)
		pause = min(2*pause, 10*time.Second)
	}
}

// lister passes every request on and notes how it went.
func (w *watched) lister(resource dynamic.NamespaceableResourceInterface) *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := resource.List(ctx, o)
			if err != nil && ctx.Err() == nil && !apierrors.IsResourceExpired(err) {
				w.lost(err)
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			stream, err := resource.Watch(ctx, o)
			switch {
			case err == nil && (o.SendInitialEvents == nil || !*o.SendInitialEvents):
				w.restored()
			case err == nil: // a list as a stream: seen once it is whole, see Replace
			case ctx.Err() == nil && !apierrors.IsResourceExpired(err) && !apierrors.IsInvalid(err):
				// Invalid: the server cannot stream lists; a plain list follows.
				w.lost(err)
			}
			return stream, err
		},
	}
}

// Replace implements cache.ReflectorStore: a whole list has arrived.
func (w *watched) Replace(list []any, version string) error {
	if err := w.store.Replace(list, version); err != nil {
		return err
	}
	w.restored()
	return nil
}

// Add implements cache.ReflectorStore.
func (w *watched) Add(obj any) error { return w.store.Add(obj) }

// Update implements cache.ReflectorStore.
func (w *watched) Update(obj any) error { return w.store.Update(obj) }

// Delete implements cache.ReflectorStore.
func (w *watched) Delete(obj any) error { return w.store.Delete(obj) }

// Resync implements cache.ReflectorStore.
func (w *watched) Resync() error { return w.store.Resync() }

// blind returns why the kind cannot be seen; "" if it can.
func (w *watched) blind() string {
	if reason := w.reason.Load(); reason != nil {
		return *reason
	}
	return "the first list has not arrived"
}

// restored notes a standing watch; before the first whole list that is no
// sight yet.
func (w *watched) restored() {
	w.store.mu.RLock()
	listed := w.store.listed
	w.store.mu.RUnlock()
	if listed {
		w.note("")
	}
}

func (w *watched) lost(err error) {
	if apierrors.IsNotFound(err) { // the kind may be served no longer
		w.cluster.rediscover()
	}
	w.note(err.Error())
}

func (w *watched) note(reason string) {
	old := w.reason.Swap(&reason)
	if old != nil && *old == reason {
		return
	}
	seen := reason == ""
	wasSeen := old != nil && *old == ""
	w.cluster.config.Metrics.watch(w.kind, seen)
	switch {
	case !seen && (wasSeen || old == nil):
		w.cluster.config.Log.Warn("a watch is blind", "object", label(w.kind), "err", reason)
	case seen && old != nil:
		w.cluster.config.Log.Info("a watch sees again", "object", label(w.kind))
	}
	if seen != wasSeen {
		w.cluster.config.Health()
	}
}
