package drift

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// tierPause is how long after a change of tiers they are tried: a burst is one.
const tierPause = 500 * time.Millisecond

// watchTiers looks for tiers whose policies are hidden from us, and for policies without one, whenever the tiers
// may have changed, until ctx is done.
func (c *Cluster) watchTiers(ctx context.Context) {
	again := time.NewTimer(c.config.Rediscover)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.tiers:
			wait(ctx, tierPause)
			drain(c.tiers)
		case <-again.C:
		}
		told, sure := c.findHidden(ctx), c.findGhosts(time.Now())
		switch {
		case !sure:
			again.Reset(ghostGrace)
		case told:
			again.Reset(c.config.Rediscover)
		default:
			again.Reset(10 * time.Second)
		}
	}
}

// retier makes watchTiers look soon. It never blocks.
func (c *Cluster) retier() {
	select {
	case c.tiers <- struct{}{}:
	default:
	}
}

// renewed notes that a watch has begun. Calico's own API server looks then which tiers
// may be seen, and says nothing of a change.
func (w *watched) renewed() {
	if w.kind.Tiered && w.cluster.Flavour().Dialect().HidesTiers {
		w.cluster.retier()
	}
}

// findHidden asks for the policies of every tier. Calico's own API server leaves
// out of a list, without a word, what is in a tier that the asker may not see; asked
// for that tier alone it refuses (calico-api.md §2.5). Where the kinds are served
// from definitions nothing is left out. It answers false if it could not tell, or if
// something is hidden: what lets us see it again is nothing that a watch tells of.
func (c *Cluster) findHidden(ctx context.Context) (told bool) {
	tiers, hides := c.of(kinds.Tier), c.Flavour().Dialect().HidesTiers
	told = true
	for k, w := range c.all() {
		if !k.Tiered {
			continue
		}
		hidden := ""
		if tiers != nil && hides {
			var err error
			if hidden, err = w.hiddenTiers(ctx, tiers); err != nil {
				told = false
				if tiers.blind() == "" && ctx.Err() == nil { // or it shows there
					w.unasked(err)
				}
				continue // as it was
			}
		}
		w.hide(hidden)
		told = told && hidden == ""
	}
	return told
}

// hiddenTiers says which of the live tiers hide their policies of the kind from us;
// "" if none does.
func (w *watched) hiddenTiers(ctx context.Context, tiers *watched) (string, error) {
	if reason := tiers.blind(); reason != "" {
		return "", fmt.Errorf("looking for hidden tiers: %s", reason)
	}
	resource := w.cluster.config.Dynamic.Resource(w.kind.GVR())
	for _, tier := range tiers.store.in("") {
		_, err := resource.List(ctx, metav1.ListOptions{FieldSelector: "spec.tier=" + tier.ID.Name, Limit: 1})
		switch {
		case apierrors.IsForbidden(err):
			return fmt.Sprintf("the policies of the tier %s are hidden: %v", tier.ID.Name, w.cluster.withGrant(err)), nil
		case apierrors.IsBadRequest(err): // no such selector: not Calico's own API server
			return "", nil
		case err != nil:
			return "", fmt.Errorf("looking for hidden tiers: %w", err)
		}
	}
	return "", nil
}
