package world

import (
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// liveKind is one kind that a live world is made of.
type liveKind struct {
	schema.GroupVersionResource
	decides bool // without it nothing can be said; otherwise only what depends on it is unknown
}

// calicoServed and calicoStored are the two forms of Calico's kinds: what the second has is the first as it is stored.
var (
	calicoServed = schema.GroupVersion{Group: kinds.GroupCalico, Version: "v3"}
	calicoStored = schema.GroupVersion{Group: kinds.GroupStored, Version: "v1"}
)

// liveKinds are all kinds that a live world is made of, Calico's in both forms.
func liveKinds() []liveKind {
	var out []liveKind
	add := func(gv schema.GroupVersion, decides bool, resources ...string) {
		for _, resource := range resources {
			out = append(out, liveKind{gv.WithResource(resource), decides})
		}
	}
	add(schema.GroupVersion{Version: "v1"}, false, "namespaces", "pods", "services", "serviceaccounts", "nodes")
	add(schema.GroupVersion{Group: "discovery.k8s.io", Version: "v1"}, false, "endpointslices")
	for _, gv := range []schema.GroupVersion{calicoServed, calicoStored} {
		add(gv, true, "hostendpoints")
		add(gv, false, "ippools", "clusterinformations")
	}
	for _, k := range kinds.Guarded() {
		add(k.GroupVersion(), true, k.Resource)
		if k.Group == calicoServed.Group {
			add(calicoStored, true, k.Resource)
		}
	}
	return out
}

// discover returns the kinds that are served, Calico's in one form. Groups that do not answer, and kinds in versions that
// are not understood here, are noted as missing.
func (r *reading) discover() ([]liveKind, error) {
	_, lists, err := r.Discovery.ServerGroupsAndResources()
	var failed *discovery.ErrGroupDiscoveryFailed
	if err != nil && !errors.As(err, &failed) {
		return nil, fmt.Errorf("asking the cluster what it serves: %w", err)
	}
	versions := map[schema.GroupResource][]string{}
	silent := map[string]error{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, fmt.Errorf("asking the cluster what it serves: %w", err)
		}
		for _, resource := range list.APIResources {
			gr := schema.GroupResource{Group: gv.Group, Resource: resource.Name}
			versions[gr] = append(versions[gr], gv.Version)
		}
	}
	if failed != nil {
		for gv, err := range failed.Groups {
			silent[gv.Group] = err
		}
	}
	return r.choose(versions, silent), nil
}

func (r *reading) choose(versions map[schema.GroupResource][]string, silent map[string]error) (served []liveKind) {
	for _, k := range liveKinds() {
		have := versions[k.GroupResource()]
		api := schema.GroupResource{Group: calicoServed.Group, Resource: k.Resource}
		switch {
		case k.Group == calicoStored.Group && (len(versions[api]) > 0 || silent[calicoServed.Group] != nil):
			// The same objects as in the other form, which answers, or has been noted as missing.
		case slices.Contains(have, k.Version):
			served = append(served, k)
		case len(have) > 0:
			r.missing(k, fmt.Sprintf("is served in version %s alone, and %s is understood", have[0], k.Version))
		case silent[k.Group] != nil:
			r.missing(k, fmt.Sprintf("cannot be asked for: %v", silent[k.Group]))
		}
	}
	return served
}

// isAnswer says whether the API server itself gave the error.
func isAnswer(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}
