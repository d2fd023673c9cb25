package drift

import (
	"context"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// certain is for how long whatever cannot be seen must have been so before Read takes it for an answer: what is hidden is asked
// for after the first lists have come.
const certain = 2 * time.Second

// Read looks at a cluster once and returns what it holds, still: nothing changes in it any more but by Wrote and Erased. It waits
// until all can be seen or, since some of it cannot, until that is known for certain, patience at most. What is not seen
// then is blind. The error is that of ctx.
func Read(ctx context.Context, config ClusterConfig, patience time.Duration) (*Cluster, error) {
	c, err := NewCluster(config)
	if err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(watching) }()
	c.await(ctx, patience)
	out := c.still()
	stop()
	if err := <-ended; err != nil {
		return nil, err
	}
	return out, ctx.Err()
}

// await returns when everything is seen, when it is certain that it is not, or when patience is over. A kind that turns out to be
// blind is no change that is told, so it looks again and again.
func (c *Cluster) await(ctx context.Context, patience time.Duration) {
	began, since := time.Now(), time.Time{}
	for !c.Synced() && time.Since(began) < patience && ctx.Err() == nil {
		wait(ctx, 20*time.Millisecond)
		switch {
		case !c.answered():
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > certain:
			return
		}
	}
}

// answered says whether the cluster has answered for every kind, whatever it said, and no list is on its way.
func (c *Cluster) answered() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.found && len(c.blind) == 0 {
		return false
	}
	for _, w := range c.watched {
		if reason := w.blind(); w.reason.Load() == nil || reason == listingAnew || reason == confirming {
			return false
		}
	}
	return true
}

// still returns a copy that nothing watches.
func (c *Cluster) still() *Cluster {
	out := empty()
	c.mu.RLock()
	defer c.mu.RUnlock()
	out.found, out.flavour, out.blind = c.found, c.flavour, maps.Clone(c.blind)
	for k, w := range c.watched {
		s := newStore(k, func(string) {})
		w.store.mu.RLock()
		for namespace, objects := range w.store.objects {
			s.objects[namespace] = maps.Clone(objects)
		}
		s.listed = w.store.listed
		w.store.mu.RUnlock()
		reason := w.blind()
		out.watched[k] = &watched{kind: k, cluster: out, store: s}
		out.watched[k].reason.Store(&reason)
		out.watched[k].hidden.Store(new(string))
	}
	return out
}

func empty() *Cluster {
	return &Cluster{found: true, watched: map[kinds.Kind]*watched{}, blind: map[kinds.Kind]string{}}
}

// Imagined returns a Cluster that serves every guarded kind, and Namespaces, from definitions, and holds these objects of them:
// one that nobody runs.
func Imagined(objects map[kinds.Kind][]*unstructured.Unstructured) *Cluster {
	out := empty()
	out.flavour = FlavourNative
	for _, k := range append(kinds.Guarded(), kinds.Namespace) {
		w := &watched{kind: k, cluster: out, store: newStore(k, func(string) {})}
		w.reason.Store(new(string))
		w.hidden.Store(new(string))
		w.store.replace(objects[k], "", time.Now())
		out.watched[k] = w
	}
	return out
}
