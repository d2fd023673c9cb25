package drift

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Flavour returns in which way the cluster serves Calico's kinds, as it was last found
// out; it is found out again whenever the definitions and registrations of the cluster
// change. It is "", of which the worst is assumed ([Flavour.Dialect]), until it is known,
// and for good where asking is forbidden.
func (c *Cluster) Flavour() Flavour {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.flavour
}

// askFlavour answers with an error where it cannot be known now. Without the permission
// to ask it never can be.
func (c *Cluster) askFlavour(ctx context.Context) (Flavour, error) {
	f, err := FindFlavour(ctx, c.config.Dynamic)
	if apierrors.IsForbidden(err) {
		if !c.warned {
			c.warned = true
			c.config.Log.Warn("who serves Calico's kinds may not be asked, and the worst is assumed", "err", c.withGrant(err))
		}
		return "", nil
	}
	return f, err
}

// contradicted makes unknown what discovery and the flavour do not agree on: one of
// the two was asked before a change. What is registered and not found is not gone:
// discovery forgets the kinds of an API server that is down, too (calico-api.md §2.6).
func contradicted(f Flavour, served map[kinds.Kind]bool, unknown map[kinds.Kind]string) {
	found := false
	for k := range served {
		found = found || k.Group == kinds.GroupCalico && (f != FlavourAggregated || k == kinds.Tier)
	}
	var reason string
	switch {
	case f == FlavourNone && found:
		reason = "asking the API server: it names kinds that nobody is registered for"
	case (f == FlavourNative || f == FlavourAggregated) && !found:
		reason = "asking the API server: it does not name the kinds that somebody is registered for"
	default:
		return
	}
	for _, k := range kinds.Guarded() {
		if _, already := unknown[k]; k.Group == kinds.GroupCalico && !already {
			unknown[k] = reason
			delete(served, k)
		}
	}
}

// turn takes in another flavour. What two flavours serve are two stores, and a watch on
// one may outlive its registration: the kinds are watched from the beginning, and are
// blind until that is done. The caller holds c.mu.
func (c *Cluster) turn(f Flavour) {
	before := c.flavour
	c.flavour = f
	if before == "" {
		return
	}
	c.config.Log.Info("the kinds of calico are served in another way", "from", before, "to", f)
	for k, w := range c.watched {
		if k.Group == kinds.GroupCalico || k.Group == kinds.GroupStored {
			w.cancel()
			delete(c.watched, k)
			c.config.Metrics.unwatch(k)
		}
	}
}
