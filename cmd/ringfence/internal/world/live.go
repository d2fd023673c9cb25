package world

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/pager"

	"github.com/ringfence/ringfence/drift/reach"
)

// listed is one kind that a live world is made of.
type listed struct {
	schema.GroupVersionResource
	decides bool // without it nothing can be said; otherwise only what depends on it is unknown
}

func kind(group, version, resource string, decides bool) listed {
	return listed{schema.GroupVersionResource{Group: group, Version: version, Resource: resource}, decides}
}

// plainKinds are those of Kubernetes and of its policy API.
var plainKinds = []listed{
	kind("", "v1", "namespaces", false), kind("", "v1", "pods", false), kind("", "v1", "services", false),
	kind("", "v1", "serviceaccounts", false), kind("", "v1", "nodes", false),
	kind("discovery.k8s.io", "v1", "endpointslices", false),
	kind("networking.k8s.io", "v1", "networkpolicies", true),
	kind("policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies", true),
	kind("policy.networking.k8s.io", "v1alpha1", "adminnetworkpolicies", true),
	kind("policy.networking.k8s.io", "v1alpha1", "baselineadminnetworkpolicies", true),
}

// calicoKinds are Calico's, by resource, in whichever of its groups they are served.
var calicoKinds = map[string]bool{
	"tiers": true, "networkpolicies": true, "globalnetworkpolicies": true, "networksets": true, "globalnetworksets": true,
	"hostendpoints": true, "stagednetworkpolicies": true, "stagedglobalnetworkpolicies": true, "stagedkubernetesnetworkpolicies": true,
	"ippools": false, "clusterinformations": false,
}

// calicoGroups are asked in this order: objects of the second are those of the first as they are stored.
var calicoGroups = []schema.GroupVersion{{Group: "projectcalico.org", Version: "v3"}, {Group: "crd.projectcalico.org", Version: "v1"}}

// OfCluster makes the world of a live cluster, with one paged LIST for each kind. Kinds that the cluster does not serve
// do not exist; kinds that may not be read are Gaps, and Blind is true if they could decide any question. Addresses of
// pods are those of the IP pools, if they can be read and networkGiven is false; likewise Calico's version. The error is
// that of a cluster that cannot be reached.
func OfCluster(ctx context.Context, client dynamic.Interface, o Options, networkGiven bool) (w *World, blind bool, err error) {
	r := &reading{client: client, whole: true}
	for _, k := range plainKinds {
		if err := r.list(ctx, k); err != nil {
			return nil, false, err
		}
	}
	if err := r.calico(ctx); err != nil {
		return nil, false, err
	}
	if !networkGiven {
		r.adjust(&o)
	}
	cfg := o.reach()
	cfg.Objects, cfg.WholeWorld = r.objects, r.whole
	w = &World{Gaps: r.gaps, isTenant: func(string) bool { return true }}
	if w.World, err = reach.New(cfg); err != nil {
		return nil, false, err
	}
	return w, r.blind, nil
}

// reading gathers what a cluster holds.
type reading struct {
	client  dynamic.Interface
	objects []reach.Object
	pools   []*unstructured.Unstructured
	version string
	gaps    []string
	whole   bool
	blind   bool
}

// list reads one kind. Only a cluster that cannot be reached at all is an error.
func (r *reading) list(ctx context.Context, k listed) error {
	_, err := r.served(ctx, k)
	return err
}

// served reads one kind and says whether the cluster has it.
func (r *reading) served(ctx context.Context, k listed) (bool, error) {
	p := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return r.client.Resource(k.GroupVersionResource).List(ctx, o)
	})
	var found []*unstructured.Unstructured
	err := p.EachListItem(ctx, metav1.ListOptions{}, func(o runtime.Object) error {
		if u, ok := o.(*unstructured.Unstructured); ok {
			found = append(found, u)
		}
		return nil
	})
	switch {
	case err == nil:
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		return false, nil
	case ctx.Err() != nil || !isAnswer(err):
		return false, fmt.Errorf("reading the cluster: %w", err)
	default:
		r.gaps = append(r.gaps, fmt.Sprintf("%s cannot be read: %v", k.GroupResource(), err))
		r.whole, r.blind = false, r.blind || k.decides
		return true, nil
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
	return true, nil
}

// isAnswer says whether the API server itself gave the error.
func isAnswer(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// calico reads Calico's kinds from the first group that is served.
func (r *reading) calico(ctx context.Context) error {
	resources := make([]string, 0, len(calicoKinds))
	for resource := range calicoKinds {
		resources = append(resources, resource)
	}
	slices.Sort(resources)
	for _, gv := range calicoGroups {
		found := false
		for _, resource := range resources {
			served, err := r.served(ctx, kind(gv.Group, gv.Version, resource, calicoKinds[resource]))
			if err != nil {
				return err
			}
			found = found || served
		}
		if found {
			return nil
		}
	}
	return nil
}

var minor = regexp.MustCompile(`^v?([0-9]+\.[0-9]+)`)

// adjust takes the network from what the cluster says of it.
func (r *reading) adjust(o *Options) {
	if m := minor.FindStringSubmatch(r.version); m != nil {
		o.Network.CalicoVersion = m[1]
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
