package drift

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// discover asks which kinds are served, starts a watch for the new ones and
// ends those of kinds that are gone. A group that does not answer is neither:
// its kinds stay as they are, and those not yet watched are blind.
func (c *Cluster) discover(ctx context.Context, wg *sync.WaitGroup) error {
	served, unknown := c.served(ctx, append(kinds.Guarded(), kinds.Namespace))
	c.defined.Add(1)
	flavour, flavourErr := c.askFlavour(ctx)
	if flavourErr == nil {
		contradicted(flavour, served, unknown)
	}
	if flavour == FlavourAggregated || flavourErr != nil && c.Flavour() == FlavourAggregated {
		alsoServed, alsoUnknown := c.served(ctx, evidences())
		maps.Copy(served, alsoServed)
		maps.Copy(unknown, alsoUnknown)
	}
	if ctx.Err() != nil {
		return nil //nolint:nilerr // being stopped is not a fault
	}
	c.mu.Lock()
	changed := !c.found
	c.found = c.found || len(unknown) == 0
	if flavourErr == nil && c.flavour != flavour {
		changed = true
		c.turn(flavour)
	}
	before := c.blind
	c.blind = map[kinds.Kind]string{}
	for k, reason := range unknown {
		if c.watched[k] == nil {
			c.blind[k] = reason
		}
	}
	changed = changed || !maps.Equal(before, c.blind)
	c.showBlind(before)
	for k := range served {
		if c.watched[k] == nil {
			changed = true
			watchCtx, cancel := context.WithCancel(ctx)
			w := newWatched(k, c, cancel)
			c.watched[k] = w
			c.config.Metrics.watch(k, false)
			wg.Go(func() { w.run(watchCtx) })
		}
	}
	for k, w := range c.watched {
		if _, unsure := unknown[k]; !served[k] && !unsure {
			changed = true
			w.cancel()
			delete(c.watched, k)
			c.config.Metrics.unwatch(k)
			c.config.Log.Warn("a guarded kind is no longer served", "object", label(k))
		}
	}
	c.mu.Unlock()
	if changed {
		c.config.Health()
		c.retier()
	}
	if len(unknown) > 0 {
		return fmt.Errorf("discovering the served kinds: %d unknown", len(unknown))
	}
	return flavourErr
}

// showBlind shows in the metrics the kinds of which it is not known whether they
// are served, and no longer those of which it was not known before.
func (c *Cluster) showBlind(before map[kinds.Kind]string) {
	for k := range before {
		if _, still := c.blind[k]; !still && c.watched[k] == nil {
			c.config.Metrics.unwatch(k)
		}
	}
	for k := range c.blind {
		c.config.Metrics.watch(k, false)
	}
}

// served asks discovery for kinds, once per API group and version.
func (c *Cluster) served(ctx context.Context, all []kinds.Kind) (served map[kinds.Kind]bool, unknown map[kinds.Kind]string) {
	served, unknown = map[kinds.Kind]bool{}, map[kinds.Kind]string{}
	groups := map[schema.GroupVersion][]kinds.Kind{}
	for _, k := range all {
		groups[k.GroupVersion()] = append(groups[k.GroupVersion()], k)
	}
	for gv, members := range groups {
		if ctx.Err() != nil {
			return served, unknown
		}
		list, err := c.config.Discovery.ServerResourcesForGroupVersion(gv.String())
		switch {
		case apierrors.IsNotFound(err) && !everywhere(members):
			continue
		case err != nil:
			for _, k := range members {
				unknown[k] = "asking the API server: " + err.Error()
			}
			continue
		}
		names := map[string]bool{}
		for _, r := range list.APIResources {
			names[r.Name] = true
		}
		for _, k := range members {
			switch {
			case names[k.Resource]:
				served[k] = true
			case everywhere([]kinds.Kind{k}):
				unknown[k] = "asking the API server: it does not name " + k.Resource
			}
		}
	}
	return served, unknown
}

// evidences are the kinds as which Calico keeps its own.
func evidences() (out []kinds.Kind) {
	for _, k := range kinds.Guarded() {
		if kept, ok := kinds.Stored(k); ok {
			out = append(out, kept)
		}
	}
	return out
}

// everywhere says whether one of the kinds is served by every cluster: who is told
// that it is not has not asked a cluster.
func everywhere(members []kinds.Kind) bool {
	return slices.Contains(members, kinds.NetworkPolicy) || slices.Contains(members, kinds.Namespace)
}

// watchOccasions makes an occasion whenever one of a resource changes that says what
// the API server serves: the one of that name, or with "" any. It keeps nothing: the
// answer is always asked anew.
func (c *Cluster) watchOccasions(ctx context.Context, resource schema.GroupVersionResource, name string) {
	options := metav1.ListOptions{}
	if name != "" {
		options.FieldSelector = "metadata.name=" + name
	}
	pause := 5 * time.Second
	forbidden := false
	for ctx.Err() == nil {
		w, err := c.config.Metadata.Resource(resource).Watch(ctx, options)
		if apierrors.IsForbidden(err) && !forbidden {
			forbidden = true
			c.config.Log.Warn("what is served may not be watched, and a change is seen later", "err", c.withGrant(err))
		}
		if err == nil {
			forbidden = false
			pause = 5 * time.Second
			c.defined.Add(1)
			for range w.ResultChan() {
				c.defined.Add(1)
				// The API server serves a new kind a moment after its
				// definition; a burst of definitions is one occasion.
				wait(ctx, 500*time.Millisecond)
				drain(w.ResultChan())
				c.rediscover()
			}
			w.Stop()
		}
		wait(ctx, pause)
		pause = min(2*pause, time.Minute)
	}
}

func drain[T any](c <-chan T) {
	for {
		select {
		case _, ok := <-c:
			if !ok {
				return
			}
		default:
			return
		}
	}
}

// wait pauses for d, or until ctx is done.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
