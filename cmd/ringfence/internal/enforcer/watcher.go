package enforcer

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	appsv1client "k8s.io/client-go/kubernetes/typed/apps/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/ringfence/ringfence/drift"
)

// Config is what a Watcher needs.
type Config struct {
	// Kube reaches the API server. Required.
	Kube appsv1client.AppsV1Interface
	// Log is told what enforces policies whenever that changes. Required.
	Log *slog.Logger
}

// Watcher knows what enforces policies, as it changes. Its methods are safe for concurrent use.
type Watcher struct {
	config Config

	mu   sync.Mutex
	sets map[string]*appsv1.DaemonSet // guarded by mu; nil: they cannot be seen
	said State                        // guarded by mu
}

// New returns a Watcher that knows nothing until it runs.
func New(c Config) *Watcher {
	return &Watcher{config: c}
}

// State returns what enforces policies now.
func (w *Watcher) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state()
}

func (w *Watcher) state() State {
	if w.sets == nil {
		return State{Engine: Unknown}
	}
	var sets []*appsv1.DaemonSet
	for _, key := range slices.Sorted(maps.Keys(w.sets)) {
		sets = append(sets, w.sets[key])
	}
	return assess(sets)
}

// The pauses after a list that failed: whoever may not list DaemonSets will seldom be allowed to soon.
const (
	pauseFirst   = time.Second
	pauseLongest = 5 * time.Minute
)

// Run watches until ctx is done. It returns nil.
func (w *Watcher) Run(ctx context.Context) error {
	sets := w.config.Kube.DaemonSets(metav1.NamespaceAll)
	reflector := cache.NewReflectorWithOptions(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return sets.List(ctx, o) },
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return sets.Watch(ctx, o)
		},
	}, &appsv1.DaemonSet{}, w, cache.ReflectorOptions{Name: "daemonsets"})
	pause := pauseFirst
	for ctx.Err() == nil {
		if err := reflector.ListAndWatchWithContext(ctx); err != nil && ctx.Err() == nil {
			w.change(err, func() { w.sets = nil })
		} else {
			pause = pauseFirst
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, pauseLongest)
	}
	return nil
}

// change does what changes the DaemonSets, and tells what that comes to; err is why they cannot be seen.
func (w *Watcher) change(err error, do func()) {
	w.mu.Lock()
	do()
	state := w.state()
	told := w.said.Engine == state.Engine && w.said.Version == state.Version
	w.said = state
	w.mu.Unlock()
	switch {
	case told:
	case state.Engine == None:
		w.config.Log.Warn("nothing that is known enforces policies in this cluster: no fence has an effect")
	case state.Engine == Unknown:
		w.config.Log.Warn("what enforces policies cannot be seen", "err", drift.WithGrant(err))
	default:
		w.config.Log.Info("policies are enforced", "engine", state.Engine, "version", state.Version)
	}
}

func key(object any) (string, *appsv1.DaemonSet) {
	set := object.(*appsv1.DaemonSet) //nolint:errcheck // the reflector is told so
	return set.Namespace + "/" + set.Name, set
}

// Add implements cache.ReflectorStore. It comes after a Replace, and so does what changes further.
func (w *Watcher) Add(object any) error { return w.Update(object) }

// Update implements cache.ReflectorStore.
func (w *Watcher) Update(object any) error {
	id, set := key(object)
	w.change(nil, func() { w.sets[id] = set })
	return nil
}

// Delete implements cache.ReflectorStore.
func (w *Watcher) Delete(object any) error {
	id, _ := key(object)
	w.change(nil, func() { delete(w.sets, id) })
	return nil
}

// Replace implements cache.ReflectorStore.
func (w *Watcher) Replace(objects []any, _ string) error {
	sets := map[string]*appsv1.DaemonSet{}
	for _, o := range objects {
		id, set := key(o)
		sets[id] = set
	}
	w.change(nil, func() { w.sets = sets })
	return nil
}

// Resync implements cache.ReflectorStore; there is nothing to do.
func (w *Watcher) Resync() error { return nil }
