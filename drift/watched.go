package drift

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
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
	// hidden says what a list and a watch leave out; "" if nothing, nil if nobody
	// has asked yet. Only tiered kinds have something to hide.
	hidden atomic.Pointer[string]
	noting sync.Mutex // one at a time changes reason and hidden
	warned bool       // guarded by noting: it was told that the kind is blind
	// anew ends the watch, and what it stood on is listed again: see hide.
	anew chan struct{}
	// due counts how often a list from the beginning has come to be needed, the first
	// included, and begun how many of those the last list knew of when it began.
	due, begun atomic.Uint64
	// streamed: the list that comes is the beginning of a watch that stands.
	streamed atomic.Bool
	pulse    pulse
	// ghosts are those of what Calico keeps; nil before somebody has looked.
	ghosts atomic.Pointer[map[types.UID]ghost]
}

// newWatched returns a kind that is not watched yet. The caller holds c.mu.
func newWatched(k kinds.Kind, c *Cluster, cancel context.CancelFunc) *watched {
	changed := c.config.Changed
	if k == kinds.Tier {
		changed = func(namespace string) {
			c.config.Changed(namespace)
			c.retier()
		}
	}
	if k.Group == kinds.GroupStored {
		changed = func(string) {} // see take
	}
	w := &watched{kind: k, cluster: c, cancel: cancel, store: newStore(k, changed), anew: make(chan struct{}, 1)}
	w.store.spellings = k.Tiered && c.flavour.Dialect().TwoSpellings
	if !c.flavour.Dialect().HidesTiers { // nothing is left out of its lists
		w.hidden.Store(new(string))
	}
	w.pulse.lost = func(err error) { // why it is blind already says more than that no watch stands
		if reason := w.reason.Load(); reason == nil || *reason == "" {
			w.lost(err)
		}
	}
	w.due.Store(1)
	return w
}

// run lists and watches until ctx is done. The reflector renews a watch that
// ends in order, lists anew when its version is too old, and returns when it
// cannot go on; then it is started again after a pause.
func (w *watched) run(ctx context.Context) {
	defer w.pulse.end()
	resource := w.cluster.config.Dynamic.Resource(w.kind.GVR())
	reflector := cache.NewReflectorWithOptions(w.lister(resource), &unstructured.Unstructured{}, w, cache.ReflectorOptions{
		Name: w.kind.Resource, TypeDescription: label(w.kind),
		// How long an API server that is back may go unnoticed.
		Backoff: &backoff.Backoff{Duration: 250 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 6, Cap: 5 * time.Second},
	})
	pause := pauseFirst
	for ctx.Err() == nil {
		err := w.once(ctx, reflector)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !errors.Is(err, io.EOF) && !apierrors.IsResourceExpired(err) {
			w.lost(err)
		}
		w.pulse.renew()
		if w.pulse.stood() {
			pause = min(pause, pauseStood)
		}
		wait(ctx, pause)
		pause = min(2*pause, pauseLongest)
	}
}

// once lists and watches until that ends by itself or is to begin anew.
func (w *watched) once(ctx context.Context, reflector *cache.Reflector) error {
	ctx, stop := context.WithCancel(ctx)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer stop()
	waiting.Go(func() {
		select {
		case <-ctx.Done():
		case <-w.anew:
			stop()
		}
	})
	err := reflector.ListAndWatchWithContext(ctx)
	if ctx.Err() != nil { // it was ended on purpose
		return nil
	}
	return err
}

// The pauses between two tries. An API server that gave a watch is asked again within
// the time in which a change must be seen.
const (
	pauseFirst   = 200 * time.Millisecond
	pauseStood   = 500 * time.Millisecond
	pauseLongest = 10 * time.Second
)

