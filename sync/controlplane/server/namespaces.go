package main

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/namespace/deletion"
)

const (
	// settle is the time in which a create that was admitted before the
	// namespace began to end reaches storage. Kubernetes' own controller
	// waits five seconds, for other API servers; there are none.
	settle = 100 * time.Millisecond
	// remaining is the pause before another look at content that takes its
	// time to go: finalizers, pods with a grace period.
	remaining = 250 * time.Millisecond
)

// namespaceDeleter empties and releases namespaces that are being deleted. The
// deletion itself is Kubernetes' own; only the waits are ours.
type namespaceDeleter struct {
	deleter deletion.NamespacedResourcesDeleterInterface
	synced  cache.InformerSynced
	queue   workqueue.TypedRateLimitingInterface[string]
}

func newNamespaceDeleter(namespaces coreinformers.NamespaceInformer, deleter deletion.NamespacedResourcesDeleterInterface) *namespaceDeleter {
	d := &namespaceDeleter{
		deleter: deleter,
		synced:  namespaces.Informer().HasSynced,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](10*time.Millisecond, 5*time.Second)),
	}
	enqueue := func(o any) {
		if ns, ok := o.(*corev1.Namespace); ok && ns.DeletionTimestamp != nil {
			d.queue.AddAfter(ns.Name, settle)
		}
	}
	// The informer is not started yet: adding a handler cannot fail.
	_, _ = namespaces.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, o any) { enqueue(o) },
	})
	return d
}

// run deletes with the given number of workers until ctx ends.
func (d *namespaceDeleter) run(ctx context.Context, workers int) {
	if !cache.WaitForCacheSync(ctx.Done(), d.synced) {
		return
	}
	for range workers {
		go func() {
			for d.next(ctx) {
			}
		}()
	}
	<-ctx.Done()
	d.queue.ShutDown()
}

// next deletes one namespace and reports whether there will be more.
func (d *namespaceDeleter) next(ctx context.Context) bool {
	name, quit := d.queue.Get()
	if quit {
		return false
	}
	defer d.queue.Done(name)
	err := d.deleter.Delete(ctx, name)
	var left *deletion.ResourcesRemainingError
	switch {
	case err == nil:
		d.queue.Forget(name)
	case errors.As(err, &left):
		d.queue.Forget(name)
		d.queue.AddAfter(name, remaining)
	default:
		klog.FromContext(ctx).Error(err, "deleting a namespace", "namespace", name)
		d.queue.AddRateLimited(name)
	}
	return true
}
