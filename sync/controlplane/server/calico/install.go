package calico

import (
	"context"
	"errors"
	"fmt"
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

// Install makes the API server at c serve Calico's resources and returns when
// it serves all of them and the tiers exist. What exists already is updated.
func Install(ctx context.Context, c *rest.Config) error {
	crds, err := CRDs()
	if err != nil {
		return err
	}
	cs, err := clientset.NewForConfig(c)
	if err != nil {
		return fmt.Errorf("installing Calico's resources: %w", err)
	}
	d, err := dynamic.NewForConfig(c)
	if err != nil {
		return fmt.Errorf("installing Calico's resources: %w", err)
	}
	registrations := schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
	if err := create(ctx, d, registrations, registration()); err != nil {
		return err
	}
	work, inner := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	for _, crd := range crds {
		work.Go(func() error { return put(inner, cs, crd) })
	}
	if err := work.Wait(); err != nil {
		return err
	}
	if err := served(ctx, cs, crds); err != nil {
		return err
	}
	for _, t := range tiers {
		resource := schema.GroupVersionResource{Group: publicGroup, Version: publicPath, Resource: "tiers"}
		if err := create(ctx, d, resource, t.object()); err != nil {
			return err
		}
	}
	return nil
}

// put creates crd, or gives the one that exists the same spec.
func put(ctx context.Context, cs clientset.Interface, crd *apiextensions.CustomResourceDefinition) error {
	api := cs.ApiextensionsV1().CustomResourceDefinitions()
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
func served(ctx context.Context, cs clientset.Interface, crds []*apiextensions.CustomResourceDefinition) error {
	for {
		missing, err := notServed(cs.Discovery(), crds)
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
		_, err := d.Resource(resource).Create(ctx, o, metav1.CreateOptions{FieldManager: "calico"})
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
