package reach

import (
	"net/netip"
	"slices"
)

// index is what a World derives from its objects. What it holds is replaced and never changed, so that a world and those
// made of it by With can have most of it in common.
type index struct {
	rooms     layers[string, *room] // by namespace
	cluster   *cluster
	endpoints []*Endpoint // by number; nil where one has gone
	free      []int       // numbers of those, to be given again
	clauses   layers[string, *wideClause]
	askers    roster[asked]
	services  roster[serviceRef]     // policies with rules about a Service
	ports     roster[string]         // policies with egress rules about a named container port
	sets      int                    // network sets, of every room
	implied   map[string][]*Endpoint // by namespace, what cluster-wide clauses imply
}

// cluster is what of the cluster-scoped objects concerns every namespace.
type cluster struct {
	tiers     map[string]*tier
	nodes     map[string][]netip.Addr
	hostNotes []*policy // policies that may judge forwarded traffic on host endpoints
	hostEnds  bool
}

// wideClause is a clause that is not bound to a namespace, and what it selects of the network sets.
type wideClause struct {
	*clause
	match setMatch
}

// asked is a cluster-wide clause as policies use it: in their rules, or to say whom they judge.
type asked struct {
	text    string
	subject bool
}

// copyIndex returns an index that changes independently.
func (x *index) copyIndex() index {
	out := *x
	out.rooms, out.clauses = x.rooms.copy(), x.clauses.copy()
	out.askers, out.services, out.ports = x.askers.copy(), x.services.copy(), x.ports.copy()
	return out
}

// room returns a namespace; an empty one if nothing is in it.
func (w *World) room(name string) *room {
	if r, ok := w.rooms.get(name); ok {
		return r
	}
	return &room{name: name, own: inherited{name: name, known: w.config.WholeWorld}}
}

// build makes the index anew.
func (w *World) build(items map[string]map[objectKey]*item) {
	w.index, w.conn = index{}, nil
	w.cluster = w.newCluster(items[""])
	for name := range w.homes(items) {
		r := w.furnish(name, items[name])
		w.rooms.set(name, r)
		w.sets += len(r.sets)
	}
	for _, r := range w.rooms.all() {
		for _, p := range r.policies {
			w.enlist(p)
		}
	}
	if w.config.Implied {
		w.implied = w.implyWide()
	}
	for name := range w.implied {
		if _, ok := w.rooms.get(name); !ok {
			w.rooms.set(name, w.furnish(name, nil))
		}
	}
	for _, name := range w.roomNames() {
		r := w.room(name)
		w.complete(r)
		for _, e := range r.endpoints {
			r.numbers = append(r.numbers, len(w.endpoints))
			w.endpoints = append(w.endpoints, e)
		}
		w.rooms.set(name, r)
	}
	w.rooms.settle()
	w.clauses.settle()
	w.askers.settle()
	w.services.settle()
	w.ports.settle()
}

// homes are the names of the rooms that something is in from the start.
func (w *World) homes(items map[string]map[objectKey]*item) map[string]bool {
	out := map[string]bool{"": true}
	for name := range items {
		out[name] = true
	}
	for name := range w.workloads {
		out[name] = true
	}
	for name := range w.casts {
		out[name] = true
	}
	for name := range w.unread {
		out[name] = true
	}
	return out
}

func (w *World) newCluster(items map[objectKey]*item) *cluster {
	c := &cluster{tiers: builtinTiers(), nodes: map[string][]netip.Addr{}}
	list := effective(items)
	for _, it := range list {
		switch {
		case it.tier != nil:
			c.tiers[it.key.Name] = it.tier
		case it.node != nil:
			c.nodes[it.node.name] = it.node.addresses
		}
		c.hostEnds = c.hostEnds || it.hostEnd
	}
	for _, it := range list {
		p := it.policy
		if p == nil || (p.staged && !w.config.Pending) {
			continue
		}
		if p.hosts != "" && (c.hostEnds || !w.config.WholeWorld) && p.subject.eval(hostLabels{}) != no {
			c.hostNotes = append(c.hostNotes, p)
		}
	}
	return c
}

// inheritedOf returns the labels of a namespace; only its name is known if the object is not given.
func (w *World) inheritedOf(namespace string) inherited { return w.room(namespace).own }

// roomNames returns the names of all rooms, sorted.
func (w *World) roomNames() []string {
	var out []string
	for name := range w.rooms.all() {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// knows reports whether something is called a namespace of that name.
func (w *World) knows(name string) bool {
	r := w.room(name)
	return r.object || len(r.endpoints) > 0
}
