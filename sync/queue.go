package sync

import (
	"context"
	stdsync "sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// queueMost is how many writes are on their way to Calico's own API server at once. It
// allows itself 50 requests a second for each kind, and needs about three for a write:
// more of them at once only wait there, where nobody sees it and time runs out.
const queueMost = 4

// queue is where writes to an API server that is slow by its own choice wait for their
// turn, first come, first served. It is as long as there are workers, and needs no bound
// of its own: each of them makes one write at a time. It is safe for concurrent use; a
// nil one lets everybody pass.
type queue struct {
	places chan struct{}
	length atomic.Int64     // writes that wait, or are on their way
	gauge  prometheus.Gauge // the same

	mu    stdsync.Mutex // guards what follows
	until time.Time     // the API server asked not to be asked before
}

func newQueue(gauge prometheus.Gauge) *queue {
	return &queue{places: make(chan struct{}, queueMost), gauge: gauge}
}

// len returns how many writes wait or are on their way.
func (q *queue) len() int { return int(q.length.Load()) }

// count notes that there are so many more or less.
func (q *queue) count(n int) {
	q.length.Add(int64(n))
	q.gauge.Add(float64(n))
}

// pass makes a write when it is its turn, and keeps everybody waiting for as long as
// the API server asks for in its answer.
func (q *queue) pass(ctx context.Context, write func() error) error {
	if q == nil {
		return write()
	}
	q.count(1)
	defer q.count(-1)
	select {
	case q.places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-q.places }()
	for wait := q.wait(); wait > 0; wait = q.wait() {
		if !pause(ctx, wait) {
			return ctx.Err()
		}
	}
	err := write()
	if seconds, asked := apierrors.SuggestsClientDelay(err); asked {
		q.mu.Lock()
		q.until = time.Now().Add(time.Duration(seconds) * time.Second)
		q.mu.Unlock()
	}
	return err
}

// wait returns how long nobody may write; not above 0 if everybody may.
func (q *queue) wait() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Until(q.until)
}

// paced returns the resources of a kind with writes that pass the queue, if that
// stands before who serves it.
func (w *writer) paced(k kinds.Kind, r dynamic.ResourceInterface) dynamic.ResourceInterface {
	if w.queue == nil || k.Group != kinds.GroupCalico || w.flavour() != drift.FlavourAggregated {
		return r
	}
	return pacedResource{r, w.queue}
}

// pacedResource are resources with the writes that Ringfence makes.
type pacedResource struct {
	dynamic.ResourceInterface
	queue *queue
}

// Patch implements dynamic.ResourceInterface.
func (r pacedResource) Patch(ctx context.Context, name string, pt types.PatchType, data []byte, options metav1.PatchOptions, subresources ...string) (u *unstructured.Unstructured, err error) {
	err = r.queue.pass(ctx, func() error {
		u, err = r.ResourceInterface.Patch(ctx, name, pt, data, options, subresources...)
		return err
	})
	return u, err
}

// Update implements dynamic.ResourceInterface.
func (r pacedResource) Update(ctx context.Context, o *unstructured.Unstructured, options metav1.UpdateOptions, subresources ...string) (u *unstructured.Unstructured, err error) {
	err = r.queue.pass(ctx, func() error {
		u, err = r.ResourceInterface.Update(ctx, o, options, subresources...)
		return err
	})
	return u, err
}

// Delete implements dynamic.ResourceInterface.
func (r pacedResource) Delete(ctx context.Context, name string, options metav1.DeleteOptions, subresources ...string) error {
	return r.queue.pass(ctx, func() error { return r.ResourceInterface.Delete(ctx, name, options, subresources...) })
}
