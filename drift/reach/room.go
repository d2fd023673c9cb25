package reach

import (
	"cmp"
	"slices"
)

// room is one namespace with all that is in it, or, named "", what is cluster-scoped and the pods of namespaces that
// nothing names. A change makes a new room: this one stays as it is.
type room struct {
	name      string
	items     map[objectKey]*item
	own       inherited // the namespace's labels
	object    bool      // there is a Namespace object
	accounts  map[string]inherited
	given     []*Endpoint // workloads that something names, and the pod that stands for any other
	endpoints []*Endpoint // those and the implied ones, sorted by name and kind
	numbers   []int       // of the endpoints, in the same order
	policies  []*policy
	sets      []*netset
	matches   map[string]setMatch // of the room's own clauses, by text
	services  map[string]*service
	slices    map[string][]*slice
}

// home is the room of an object: a Namespace is in its own.
func (it *item) home() string {
	if it.key.Group == "" && it.key.Kind == "Namespace" {
		return it.key.Name
	}
	return it.key.Namespace
}

// effective returns the items of a room that count, sorted by key: the stored form only where the API's form is not given.
func effective(items map[objectKey]*item) []*item {
	out := make([]*item, 0, len(items))
	for key, it := range items {
		if key.crd && items[objectKey{key.Ref, false}] != nil {
			continue
		}
		out = append(out, it)
	}
	slices.SortFunc(out, func(a, b *item) int { return compareRefs(a.key, b.key) })
	return out
}

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Group, b.Group))
}

// furnish makes a room of its items: all but the implied workloads.
func (w *World) furnish(name string, items map[objectKey]*item) *room {
	r := &room{
		name: name, items: items, own: inherited{name: name, known: w.config.WholeWorld},
		accounts: map[string]inherited{}, services: map[string]*service{}, slices: map[string][]*slice{},
	}
	var found []*Endpoint
	var sets []*item
	for _, it := range effective(items) {
		switch {
		case it.namespace != nil:
			r.own, r.object = *it.namespace, true
		case it.account != nil:
			r.accounts[it.key.Name] = *it.account
		case it.service != nil:
			r.services[it.key.Name] = it.service
		case it.slice != nil:
			r.slices[it.slice.service] = append(r.slices[it.slice.service], it.slice)
		case it.endpoint != nil:
			found = append(found, it.endpoint)
		case it.set != nil:
			sets = append(sets, it)
		case it.policy != nil && !it.policy.notPods && (!it.policy.staged || w.config.Pending):
			r.policies = append(r.policies, it.policy)
		}
	}
	r.policies = append(r.policies, w.unread[name]...)
	for _, it := range sets {
		r.sets = append(r.sets, newSet(it, r.own))
	}
	r.matches = r.matchSets()
	w.settleIn(r, found)
	return r
}

// settleIn gives a room its workloads.
func (w *World) settleIn(r *room, found []*Endpoint) {
	for _, e := range withoutTemplates(append(found, w.workloads[r.name]...)) {
		e.view, e.at = w.viewIn(r, e), w.whereabouts(e)
		r.given = append(r.given, e)
	}
	named := r.named()
	for _, e := range w.casts[r.name] {
		r.take(w.cast(r, e, named))
	}
	if w.config.Implied && (named || r.name == "") {
		r.take(w.cast(r, w.anyOther(r), named))
	}
}

// named reports whether anything but a selector names the namespace.
func (r *room) named() bool {
	return r.object || slices.ContainsFunc(r.given, func(e *Endpoint) bool { return !e.Implied })
}

// take adds an implied workload unless there is one with the same labels.
func (r *room) take(e *Endpoint) {
	if !hasLike(r.given, e) {
		r.given = append(r.given, e)
	}
}

// viewIn returns the labels of an endpoint of a room, as selectors see them.
func (w *World) viewIn(r *room, e *Endpoint) labelSource {
	account, ok := r.accounts[e.account]
	if !ok {
		account = inherited{name: e.account, known: w.config.WholeWorld}
	}
	return &podLabels{e, r.own, account}
}

func (w *World) viewOf(e *Endpoint) labelSource { return w.viewIn(w.room(e.Namespace), e) }

// withoutTemplates returns fresh copies of the endpoints of a namespace, without the controllers of which a pod or a smaller
// controller is given, and with the kind in the name where two workloads share one.
func withoutTemplates(found []*Endpoint) []*Endpoint {
	owned := map[string]bool{}
	names := map[string]int{}
	for _, e := range found {
		if e.owner != "" {
			owned[e.owner] = true
		}
	}
	var out []*Endpoint
	for _, e := range found {
		if !owned[e.Ref.Kind+"/"+e.Ref.Name] {
			names[e.Name]++
			fresh := *e
			out = append(out, &fresh)
		}
	}
	for _, e := range out {
		if names[e.Name] < 2 {
			continue
		}
		e.Name = e.Ref.Kind + "/" + e.Name
		if names[e.Name]++; names[e.Name] > 1 {
			e.Name += "#" + itoa(names[e.Name])
		}
	}
	return out
}

func compareEndpoints(a, b *Endpoint) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref.Kind, b.Ref.Kind))
}
