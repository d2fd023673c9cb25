package world

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/pager"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/permissions"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
)

// Cluster is how a live cluster is asked.
type Cluster struct {
	// Dynamic lists objects. It is asked once for each kind, page by page.
	Dynamic dynamic.Interface
	// Discovery says which kinds are served.
	Discovery discovery.DiscoveryInterface
}

// Given says which of the network's settings are the user's, and stay whatever the cluster says.
type Given struct{ PodCIDRs, CalicoVersion bool }

// OfCluster makes the world of a live cluster. Kinds that it does not serve have no objects; what it serves and does not
// show, or serves in a form that is not understood here, is a Gap, and what it may decide is unknown. Addresses of pods
// are those of the IP pools, if they can be read, and Calico's version is the one that is installed, but for what is
// given. The error is that of a cluster that cannot be reached.
func OfCluster(ctx context.Context, c Cluster, o Options, given Given) (*World, error) {
	r := &reading{Cluster: c, world: &World{isTenant: kustomize.MayFence}, whole: true, hidden: map[schema.GroupVersionResource]string{}}
	served, err := r.discover()
	if err != nil {
		return nil, err
	}
	for _, k := range served {
		if err := r.list(ctx, k); err != nil {
			return nil, err
		}
	}
	if err := r.checkTiers(ctx, served); err != nil {
		return nil, err
	}
	for _, k := range served {
		if why := r.hidden[k.GroupVersionResource]; why != "" {
			r.missing(k, why)
		}
	}
	r.adjust(&o, given)
	cfg := o.reach()
	cfg.Objects, cfg.Unread, cfg.WholeWorld, cfg.Implied = r.objects, r.unread, r.whole, r.podless
	if r.world.World, err = reach.New(cfg); err != nil {
		return nil, err
	}
	return r.world, nil
}

// reading gathers what a cluster holds.
type reading struct {
	Cluster
	world   *World
	objects []reach.Object
	unread  []reach.Unread
	pools   []*unstructured.Unstructured
	version string
	whole   bool
	hidden  map[schema.GroupVersionResource]string // why a list was refused for the tiers' sake, and not noted yet
	podless bool                                   // pods may not be read: those that policies imply stand in
}

// missing notes that objects of a kind may exist that are not seen.
func (r *reading) missing(k liveKind, why string) {
	reason := k.GroupResource().String() + " " + why
	r.world.Gaps = append(r.world.Gaps, Gap{Text: reason})
	r.whole = false
	r.podless = r.podless || k.Resource == "pods"
	if k.decides {
		r.unread = append(r.unread, reach.Unread{Origin: reach.Origin{Live: true}, Reason: reason})
	}
}

// list reads one kind. Only a cluster that cannot be reached at all is an error.
func (r *reading) list(ctx context.Context, k liveKind) error {
	p := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return r.Dynamic.Resource(k.GroupVersionResource).List(ctx, o)
	})
	var found []*unstructured.Unstructured
	err := p.EachListItem(ctx, metav1.ListOptions{}, func(o runtime.Object) error {
		u, ok := o.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("listing %s: unexpected %T", k.Resource, o)
		}
		found = append(found, u)
		return nil
	})
	switch {
	case err == nil:
	case ctx.Err() != nil || !isAnswer(err):
		return fmt.Errorf("reading the cluster: %w", err)
	default:
		why := fmt.Sprintf("cannot be read: %v", permissions.Explain(permissions.Reader, err))
		if drift.RefusalOf(err) == drift.RefusalHidden {
			r.hidden[k.GroupVersionResource] = why
		} else {
			r.missing(k, why)
		}
		return nil
	}
	for _, u := range found {
		switch k.Resource {
		case "ippools":
			r.pools = append(r.pools, u)
		case "clusterinformations":
			r.version, _, _ = unstructured.NestedString(u.Object, "spec", "calicoVersion")
		default:
			r.objects = append(r.objects, reach.Object{Content: u.Object, Origin: reach.Origin{Live: true}})
		}
	}
	return nil
}

var minor = regexp.MustCompile(`^v?([0-9]+\.[0-9]+)`)

// adjust takes the network from what the cluster says of it.
func (r *reading) adjust(o *Options, given Given) {
	if m := minor.FindStringSubmatch(r.version); m != nil && !given.CalicoVersion {
		o.Network.CalicoVersion = m[1]
	}
	if given.PodCIDRs {
		return
	}
	var ranges []netip.Prefix
	for _, pool := range r.pools {
		text, _, _ := unstructured.NestedString(pool.Object, "spec", "cidr")
		if cidr, err := netip.ParsePrefix(text); err == nil {
			ranges = append(ranges, cidr.Masked())
		}
	}
	if len(ranges) > 0 {
		o.Network.PodCIDRs = ranges
	}
}
