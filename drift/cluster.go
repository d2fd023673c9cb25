package drift

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"github.com/ringfence/ringfence/drift/permissions"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// ClusterConfig says where to look and whom to tell.
type ClusterConfig struct {
	// Dynamic lists and watches the objects. Required.
	Dynamic dynamic.Interface
	// Discovery says which of the kinds the cluster serves. Required.
	Discovery discovery.DiscoveryInterface
	// Metadata watches CustomResourceDefinitions and the APIService of Calico's kinds, so that
	// a kind that appears or vanishes later, or is served by another, is picked up. Required.
	Metadata metadata.Interface
	// Changed is called after each change of a guarded object or a Namespace,
	// with the namespace ("" for cluster-scoped kinds). It must not block.
	Changed func(namespace string)
	// Health is called after a kind became visible, blind, served or absent.
	// It must not block.
	Health func()
	// Rediscover is how often the served kinds are asked for without an
	// occasion; default 10 minutes.
	Rediscover time.Duration
	// Holder is whose role should grant what turns out to be missing; "" means permissions.Daemon.
	Holder permissions.Holder
	// Metrics may be nil.
	Metrics *Metrics
	// Log may be nil.
	Log *slog.Logger
}

// Cluster is the live side: what the API server holds of the guarded kinds and
// the Namespaces. All methods are safe for concurrent use.
type Cluster struct {
	config ClusterConfig

	occasion chan struct{} // capacity one: the served kinds may have changed
	defined  atomic.Uint64 // how often definitions may have changed
	tiers    chan struct{} // capacity one: tiers, or who may see them, may have changed

	mu      sync.RWMutex
	found   bool // the served kinds are known
	watched map[kinds.Kind]*watched
	blind   map[kinds.Kind]string // reason, for kinds of which it is not known whether they are served
	flavour Flavour               // "" until it is known

	warned bool // owned by Run: it was told that the flavour may not be asked for
}

// NewCluster returns a Cluster that sees nothing until Run.
func NewCluster(c ClusterConfig) (*Cluster, error) {
	if c.Dynamic == nil || c.Discovery == nil || c.Metadata == nil {
		return nil, errors.New("drift.NewCluster: Dynamic, Discovery and Metadata are required")
	}
	if c.Changed == nil {
		c.Changed = func(string) {}
	}
	if c.Health == nil {
		c.Health = func() {}
	}
	if c.Rediscover == 0 {
		c.Rediscover = 10 * time.Minute
	}
	if c.Holder == "" {
		c.Holder = permissions.Daemon
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Cluster{
		config: c, occasion: make(chan struct{}, 1), tiers: make(chan struct{}, 1),
		watched: map[kinds.Kind]*watched{}, blind: map[kinds.Kind]string{},
	}, nil
}

// Run watches until ctx is done and returns when every goroutine it started
// has. It never gives up on an API server that is away.
func (c *Cluster) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { c.watchOccasions(ctx, definitions, "") })
	wg.Go(func() { c.watchOccasions(ctx, registrations, registration) })
	wg.Go(func() { c.watchTiers(ctx) })
	pause := time.NewTimer(0)
	defer pause.Stop()
	backoff, again := 250*time.Millisecond, false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.occasion:
			// The API server serves a kind, or stops to, some time after its
			// definition has changed: one answer is not enough.
			again = true
		case <-pause.C:
		}
		if err := c.discover(ctx, &wg); err != nil {
			pause.Reset(backoff)
			backoff = min(2*backoff, 10*time.Second)
			continue
		}
		backoff = 250 * time.Millisecond
		if again {
			again = false
			pause.Reset(secondLook)
			continue
		}
		pause.Reset(c.config.Rediscover)
	}
}

// withGrant returns the error with what grants the permission that it says is missing.
func (c *Cluster) withGrant(err error) error { return permissions.Explain(c.config.Holder, err) }

// secondLook is the pause between the two discoveries that follow an occasion.
const secondLook = time.Second

// rediscover makes an occasion to ask which kinds are served. It never blocks.
func (c *Cluster) rediscover() {
	select {
	case c.occasion <- struct{}{}:
	default:
	}
}

