package reach

import (
	"maps"
	"reflect"
	"slices"
)

// Change is one object that came, changed or went.
type Change struct {
	Object  Object // for a removal apiVersion, kind, namespace and name (and a Calico policy's tier) are enough
	Removed bool
}

// Apply changes the world. Afterwards it is as if made anew from the objects as they are now, whatever the order of
// changes was. A change costs what it touches: the namespace that the object is in is indexed anew, and of the
// connectivity, once it was asked for, only those rows are computed again that the object may decide about (see the
// package's documentation). An object that says the same as before costs nothing.
func (w *World) Apply(changes ...Change) {
	b := &batch{w: w, dirty: map[string]map[objectKey]*item{}, wide: map[string]bool{}, asked: map[string]int{}}
	for _, change := range changes {
		b.note(change)
	}
	switch {
	case len(b.dirty) == 0:
	case b.large():
		w.build(b.all())
	default:
		b.settle()
	}
}

// With returns the world as it is after changes. The world itself is not touched: the two share what they have in common, so
// that this costs what Apply costs and little more.
func (w *World) With(changes ...Change) *World {
	next := *w
	next.index, next.doubles = w.copyIndex(), slices.Clone(w.doubles)
	next.Apply(changes...)
	return &next
}

// Effect returns what changes would do: the difference between the world's connectivity and that of the world after them.
// The world is not touched. It costs what the changes touch, if the world's connectivity is known already.
func (w *World) Effect(changes ...Change) Difference {
	before := w.Connectivity()
	return Diff(before, w.With(changes...).Connectivity())
}

// batch is a number of changes that take effect together.
type batch struct {
	w      *World
	dirty  map[string]map[objectKey]*item // items of the rooms that change
	rooms  []roomChange
	moved  []move
	before *cluster
	wide   map[string]bool // texts of cluster-wide clauses that select other addresses now
	asked  map[string]int  // texts of cluster-wide clauses that came (1) or went (-1)
}

// roomChange is one room as it was and as it is.
type roomChange struct{ was, is *room }

// move is an endpoint that came (was is nil), went (is is nil) or changed.
type move struct {
	number  int
	was, is *Endpoint
}

// note takes one change into account.
func (b *batch) note(change Change) {
	it, used := b.w.reader.read(change.Object)
	key, home := objectKey{it.key, it.crd}, it.home()
	b.w.forgetDoubles(key.Ref)
	items, copied := b.dirty[home]
	if !copied {
		items = b.w.room(home).items
	}
	gone := change.Removed || !used
	if old := items[key]; (old == nil && gone) || (!gone && old != nil && reflect.DeepEqual(old, it)) {
		return
	}
	if !copied {
		items = maps.Clone(items)
		if items == nil {
			items = map[objectKey]*item{}
		}
		b.dirty[home] = items
	}
	if gone {
		delete(items, key)
	} else {
		items[key] = it
	}
}

// forgetDoubles drops what New said about an object that was given twice: the newest one counts now.
func (w *World) forgetDoubles(key Ref) {
	w.doubles = slices.DeleteFunc(w.doubles, func(p *Problem) bool { return p.Object == key })
}

// maxRooms is how many namespaces may change at once, beside a quarter of them, before it pays to index all anew.
const maxRooms = 8

func (b *batch) large() bool {
	return len(b.dirty) > maxRooms+b.w.rooms.size()/4
}

// all returns the items of every room.
func (b *batch) all() map[string]map[objectKey]*item {
	out := map[string]map[objectKey]*item{}
	for name, r := range b.w.rooms.all() {
		out[name] = r.items
	}
	maps.Copy(out, b.dirty)
	return out
}
