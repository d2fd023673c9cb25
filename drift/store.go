package drift

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// store is the live state of one kind: what the watch reported, corrected by
// our own writes, which are known before the watch repeats them. It implements
// cache.ReflectorStore.
type store struct {
	kind   kinds.Kind
	notify func(namespace string)
	// spellings: names are one with and without the tier default before them.
	spellings bool

	mu      sync.RWMutex
	objects map[string]map[string]*Observed // by namespace, then name
	// deleted is since when objects are gone, by our hand or another's: an older
	// report, or a list that was taken before, must not bring one back.
	deleted map[types.UID]time.Time
	swept   time.Time // when tombstones were last thrown away
	listed  bool      // a first whole list arrived
	// byName are the labels of the objects of a cluster-scoped kind of which every object is
	// looked at again and again; nil until then, and after a new list.
	byName *Namespaces
	// outlaws are the objects that were written around Calico's API server, by the uid
	// that they have and the one under which they are shown.
	outlaws map[types.UID]*Observed
}

// tombstoneLife is how long a deletion is remembered: longer than any report of
// the object, or list with it, can be under way.
const tombstoneLife = 10 * time.Minute

func newStore(k kinds.Kind, notify func(string)) *store {
	return &store{
		kind: k, notify: notify,
		objects: map[string]map[string]*Observed{}, deleted: map[types.UID]time.Time{}, outlaws: map[types.UID]*Observed{},
	}
}

// Add implements cache.ReflectorStore. Calico's older API reports every update
// as an addition, so both are the same.
func (s *store) Add(obj any) error { return s.Update(obj) }

// Update implements cache.ReflectorStore.
func (s *store) Update(obj any) error {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("watching %s: unexpected %T", s.kind.Resource, obj)
	}
	if s.put(u, time.Now()) {
		s.notify(s.key(u))
	}
	return nil
}

// Delete implements cache.ReflectorStore.
func (s *store) Delete(obj any) error {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("watching %s: unexpected %T", s.kind.Resource, obj)
	}
	if s.remove(u) {
		s.notify(s.key(u))
	}
	return nil
}

// Replace implements cache.ReflectorStore: a whole list, true at version. What
// we wrote after that version stays.
func (s *store) Replace(list []any, version string) error {
	objects := make([]*unstructured.Unstructured, len(list))
	for i, obj := range list {
		u, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("listing %s: unexpected %T", s.kind.Resource, obj)
		}
		objects[i] = u
	}
	for namespace := range s.replace(objects, version, time.Now()) {
		s.notify(namespace)
	}
	return nil
}

// replace returns the namespaces in which something has changed.
func (s *store) replace(list []*unstructured.Unstructured, version string, now time.Time) map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byName = nil
	before, first := s.objects, !s.listed
	s.objects, s.listed = map[string]map[string]*Observed{}, true
	touched := map[string]bool{}
	for _, u := range list {
		namespace := s.key(u)
		old := before[namespace][u.GetName()]
		if _, gone := s.deleted[u.GetUID()]; gone {
			continue
		}
		switch {
		case old == nil && first:
			s.set(s.observe(u, time.Time{}))
			touched[namespace] = true
		case old == nil || newer(u.GetResourceVersion(), old.GetResourceVersion()):
			s.set(s.observe(u, now))
			touched[namespace] = true
		default:
			s.set(old)
		}
	}
	for namespace, objects := range before {
		for name, old := range objects {
			if s.objects[namespace][name] != nil {
				continue
			}
			if surelyNewer(old.GetResourceVersion(), version) {
				s.set(old) // written after the list was taken
				continue
			}
			touched[namespace] = true
		}
	}
	s.sweep(now)
	return touched
}

// Resync implements cache.ReflectorStore; there is nothing to do.
func (s *store) Resync() error { return nil }

// wrote takes in the answer of a write of ours.
func (s *store) wrote(u *unstructured.Unstructured) { s.put(u, time.Now()) }

// erased takes in a deletion of ours.
func (s *store) erased(u *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bury(u.GetUID())
	if old := s.objects[s.key(u)][u.GetName()]; old != nil && old.GetUID() == u.GetUID() {
		s.unset(s.key(u), u.GetName())
	}
}

