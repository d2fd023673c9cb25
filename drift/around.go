package drift

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// What was written around Calico's own API server, where that is what serves the kinds:
// Felix enforces what lies in crd.projectcalico.org, whoever wrote it there. Most of it
// is shown by that server like all else. Two sorts are not, or under names of others, and
// are seen here: outlaws (see [form]), and ghosts, which are not shown at all: policies of
// a tier that does not exist.

// ghostGrace is how long something must not be shown before it is a ghost: one watch
// tells of what is kept, and another of what is shown.
const ghostGrace = time.Second

// ghost is something that is kept and not shown.
type ghost struct {
	namespace string
	since     time.Time
	asked     bool // the kind was listed anew for its sake, while it had a tier
	sure      bool // it is not shown, for longer than ghostGrace
}

// evidence returns the store of what Calico keeps of a kind; nil where nobody looks.
func (c *Cluster) evidence(k kinds.Kind) *store {
	if kept, ok := kinds.Stored(k); ok {
		if w := c.of(kept); w != nil {
			return w.store
		}
	}
	return nil
}

// shows reports whether an object, as Calico's API server shows it, is one of the
// outlaws. It may be asked of a nil store, which has none.
func (s *store) shows(u *unstructured.Unstructured) bool {
	if s == nil {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.outlaws[u.GetUID()] != nil
}

// enter notes whether an object that Calico keeps is an outlaw, under both its uids. The
// caller holds mu. One that is gone stays noted for as long as a report of it may come.
func (s *store) enter(o *Observed) {
	for _, uid := range []types.UID{o.GetUID(), shownUID(o.GetUID())} {
		if o.stored.outlaw {
			s.outlaws[uid] = o
		} else {
			delete(s.outlaws, uid)
		}
	}
}

// evict forgets what is shown of outlaws: it may stand where another object was.
func (s *store) evict(evidence *store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for namespace, objects := range s.objects {
		for name, o := range objects {
			if evidence.shows(o.Unstructured) {
				s.unset(namespace, name)
			}
		}
	}
}

// foreign reports whether what the kind's server shows is an outlaw.
func (w *watched) foreign(obj any) bool {
	u, ok := obj.(*unstructured.Unstructured)
	return ok && w.cluster.evidence(w.kind).shows(u)
}

// genuine returns what of a list is no outlaw.
func (w *watched) genuine(list []any) []any {
	evidence := w.cluster.evidence(w.kind)
	if evidence == nil {
		return list
	}
	w.store.evict(evidence)
	out := make([]any, 0, len(list))
	for _, obj := range list {
		if !w.foreign(obj) {
			out = append(out, obj)
		}
	}
	return out
}

// take takes in an event. Nobody is told of what Calico keeps but of outlaws and
// ghosts, and of what was written around its API server, which tells of all else as well.
func (w *watched) take(obj any, into func(any) error) error {
	if w.kind.Group != kinds.GroupStored {
		if w.foreign(obj) {
			return nil
		}
		return into(obj)
	}
	u, ok := obj.(*unstructured.Unstructured)
	before := ok && w.suspects(w.store.get(w.store.key(u), u.GetName()))
	if err := into(obj); err != nil {
		return err
	}
	o := w.store.get(w.store.key(u), u.GetName())
	w.testify(o)
	if before || w.suspects(o) || o != nil && o.outsiders() {
		w.cluster.config.Changed(w.store.key(u))
	}
	return nil
}

// shown returns the kind as which Calico's API server shows what it keeps as this one.
func (w *watched) shown() *watched {
	k, _ := kinds.Find(schema.GroupKind{Group: kinds.GroupCalico, Kind: w.kind.Kind})
	return w.cluster.of(k)
}

// testify looks what an object that Calico keeps says of what its API server shows. An
// outlaw that was shown before anybody could know it may have taken another's place in
// the store: the kind is then listed anew.
func (w *watched) testify(o *Observed) {
	if o == nil {
		return
	}
	if o.stored.tier != "" && w.cluster.Get(ID{Kind: kinds.Tier, Name: o.stored.tier}) == nil {
		w.cluster.retier()
	}
	if !o.stored.outlaw {
		return
	}
	if shown := w.shown(); shown != nil {
		if held := shown.store.get(w.store.key(o.Unstructured), o.stored.shown); held != nil && shown.foreign(held.Unstructured) {
			shown.again()
		}
	}
}

// testifyAll does so for a whole list, and tells of all outlaws that it has.
func (w *watched) testifyAll() {
	if w.kind.Group != kinds.GroupStored {
		return
	}
	for _, o := range w.store.everything() {
		w.testify(o)
		if o.stored.outlaw {
			w.cluster.config.Changed(w.store.key(o.Unstructured))
		}
	}
}

// suspects says whether an object that Calico keeps was written around its API server.
func (w *watched) suspects(o *Observed) bool {
	if o == nil {
		return false
	}
	ghosts := w.ghosts.Load()
	return o.stored.outlaw || ghosts != nil && (*ghosts)[o.GetUID()].sure
}

// around returns what of a namespace was written around Calico's API server.
func (w *watched) around(namespace string) (out []*Observed) {
	for _, o := range w.store.in(namespace) {
		if w.suspects(o) {
			out = append(out, o)
		}
	}
	return out
}

// findGhosts looks for ghosts. It answers false if it has to look again soon.
func (c *Cluster) findGhosts(now time.Time) (sure bool) {
	tiers := c.of(kinds.Tier)
	if tiers == nil || tiers.blind() != "" {
		return true // as it was
	}
	sure = true
	for k, w := range c.all() {
		if k.Group == kinds.GroupStored {
			sure = w.haunt(w.shown(), tiers.store, now) && sure
		}
	}
	return sure
}

// haunt notes which objects are ghosts, and tells of those that now are, and are no more.
// What has a tier is shown by a list, but no watch tells of it when the tier comes: the
// kind is listed anew before the object is taken for a ghost, or for none any more.
func (w *watched) haunt(shown *watched, tiers *store, now time.Time) (sure bool) {
	if shown == nil || shown.blind() != "" {
		return true // as it was
	}
	var before map[types.UID]ghost
	if p := w.ghosts.Load(); p != nil {
		before = *p
	}
	found, changed, list := map[types.UID]ghost{}, map[string]bool{}, false
	sure = true
	for _, o := range w.store.everything() {
		namespace := w.store.key(o.Unstructured)
		if o.stored.outlaw || shown.store.get(namespace, o.stored.shown) != nil {
			continue
		}
		g, was := before[o.GetUID()]
		if !was {
			g = ghost{namespace: namespace, since: now}
		}
		homeless := o.stored.tier != "" && tiers.get("", o.stored.tier) == nil
		switch late := now.Sub(g.since) >= ghostGrace; {
		case homeless:
			g.asked = false
			g.sure = g.sure || late
		case late && !g.asked:
			g.asked, list = true, true
		default:
			g.sure = g.sure || late
		}
		if g.sure && !before[o.GetUID()].sure {
			changed[namespace] = true
		}
		found[o.GetUID()], sure = g, sure && g.sure
	}
	for uid, g := range before {
		if _, still := found[uid]; g.sure && !still {
			changed[g.namespace] = true
		}
	}
	w.ghosts.Store(&found)
	for namespace := range changed {
		w.cluster.config.Changed(namespace)
	}
	if list {
		shown.again()
	}
	return sure
}
