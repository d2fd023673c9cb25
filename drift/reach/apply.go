package reach

import "slices"

// Change is one object that came, changed or went.
type Change struct {
	Object  Object // for a removal apiVersion, kind, namespace and name (and a Calico policy's tier) are enough
	Removed bool
}

// Apply changes the world. Afterwards it is as if made anew from the objects as they are now, whatever the order of
// changes was. A change of policies costs the rows of the endpoints that the policies judge, before or after; any other
// change (labels of a namespace, a workload, a network set, a tier) computes all rows anew when they are next asked for.
func (w *World) Apply(changes ...Change) {
	var old, added []*policy
	structural := w.config.Implied // policies then make workloads
	for _, change := range changes {
		it := w.reader.read(change.Object)
		if it == nil {
			continue
		}
		key := objectKey{it.key, it.crd}
		before := w.items[key]
		if change.Removed {
			delete(w.items, key)
			it = nil
		} else {
			w.items[key] = it
		}
		w.forgetDoubles(key.Ref)
		if w.items[objectKey{key.Ref, !key.crd}] != nil || !local(before) || !local(it) {
			structural = true
			continue
		}
		if before != nil {
			old = append(old, before.policy)
		}
		if it != nil {
			added = append(added, it.policy)
		}
	}
	if structural {
		w.build()
		w.conn = nil
		return
	}
	w.replacePolicies(old, added)
}

// forgetDoubles drops what New said about an object that was given twice: the newest one counts now.
func (w *World) forgetDoubles(key Ref) {
	w.doubles = slices.DeleteFunc(w.doubles, func(p *Problem) bool { return p.Object == key })
}

// local reports whether an item is nothing, or a policy that concerns nothing but the endpoints that it selects.
func local(it *item) bool {
	return it == nil || (it.policy != nil && it.policy.hosts == "")
}

func (w *World) replacePolicies(old, added []*policy) {
	affected := map[int]bool{}
	for _, p := range old {
		list := w.policies[p.ref.Namespace]
		w.policies[p.ref.Namespace] = slices.DeleteFunc(slices.Clone(list), func(q *policy) bool { return q == p })
		w.subjects(p, affected)
	}
	for _, p := range added {
		w.addPolicy(p)
		w.subjects(p, affected)
	}
	if w.conn == nil {
		return
	}
	for i := range affected {
		w.conn.set(i)
	}
}

// subjects notes the endpoints that a policy judges or may judge.
func (w *World) subjects(p *policy, into map[int]bool) {
	if p.ref.Namespace != "" {
		for _, i := range w.byNamespace[p.ref.Namespace] {
			if p.subject.eval(w.endpoints[i].view) != no {
				into[i] = true
			}
		}
		return
	}
	for i, e := range w.endpoints {
		if p.subject.eval(e.view) != no {
			into[i] = true
		}
	}
}
