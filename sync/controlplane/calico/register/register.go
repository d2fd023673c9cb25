package register

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/sync/controlplane/server/child"
)

const (
	group, path = "projectcalico.org", "v3"
	namespace   = "calico-apiserver" // as in Calico's manifests/apiserver.yaml
	service     = "calico-api"
	manager     = "calico"
)

// ServerName is the name for which the server's certificate must be valid.
const ServerName = service + "." + namespace + ".svc"

// tiers are those that Calico's API server makes by itself.
var tiers = []string{"adminnetworkpolicy", "baselineadminnetworkpolicy", "default"}

// Registration is that of one server. Its methods must not be called
// concurrently.
type Registration struct {
	port     int64
	caBundle []byte
	dynamic  dynamic.Interface
	discover discovery.DiscoveryInterface
}

// New returns the registration, with the kube-apiserver at c, of the server at
// a port of the loopback interface whose certificate the authority in the PEM
// file ca vouches for. Nothing is written yet.
func New(c *rest.Config, port int, ca string) (*Registration, error) {
	bundle, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate authority: %w", err)
	}
	r := &Registration{port: int64(port), caBundle: bundle}
	if r.dynamic, err = dynamic.NewForConfig(c); err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	if r.discover, err = discovery.NewDiscoveryClientForConfig(c); err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	return r, nil
}

// Put writes the registration once kube-apiserver says by which certificates
// it is to be known, which the server reads as it starts. It returns an error
// when ctx ends.
func (r *Registration) Put(ctx context.Context) error {
	maps := r.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(metav1.NamespaceSystem)
	if err := child.Until(ctx, "kube-apiserver's certificates", func() bool {
		o, err := maps.Get(ctx, "extension-apiserver-authentication", metav1.GetOptions{})
		if err != nil {
			return false
		}
		data, _, _ := unstructured.NestedStringMap(o.Object, "data")
		return data["client-ca-file"] != "" && data["requestheader-client-ca-file"] != ""
	}); err != nil {
		return err
	}
	for _, o := range r.objects() {
		resource := r.dynamic.Resource(o.resource)
		var api dynamic.ResourceInterface = resource
		if ns := o.object.GetNamespace(); ns != "" {
			api = resource.Namespace(ns)
		}
		if _, err := api.Apply(ctx, o.object.GetName(), o.object, metav1.ApplyOptions{FieldManager: manager, Force: true}); err != nil {
			return fmt.Errorf("registering Calico's API server: writing the %s %q: %w", o.object.GetKind(), o.object.GetName(), err)
		}
	}
	return nil
}

// Served returns when a client of kube-apiserver finds the resources of the
// group and Calico's own tiers, or an error when ctx ends.
func (r *Registration) Served(ctx context.Context) error {
	api := r.dynamic.Resource(schema.GroupVersionResource{Group: group, Version: path, Resource: "tiers"})
	if err := child.Until(ctx, "Calico's tiers", func() bool {
		list, err := api.List(ctx, metav1.ListOptions{})
		if err != nil {
			return false
		}
		found := map[string]bool{}
		for _, o := range list.Items {
			found[o.GetName()] = true
		}
		for _, name := range tiers {
			if !found[name] {
				return false
			}
		}
		return true
	}); err != nil {
		return err
	}
	return child.Until(ctx, "the discovery of "+group+"/"+path, func() bool {
		_, lists, err := r.discover.ServerGroupsAndResources()
		if err != nil {
			return false
		}
		for _, list := range lists {
			if list.GroupVersion == group+"/"+path && len(list.APIResources) > 0 {
				return true
			}
		}
		return false
	})
}

type registered struct {
	resource schema.GroupVersionResource
	object   *unstructured.Unstructured
}

// objects are what a registration consists of, in the order in which they are
// written.
func (r *Registration) objects() []registered {
	object := func(apiVersion, kind, ns, name string, spec map[string]any) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind, "spec": spec}}
		o.SetNamespace(ns)
		o.SetName(name)
		return o
	}
	return []registered{
		{corev1.SchemeGroupVersion.WithResource("namespaces"), object("v1", "Namespace", "", namespace, map[string]any{})},
		{corev1.SchemeGroupVersion.WithResource("services"), object("v1", "Service", namespace, service, map[string]any{
			"type": "ExternalName", "externalName": "localhost",
		})},
		{
			schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"},
			object("apiregistration.k8s.io/v1", "APIService", "", path+"."+group, map[string]any{
				"group": group, "version": path, "groupPriorityMinimum": int64(1500), "versionPriority": int64(200),
				"caBundle": base64.StdEncoding.EncodeToString(r.caBundle),
				"service":  map[string]any{"namespace": namespace, "name": service, "port": r.port},
			}),
		},
	}
}
