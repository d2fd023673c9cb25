package calico

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	clientset "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

const (
	manager  = "calico"
	parallel = 8                      // definitions in flight
	pause    = 100 * time.Millisecond // between two looks at what is not there yet
)

// tier is one of projectcalico.org/v3.
type tier struct {
	name   string
	order  int64
	action string
}

func (t tier) object() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": publicGroup + "/" + publicPath,
		"kind":       "Tier",
		"metadata":   map[string]any{"name": t.name},
		"spec":       map[string]any{"order": t.order, "defaultAction": t.action},
	}}
}

// tiers are those that Calico makes by itself, with its orders and default
// actions (libcalico-go/lib/apis/v3, names.go and tier.go).
var tiers = []tier{
	{"adminnetworkpolicy", 1_000, "Pass"},
	{"default", 1_000_000, "Deny"},
	{"baselineadminnetworkpolicy", 10_000_000, "Pass"},
}

// installer has the clients of one [Install].
type installer struct {
	definitions clientset.Interface
	dynamic     dynamic.Interface
}

// Install makes the API server at c serve what it serves of Calico in a flavour
// and returns when it does; with [Aggregated] the rest is the other server's.
// What exists already is updated, and definitions of projectcalico.org/v3 that
// the flavour does not have go, with their objects. [None] changes nothing.
func Install(ctx context.Context, c *rest.Config, f Flavour) error {
	published, public, err := CRDs(f)
	if err != nil || f == None {
		return err
	}
	var i installer
	if i.definitions, err = clientset.NewForConfig(c); err != nil {
		return fmt.Errorf("installing Calico's resources: %w", err)
	}
	if i.dynamic, err = dynamic.NewForConfig(c); err != nil {
		return fmt.Errorf("installing Calico's resources: %w", err)
	}
	if f == Aggregated {
		if err := i.withdraw(ctx); err != nil {
			return err
		}
	} else if err := i.register(ctx); err != nil {
		return err
	}
	all := append(published, public...)
	work, inner := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	for _, crd := range all {
		work.Go(func() error { return i.put(inner, crd) })
	}
	if err := work.Wait(); err != nil {
		return err
	}
	if err := i.served(ctx, all); err != nil {
		return err
	}
	if f == Native {
		return i.makeTiers(ctx)
	}
	return nil
}

// register puts projectcalico.org/v3 in its rank and, if another server served
// it before, back into the hands of this one.
func (i installer) register(ctx context.Context) error {
	api := i.dynamic.Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
	o := registration()
	if err := i.unregister(ctx, api, o.GetName()); err != nil {
		return fmt.Errorf("taking %s/%s back from Calico's API server: %w", publicGroup, publicPath, err)
	}
	_, err := api.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: manager, Force: true})
	if err != nil {
		return fmt.Errorf("registering %s/%s: %w", publicGroup, publicPath, err)
	}
	return nil
}

// unregister removes a registration of another server and returns when
// discovery has forgotten it. One that became ours in place would be shown as
// that server's, out of reach, for ever: kube-aggregator looks at what it
// learns of a local group no further.
func (i installer) unregister(ctx context.Context, api dynamic.ResourceInterface, name string) error {
	o, err := api.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if service, _, _ := unstructured.NestedMap(o.Object, "spec", "service"); service == nil {
		return nil
	}
	if err := api.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	for {
		groups, err := i.definitions.Discovery().ServerGroups()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool { return g.Name == publicGroup }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// withdraw removes the definitions of projectcalico.org/v3 and returns when
// none is left.
func (i installer) withdraw(ctx context.Context) error {
	api := i.definitions.ApiextensionsV1().CustomResourceDefinitions()
	for {
		list, err := api.List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("withdrawing %s/%s: %w", publicGroup, publicPath, err)
		}
		left := 0
		for _, crd := range list.Items {
			if crd.Spec.Group != publicGroup {
				continue
			}
			left++
			if err := api.Delete(ctx, crd.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("withdrawing the definition %q: %w", crd.Name, err)
			}
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("withdrawing %s/%s: %w", publicGroup, publicPath, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// makeTiers makes the tiers that Calico makes by itself.
func (i installer) makeTiers(ctx context.Context) error {
	resource := schema.GroupVersionResource{Group: publicGroup, Version: publicPath, Resource: "tiers"}
	for _, t := range tiers {
		if err := create(ctx, i.dynamic, resource, t.object()); err != nil {
			return err
		}
	}
	return nil
}

// put creates crd, or gives the one that exists the same spec.
func (i installer) put(ctx context.Context, crd *apiextensions.CustomResourceDefinition) error {
	api := i.definitions.ApiextensionsV1().CustomResourceDefinitions()
	_, err := api.Create(ctx, crd, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		var old *apiextensions.CustomResourceDefinition
		if old, err = api.Get(ctx, crd.Name, metav1.GetOptions{}); err == nil {
			old.Spec = crd.Spec
			_, err = api.Update(ctx, old, metav1.UpdateOptions{})
		}
	}
	if err != nil {
		return fmt.Errorf("installing the definition %q: %w", crd.Name, err)
	}
	return nil
}

// served waits until discovery, which a definition enters after it is
// established, shows every resource of crds.
func (i installer) served(ctx context.Context, crds []*apiextensions.CustomResourceDefinition) error {
	for {
		missing, err := notServed(i.definitions.Discovery(), crds)
		if err != nil {
			return fmt.Errorf("waiting for Calico's resources: %w", err)
		}
		if missing == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for Calico's resources: %q is not served: %w", missing, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// notServed returns the name of one of crds that discovery does not show yet,
// or "".
func notServed(d discovery.DiscoveryInterface, crds []*apiextensions.CustomResourceDefinition) (string, error) {
	_, lists, err := d.ServerGroupsAndResources()
	var partly *discovery.ErrGroupDiscoveryFailed
	if err != nil && !errors.As(err, &partly) {
		return "", err
	}
	shown := map[schema.GroupVersionResource]bool{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return "", err
		}
		for _, r := range list.APIResources {
			shown[gv.WithResource(r.Name)] = true
		}
	}
	for _, crd := range crds {
		for _, v := range crd.Spec.Versions {
			gvr := schema.GroupVersionResource{Group: crd.Spec.Group, Version: v.Name, Resource: crd.Spec.Names.Plural}
			if v.Served && !shown[gvr] {
				return crd.Name, nil
			}
		}
	}
	return "", nil
}

// create creates o unless it exists, and tries again while its kind, which is
// known to exist, is not served yet: discovery and storage may be ahead of the
// handler.
func create(ctx context.Context, d dynamic.Interface, resource schema.GroupVersionResource, o *unstructured.Unstructured) error {
	for {
		_, err := d.Resource(resource).Create(ctx, o, metav1.CreateOptions{FieldManager: manager})
		switch {
		case err == nil, apierrors.IsAlreadyExists(err):
			return nil
		case !apierrors.IsNotFound(err) && !apierrors.IsServiceUnavailable(err) && !apierrors.IsTooManyRequests(err):
			return fmt.Errorf("creating the %s %q: %w", o.GetKind(), o.GetName(), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("creating the %s %q: %w: %w", o.GetKind(), o.GetName(), context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}