// Definitions returns a number that grows whenever what the API server serves, or
// the schema of it, may have changed: with each CustomResourceDefinition and with the
// APIService of Calico's kinds that does and a moment later, when a watch on them is renewed, and with each Rediscover.
func (c *Cluster) Definitions() uint64 { return c.defined.Load() }

// In returns the guarded objects of one namespace, or the cluster-scoped ones
// for "", in no order. Namespaces are not among them. Where Calico's own API server
// serves its kinds, what was written around it is, as what is stored (a kind of
// [kinds.GroupStored]): policies of a tier that does not exist, and what that server shows
// under the name of another, or cannot reach. Nothing can be done to it here.
func (c *Cluster) In(namespace string) []*Observed {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []*Observed
	for k, w := range c.watched {
		switch {
		case k == kinds.Namespace:
		case k.Group == kinds.GroupStored:
			out = append(out, w.around(namespace)...)
		default:
			out = append(out, w.store.in(namespace)...)
		}
	}
	return out
}

// Get returns one live object; nil if there is none or its kind is not seen.
func (c *Cluster) Get(id ID) *Observed {
	w := c.of(id.Kind)
	if w == nil {
		return nil
	}
	if id.Kind == kinds.Namespace {
		return w.store.get(id.Name, id.Name)
	}
	return w.store.get(id.Namespace, id.Name)
}

// Namespace returns the live Namespace of that name; nil if there is none.
func (c *Cluster) Namespace(name string) *Observed {
	return c.Get(ID{Kind: kinds.Namespace, Name: name})
}

// Namespaces returns the names of all live Namespaces, sorted.
func (c *Cluster) Namespaces() []string {
	w := c.of(kinds.Namespace)
	if w == nil {
		return nil
	}
	return slices.Sorted(slices.Values(w.store.namespaces()))
}

// NamespaceLabels returns every live Namespace with its labels; the same ones for as long as none changes.
func (c *Cluster) NamespaceLabels() *Namespaces {
	w := c.of(kinds.Namespace)
	if w == nil {
		return nil
	}
	return w.store.labelled()
}

// Served says whether the cluster serves the kind.
func (c *Cluster) Served(k kinds.Kind) bool { return c.of(k) != nil }

// Sees says whether the watch of a served kind stands on a whole list, whatever holds of other kinds.
func (c *Cluster) Sees(k kinds.Kind) bool {
	w := c.of(k)
	return w != nil && w.blind() == ""
}

// Synced says whether everything can be seen: the served kinds are known, and
// each one's watch stands on a whole list. If not, what is not in the live side
// may exist all the same, and nothing must be concluded from its absence.
func (c *Cluster) Synced() bool {
	c.mu.RLock()
	found := c.found
	c.mu.RUnlock()
	return found && len(c.Blind()) == 0
}

// Blind names the kinds that cannot be seen now, sorted, as "Kind.group: why".
func (c *Cluster) Blind() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := []string{}
	for k, reason := range c.blind {
		out = append(out, label(k)+": "+reason)
	}
	for k, w := range c.watched {
		if reason := w.blind(); reason != "" {
			out = append(out, label(k)+": "+reason)
		}
	}
	slices.Sort(out)
	return out
}

// Wrote takes in the API server's answer to a write of ours, so that the next
// comparison sees it before the watch repeats it.
func (c *Cluster) Wrote(k kinds.Kind, u *unstructured.Unstructured) {
	if w := c.of(k); w != nil {
		w.store.wrote(u)
	}
}

// Erased takes in that we deleted the object.
func (c *Cluster) Erased(k kinds.Kind, u *unstructured.Unstructured) {
	if w := c.of(k); w != nil {
		w.store.erased(u)
	}
}

func (c *Cluster) of(k kinds.Kind) *watched {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.watched[k]
}

func (c *Cluster) all() map[kinds.Kind]*watched {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return maps.Clone(c.watched)
}

// label names a kind in metrics and messages: "NetworkPolicy.networking.k8s.io".
func label(k kinds.Kind) string {
	if k.Group == "" {
		return k.Kind
	}
	return k.Kind + "." + k.Group
}
