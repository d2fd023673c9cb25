package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/adopt"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// unguarded says of which kinds that look like policies, and that Ringfence neither sees nor writes, the namespace has objects.
func (l *liveNamespace) unguarded(ctx context.Context, namespace string) (out []adopt.Finding) {
	client, err := discovery.NewDiscoveryClientForConfig(l.seen.rest)
	if err != nil {
		return []adopt.Finding{{Warning: true, What: fmt.Sprintf("whether other kinds of policies are there is not known: %v", err)}}
	}
	objects, err := metadata.NewForConfig(l.seen.rest)
	if err != nil {
		return []adopt.Finding{{Warning: true, What: fmt.Sprintf("whether other kinds of policies are there is not known: %v", err)}}
	}
	lists, err := client.ServerPreferredNamespacedResources()
	if err != nil {
		out = append(out, adopt.Finding{Warning: true, What: fmt.Sprintf("not all kinds are known: %v", err)})
	}
	for _, k := range foreignPolicies(lists) {
		list, err := objects.Resource(k.GroupVersionResource).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: 100})
		switch {
		case err != nil:
			out = append(out, adopt.Finding{Warning: true, What: fmt.Sprintf("whether there are objects of %s is not known: %v", k.name, err)})
		case len(list.Items) > 0:
			names := make([]string, len(list.Items))
			for i, item := range list.Items {
				names[i] = item.Name
			}
			out = append(out, adopt.Finding{
				Warning: true, What: fmt.Sprintf("%s is no guarded kind, so that Ringfence neither sees nor writes it: %s", k.name, strings.Join(names, ", ")),
				Do: "say by a policy of a guarded kind what it allows, and remove it",
			})
		}
	}
	return out
}

// foreignPolicy is a kind of policy that is not guarded.
type foreignPolicy struct {
	schema.GroupVersionResource
	name string // as KIND.GROUP
}

// foreignPolicies chooses the kinds that other engines and meshes take for network policies, by their names.
func foreignPolicies(lists []*metav1.APIResourceList) (out []foreignPolicy) {
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil || gv.Group == kinds.GroupStored { // told of by who looks around Calico's API server
			continue
		}
		for _, r := range list.APIResources {
			_, guarded := kinds.Find(schema.GroupKind{Group: gv.Group, Kind: r.Kind})
			looks := slices.ContainsFunc([]string{"NetworkPolicy", "EgressFirewall", "AuthorizationPolicy", "EgressQoS", "FirewallPolicy"}, func(part string) bool {
				return strings.Contains(r.Kind, part)
			})
			if looks && !guarded && slices.Contains(r.Verbs, "list") {
				out = append(out, foreignPolicy{gv.WithResource(r.Name), r.Kind + "." + gv.Group})
			}
		}
	}
	return out
}