// lister passes every request on and notes how it went.
func (w *watched) lister(resource dynamic.NamespaceableResourceInterface) *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			w.pulse.renew()
			w.streamed.Store(false)
			w.begun.Store(w.due.Load())
			list, err := resource.List(ctx, o)
			if err != nil && ctx.Err() == nil && !apierrors.IsResourceExpired(err) {
				w.lost(err)
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w.pulse.renew()
			if o.SendInitialEvents != nil && *o.SendInitialEvents {
				w.begun.Store(w.due.Load())
			}
			stream, err := resource.Watch(ctx, o)
			if err == nil {
				w.pulse.open(stream)
				w.renewed()
			}
			switch {
			case err == nil && (o.SendInitialEvents == nil || !*o.SendInitialEvents):
				w.pulse.stands()
				w.restored()
			case err == nil: // a list as a stream: seen once it is whole, see Replace
				w.streamed.Store(true)
			case ctx.Err() == nil && !apierrors.IsResourceExpired(err) && !apierrors.IsInvalid(err):
				// Invalid: the server cannot stream lists; a plain list follows.
				w.lost(err)
			}
			return stream, err
		},
	}
}

// Replace implements cache.ReflectorStore: a whole list has arrived. Without a watch
// behind it, it is true of a moment that has passed.
func (w *watched) Replace(list []any, version string) error {
	list = w.genuine(list)
	w.doubt(list)
	if err := w.store.Replace(list, version); err != nil {
		return err
	}
	w.testifyAll()
	w.listed()
	if w.streamed.Load() {
		w.pulse.stands()
		w.restored()
	}
	return nil
}

// Add implements cache.ReflectorStore.
func (w *watched) Add(obj any) error {
	w.pulse.beat(false)
	return w.take(obj, w.store.Add)
}

// Update implements cache.ReflectorStore.
func (w *watched) Update(obj any) error {
	w.pulse.beat(false)
	return w.take(obj, w.store.Update)
}

// Delete implements cache.ReflectorStore.
func (w *watched) Delete(obj any) error {
	w.pulse.beat(false)
	return w.take(obj, w.store.Delete)
}

// Bookmark implements cache.ReflectorBookmarkStore: the watch is alive.
func (w *watched) Bookmark(string) error {
	w.pulse.beat(true)
	return nil
}

// Resync implements cache.ReflectorStore.
func (w *watched) Resync() error { return w.store.Resync() }

// blind returns why the kind cannot be seen; "" if it can.
func (w *watched) blind() string {
	reason := w.reason.Load()
	if reason == nil {
		return "the first list has not arrived"
	}
	if *reason != "" {
		return *reason
	}
	if hidden := w.hidden.Load(); hidden != nil {
		return *hidden
	}
	if !w.kind.Tiered {
		return ""
	}
	return notAsked
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
	w.note(w.cluster.withGrant(err).Error())
}

func (w *watched) note(reason string) {
	w.noting.Lock()
	defer w.noting.Unlock()
	saw := w.blind() == ""
	before := w.reason.Swap(&reason)
	w.tell(saw)
	if before != nil && strings.HasPrefix(*before, noWatch) && reason != "" && !strings.HasPrefix(reason, noWatch) { // now it is known why
		w.cluster.config.Log.Warn("a watch is blind", "object", label(w.kind), "err", reason)
	}
}

// tell tells whether the kind can be seen now, if it could not before, or the other
// way round. What is only not known yet, at the start, is not worth a warning.
func (w *watched) tell(saw bool) {
	reason := w.blind()
	sees := reason == ""
	w.cluster.config.Metrics.watch(w.kind, sees)
	switch {
	case !sees && (saw || !beginning(reason)):
		w.warn(reason)
	case sees && w.warned:
		w.warned = false
		w.cluster.config.Log.Info("a watch sees again", "object", label(w.kind))
	}
	if sees != saw {
		w.cluster.config.Health()
	}
}

// warn tells, once, that the kind is blind. It needs noting.
func (w *watched) warn(reason string) {
	if !w.warned {
		w.warned = true
		w.cluster.config.Log.Warn("a watch is blind", "object", label(w.kind), "err", reason)
	}
}

// beginning says whether a kind is blind for no more than that it has just begun to be watched.
func beginning(reason string) bool { return reason == notAsked || reason == listingAnew }
