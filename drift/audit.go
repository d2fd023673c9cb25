package drift

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/pager"
)

// auditGrace is how long a watch may lag behind a list before the two disagree.
const auditGrace = 2 * time.Second

// Audit lists every watched kind anew and compares with what the watches said.
// It returns the number of objects on which they disagree for longer than a
// grace of 2 seconds; the list then replaces what the watch had. It costs one
// paged list per kind (two for a kind under suspicion). A kind that cannot be listed
// keeps no other from being audited; the error joins one for each such kind.
func (c *Cluster) Audit(ctx context.Context) (disagreements int, err error) {
	var errs []error
	for k, w := range c.all() {
		n, err := w.audit(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("auditing %s: %w", label(k), c.withGrant(err)))
		}
		disagreements += n
	}
	c.config.Metrics.audited(disagreements, len(errs) == 0)
	return disagreements, errors.Join(errs...)
}

func (w *watched) audit(ctx context.Context) (int, error) {
	list, version, err := w.list(ctx)
	if err != nil {
		return 0, err
	}
	suspects := w.store.suspects(list, version)
	if len(suspects) == 0 {
		return 0, nil
	}
	wait(ctx, auditGrace)
	if list, version, err = w.list(ctx); err != nil {
		return 0, err
	}
	var wrong []types.UID
	for uid, before := range w.store.suspects(list, version) {
		if at, again := suspects[uid]; again && at == before {
			wrong = append(wrong, uid)
		}
	}
	count := len(wrong)
	if count > 0 {
		w.store.unbury(wrong) // seen twice by a list: no report of a deletion holds
		items := make([]any, len(list))
		for i, u := range list {
			items[i] = u
		}
		w.doubt(items)
		if err := w.store.Replace(items, version); err != nil {
			return count, err
		}
		w.testifyAll()
	}
	return count, nil
}

func (w *watched) list(ctx context.Context) (list []*unstructured.Unstructured, version string, err error) {
	resource := w.cluster.config.Dynamic.Resource(w.kind.GVR())
	p := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		page, err := resource.List(ctx, o)
		if err == nil {
			version = page.GetResourceVersion()
		}
		return page, err
	})
	err = p.EachListItem(ctx, metav1.ListOptions{}, func(obj runtime.Object) error {
		u, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("listing %s: unexpected %T", w.kind.Resource, obj)
		}
		if !w.foreign(u) {
			list = append(list, u)
		}
		return nil
	})
	return list, version, err
}

// suspects returns the objects on which a list and the store differ, by uid,
// with the resource version in question. What the store knows to be newer than
// the list is no suspect.
func (s *store) suspects(list []*unstructured.Unstructured, version string) map[types.UID]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[types.UID]string{}
	listed := map[types.UID]bool{}
	for _, u := range list {
		listed[u.GetUID()] = true
		have := s.objects[s.key(u)][u.GetName()]
		if have == nil || have.GetResourceVersion() != u.GetResourceVersion() && newer(u.GetResourceVersion(), have.GetResourceVersion()) {
			out[u.GetUID()] = u.GetResourceVersion()
		}
	}
	for _, objects := range s.objects {
		for _, o := range objects {
			if !listed[o.GetUID()] && !surelyNewer(o.GetResourceVersion(), version) {
				out[o.GetUID()] = o.GetResourceVersion()
			}
		}
	}
	return out
}
