package sync

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/ringfence/ringfence/drift/reach"
)

// barrier stands between the closings and the openings of a revision: no unit that it touches (a tenant, or the cluster
// overlay) opens anything before all of them have closed what they can. It then tells each of them what others still let
// through, since a closing of theirs is held back or failed: an opening that meets it waits.
//
// If we crash while some units have made their openings and others have not, the next start begins with closings again:
// they are compared first, and what is closed already is not written.
type barrier struct {
	touched map[string]bool // immutable
	open    atomic.Bool
	beyond  atomic.Pointer[map[string][]reach.Connection] // by unit
}

// alone says whether nothing else changes while a unit does.
func (b *barrier) alone(unit string) bool {
	return b == nil || !b.touched[unit] || len(b.touched) == 1
}

// touches says whether the revision touches a unit.
func (b *barrier) touches(unit string) bool { return b != nil && b.touched[unit] }

// lets returns what other units still let through that their targets do not.
func (b *barrier) lets() map[string][]reach.Connection {
	if b == nil {
		return nil
	}
	if m := b.beyond.Load(); m != nil {
		return *m
	}
	return nil
}

// waiting says what the openings of a unit wait for; "" if they do not.
func (out *outcome) waiting() string {
	switch {
	case len(out.heldBy) > 0:
		names := make([]string, len(out.heldBy))
		for i, unit := range out.heldBy {
			if names[i] = unit; unit == clusterTenant {
				names[i] = "the cluster overlay"
			}
		}
		slices.Sort(names)
		return "openings that " + strings.Join(names, ", ") + " would meet half-way wait until the closings there are made (hint: see what holds them back)"
	case out.waits:
		return "its openings wait until every tenant that the revision touches has made its closings"
	}
	return ""
}

// phases is what the owner of the state knows of a revision's two phases.
type phases struct {
	closing map[string]bool               // units that have not made their closings
	waiting map[string]bool               // units whose openings wait
	beyond  map[string][]reach.Connection // what units still let through
}

func newPhases() phases {
	return phases{closing: map[string]bool{}, waiting: map[string]bool{}, beyond: map[string][]reach.Connection{}}
}

// raise puts a barrier before the openings of a world, if it touches anyone.
func (o *owner) raise(next *world, touched map[string]bool) {
	if next.barrier = o.previous.barrier; len(touched) == 0 {
		return
	}
	next.barrier = &barrier{touched: maps.Clone(touched)}
	o.closing, o.waiting = maps.Clone(touched), map[string]bool{}
	maps.DeleteFunc(o.beyond, func(unit string, _ []reach.Connection) bool { return touched[unit] || next.targets[unit] == nil })
}

// came takes in how far a unit has come.
func (o *owner) came(out outcome) {
	delete(o.closing, out.name)
	if delete(o.waiting, out.name); out.waits || len(out.heldBy) > 0 {
		o.waiting[out.name] = true
	}
	if delete(o.beyond, out.name); len(out.beyond) > 0 {
		o.beyond[out.name] = out.beyond
	}
}

// advance lets the openings begin once every closing was made or tried, and makes those due again that waited for what is
// closed now.
func (o *owner) advance() {
	b := o.previous.barrier
	if b == nil || len(o.closing) > 0 {
		return
	}
	before := b.lets()
	now := maps.Clone(o.beyond)
	if b.open.Load() && (reflect.DeepEqual(before, now) || len(before) == 0 && len(now) == 0) {
		return
	}
	b.beyond.Store(&now)
	b.open.Store(true)
	for unit := range o.waiting {
		o.engine.queue.Add(unit)
	}
}
