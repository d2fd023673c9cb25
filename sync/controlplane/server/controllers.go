package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/clusterroleaggregation"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace/deletion"
	serviceaccounts "k8s.io/kubernetes/pkg/controller/serviceaccount"
	"k8s.io/kubernetes/pkg/serviceaccount"

	"github.com/ringfence/ringfence/sync/controlplane/server/child/pki"
)

const (
	controllerWorkers = 5
	discoveryPeriod   = 30 * time.Second // how often the garbage collector looks for new kinds, as in kube-controller-manager
	noResync          = 0
)

// controllers are the parts of kube-controller-manager without which the API
// does not behave like a cluster's.
type controllers struct {
	client    kubernetes.Interface
	typed     informers.SharedInformerFactory
	untyped   metadatainformer.SharedInformerFactory
	started   chan struct{} // closed when the informers are
	graph     *garbagecollector.GraphBuilder
	collector *garbagecollector.GarbageCollector
	roles     *clusterroleaggregation.ClusterRoleAggregationController
	accounts  *serviceaccounts.ServiceAccountsController
	tokens    *serviceaccounts.TokensController
	deleter   *namespaceDeleter
}

// newControllers builds the controllers for the API server at c.
func newControllers(ctx context.Context, c *rest.Config, f pki.Files) (*controllers, error) {
	client, err := kubernetes.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("creating the controllers' client: %w", err)
	}
	meta, err := metadata.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("creating the controllers' client: %w", err)
	}
	k := &controllers{
		client:  client,
		typed:   informers.NewSharedInformerFactory(client, noResync),
		untyped: metadatainformer.NewSharedInformerFactory(meta, noResync),
		started: make(chan struct{}),
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	k.graph = garbagecollector.NewDependencyGraphBuilder(ctx, meta, mapper, garbagecollector.DefaultIgnoredResources(),
		informerfactory.NewInformerFactory(k.typed, k.untyped), k.started)
	if k.collector, err = garbagecollector.NewComposedGarbageCollector(ctx, client, meta, mapper, k.graph); err != nil {
		return nil, fmt.Errorf("creating the garbage collector: %w", err)
	}
	k.roles = clusterroleaggregation.NewClusterRoleAggregation(k.typed.Rbac().V1().ClusterRoles(), client.RbacV1())
	k.accounts, err = serviceaccounts.NewServiceAccountsController(klog.FromContext(ctx),
		k.typed.Core().V1().ServiceAccounts(), k.typed.Core().V1().Namespaces(), client,
		serviceaccounts.DefaultServiceAccountsControllerOptions())
	if err != nil {
		return nil, fmt.Errorf("creating the service account controller: %w", err)
	}
	if k.tokens, err = newTokens(ctx, k.typed, client, f); err != nil {
		return nil, err
	}
	k.deleter = newNamespaceDeleter(k.typed.Core().V1().Namespaces(), deletion.NewNamespacedResourcesDeleter(ctx,
		client.CoreV1().Namespaces(), meta, client.CoreV1(), client.Discovery().ServerPreferredNamespacedResources, corev1.FinalizerKubernetes))
	return k, nil
}

// newTokens builds the controller that fills Secrets of the type
// kubernetes.io/service-account-token.
func newTokens(ctx context.Context, typed informers.SharedInformerFactory, client kubernetes.Interface, f pki.Files) (*serviceaccounts.TokensController, error) {
	key, err := keyutil.PrivateKeyFromFile(f.ServiceAccountKey)
	if err != nil {
		return nil, fmt.Errorf("reading the service accounts' key: %w", err)
	}
	ca, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate authority: %w", err)
	}
	generator, err := serviceaccount.JWTTokenGenerator(serviceaccount.LegacyIssuer, key)
	if err != nil {
		return nil, fmt.Errorf("creating the token controller: %w", err)
	}
	tokens, err := serviceaccounts.NewTokensController(klog.FromContext(ctx),
		typed.Core().V1().ServiceAccounts(), typed.Core().V1().Secrets(), client,
		serviceaccounts.TokensControllerOptions{TokenGenerator: generator, RootCA: ca})
	if err != nil {
		return nil, fmt.Errorf("creating the token controller: %w", err)
	}
	return tokens, nil
}

// run starts everything. It all ends with ctx.
func (k *controllers) run(ctx context.Context) {
	go k.collector.Run(ctx, 4*controllerWorkers, discoveryPeriod)
	go k.collector.Sync(ctx, k.client.Discovery(), discoveryPeriod)
	go k.roles.Run(ctx, controllerWorkers)
	go k.accounts.Run(ctx, 1)
	go k.tokens.Run(ctx, controllerWorkers)
	go k.deleter.run(ctx, 2*controllerWorkers)
	k.typed.Start(ctx.Done())
	k.untyped.Start(ctx.Done())
	close(k.started)
}