// put stores u unless something newer is known; it answers whether it did.
func (s *store) put(u *unstructured.Unstructured, seen time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, gone := s.deleted[u.GetUID()]; gone {
		return false
	}
	old := s.objects[s.key(u)][u.GetName()]
	if old != nil && !newer(u.GetResourceVersion(), old.GetResourceVersion()) {
		return false
	}
	s.set(s.observe(u, seen))
	return true
}

func (s *store) remove(u *unstructured.Unstructured) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bury(u.GetUID())
	old := s.objects[s.key(u)][u.GetName()]
	if old == nil || old.GetUID() != u.GetUID() {
		return false
	}
	s.unset(s.key(u), u.GetName())
	return true
}

// bury remembers that the object is gone for good. A uid never comes back; a
// list that was taken before must not bring it back either.
func (s *store) bury(uid types.UID) {
	now := time.Now()
	if now.Sub(s.swept) > tombstoneLife {
		s.sweep(now)
	}
	s.deleted[uid] = now
}

// unbury forgets deletions that were reported wrongly.
func (s *store) unbury(uids []types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, uid := range uids {
		delete(s.deleted, uid)
	}
}

func (s *store) sweep(now time.Time) {
	s.swept = now
	maps.DeleteFunc(s.outlaws, func(_ types.UID, o *Observed) bool {
		at, buried := s.deleted[o.GetUID()]
		return s.objects[o.ID.Namespace][o.ID.Name] != o && (!buried || now.Sub(at) > tombstoneLife)
	})
	maps.DeleteFunc(s.deleted, func(_ types.UID, at time.Time) bool { return now.Sub(at) > tombstoneLife })
}

func (s *store) observe(u *unstructured.Unstructured, seen time.Time) *Observed {
	o := observe(s.kind, u, seen)
	if s.spellings {
		o.alias = OtherSpelling(o.ID)
	}
	return o
}

func (s *store) set(o *Observed) {
	s.rename(o.ID.Name, o)
	namespace := s.key(o.Unstructured)
	if s.objects[namespace] == nil {
		s.objects[namespace] = map[string]*Observed{}
	}
	s.objects[namespace][o.ID.Name] = o
	if o.stored != nil {
		s.enter(o)
	}
}

func (s *store) unset(namespace, name string) {
	s.rename(name, nil)
	delete(s.objects[namespace], name)
	if len(s.objects[namespace]) == 0 {
		delete(s.objects, namespace)
	}
}

// key returns the name under which a change is notified and stored: the
// object's namespace; for a Namespace its own name, since it is its tenant's.
func (s *store) key(u *unstructured.Unstructured) string {
	switch {
	case s.kind == kinds.Namespace:
		return u.GetName()
	case s.kind.Namespaced:
		return u.GetNamespace()
	}
	return ""
}

func (s *store) in(namespace string) []*Observed {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*Observed, 0, len(s.objects[namespace]))
	for _, o := range s.objects[namespace] {
		out = append(out, o)
	}
	return out
}

// everything returns all objects, in no order.
func (s *store) everything() (out []*Observed) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, objects := range s.objects {
		for _, o := range objects {
			out = append(out, o)
		}
	}
	return out
}

// labelled returns the labels of every object; computed once for as long as nothing changes.
func (s *store) labelled() *Namespaces {
	s.mu.RLock()
	known := s.byName
	s.mu.RUnlock()
	if known != nil {
		return known
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]map[string]string{}
	for _, objects := range s.objects {
		for name, o := range objects {
			all[name] = o.GetLabels()
		}
	}
	s.byName = NewNamespaces(all)
	return s.byName
}

// rename keeps byName right when an object comes, changes or, if it is nil, goes. Who holds the
// namespaces goes on reading the old ones. To list and sort them anew for each of many that come one
// after the other would cost far more.
func (s *store) rename(name string, o *Observed) {
	switch {
	case s.byName == nil:
	case o == nil:
		s.byName = s.byName.Without(name)
	default:
		if before, known := s.byName.Labels(name); !known || !maps.Equal(before, o.GetLabels()) {
			s.byName = s.byName.With(name, o.GetLabels())
		}
	}
}

func (s *store) namespaces() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]string, 0, len(s.objects))
	for namespace := range s.objects {
		out = append(out, namespace)
	}
	return out
}

func (s *store) get(namespace, name string) *Observed {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects[namespace][name]
}
