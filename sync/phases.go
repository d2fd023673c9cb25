package sync

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	stdsync "sync"
	"sync/atomic"

	"github.com/ringfence/ringfence/drift/reach"
)

// turn is how far a revision has come. What the cluster overlay says holds in every tenant's namespace, and what it does
// there depends on the tenant's own policies; so they are not changed at the same time, and each is judged by what is
// really live of the other.
type turn int32

const (
	clusterCloses turn = iota // the cluster overlay makes its closings
	tenantsClose              // then all tenants make theirs
	tenantsOpen               // then all tenants make their openings
	allOpen                   // then the cluster overlay, and whoever had to wait for somebody
	lastWord                  // whoever still cannot do something says so
)

// barrier keeps the units that a revision touches (tenants, and the cluster overlay) in step: none opens anything before
// all have closed what they can. What they still let through since a closing is held back or failed, each is told: an
// opening that meets it waits.
//
// If we crash in between, the next start begins anew: what is closed already is compared first, and not written.
type barrier struct {
	touched map[string]bool // immutable
	before  *target         // what the cluster overlay was last; nil if nothing. Immutable
	now     atomic.Int32    // the turn
	beyond  atomic.Pointer[map[string][]reach.Connection]
	hurried stdsync.Map // units that must close first whatever that cuts, since they and others wait for each other
}

func newBarrier(touched map[string]bool) *barrier {
	b := &barrier{touched: maps.Clone(touched)}
	b.now.Store(int32(b.first()))
	return b
}

// first is the turn that a revision begins with.
func (b *barrier) first() turn {
	switch {
	case len(b.touched) == 1:
		return lastWord
	case b.touched[clusterTenant]:
		return clusterCloses
	}
	return tenantsClose
}

// turn returns how far the revision has come; without a barrier everything is allowed.
func (b *barrier) turn() turn {
	if b == nil {
		return lastWord
	}
	return turn(b.now.Load())
}

// strict says whether a unit must close first whatever that cuts.
func (b *barrier) strict(unit string) bool {
	if b == nil {
		return false
	}
	_, hurried := b.hurried.Load(unit)
	return hurried
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

// mayClose says whether it is a unit's turn to close, and mayOpen to open.
func (t turn) mayClose(unit string) bool { return unit == clusterTenant || t >= tenantsClose }

func (t turn) mayOpen(unit string) bool {
	if unit == clusterTenant {
		return t >= allOpen
	}
	return t >= tenantsOpen
}

// waiting says what a unit waits for; "" if it does not.
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
		return "openings wait, since they would meet what " + strings.Join(names, ", ") + " must close first and could not yet (hint: see what holds that back)"
	case out.waits:
		return "its openings wait until everything that the revision touches has closed what it closes"
	}
	return ""
}

// phases is what the owner of the state knows of the turns of a revision.
type phases struct {
	pending map[string]bool               // units that must still come in this turn
	waiting map[string]bool               // units that wait for a later one, or for others
	beyond  map[string][]reach.Connection // what units still let through
	heldBy  map[string][]string           // whom units wait for
}

func newPhases() phases {
	return phases{
		pending: map[string]bool{}, waiting: map[string]bool{}, beyond: map[string][]reach.Connection{}, heldBy: map[string][]string{},
	}
}

// raise puts a barrier before the openings of a world, if it touches anyone.
func (o *owner) raise(next *world, touched map[string]bool) {
	if next.barrier = o.previous.barrier; len(touched) == 0 {
		return
	}
	next.barrier = newBarrier(touched)
	next.barrier.before = o.base[clusterTenant]
	o.waiting, o.heldBy = maps.Clone(touched), map[string][]string{}
	o.pending = o.comers(next.barrier)
	maps.DeleteFunc(o.beyond, func(unit string, _ []reach.Connection) bool { return touched[unit] || next.targets[unit] == nil })
	o.tellBeyond(next.barrier)
}

// comers returns the units that must come in a turn before the next one begins.
func (o *owner) comers(b *barrier) map[string]bool {
	out := map[string]bool{}
	for unit := range o.waiting {
		if cluster := unit == clusterTenant; b.turn() >= allOpen || cluster == (b.turn() == clusterCloses) {
			out[unit] = true
		}
	}
	return out
}

// came takes in how far a unit has come.
func (o *owner) came(out outcome) {
	if b := o.previous.barrier; b != nil && out.turn == b.turn() {
		delete(o.pending, out.name)
	}
	if delete(o.waiting, out.name); out.waits || len(out.heldBy) > 0 {
		o.waiting[out.name] = true
	}
	if delete(o.beyond, out.name); len(out.beyond) > 0 {
		o.beyond[out.name] = out.beyond
	}
	if delete(o.heldBy, out.name); len(out.heldBy) > 0 {
		o.heldBy[out.name] = out.heldBy
	}
}

// advance begins the next turn once whoever must come in this one has, and makes those due again that waited for what is
// closed now.
func (o *owner) advance() {
	b := o.previous.barrier
	if b == nil {
		return
	}
	for len(o.pending) == 0 && b.turn() < lastWord {
		b.now.Add(1)
		o.pending = o.comers(b)
		o.tellBeyond(b)
		o.areDue(o.pending)
	}
	switch {
	case b.turn() < tenantsOpen:
	case o.tellBeyond(b):
		o.pending = maps.Clone(o.waiting)
		o.areDue(o.waiting)
	case len(o.pending) == 0:
		if unit, ok := o.mutual(b); ok {
			b.hurried.Store(unit, true)
			o.pending[unit] = true
			o.engine.queue.Add(unit)
		}
	}
}

func (o *owner) areDue(units map[string]bool) {
	for unit := range units {
		o.engine.queue.Add(unit)
	}
}

// mutual returns the first of the units that wait for each other, and that might do something about it.
func (o *owner) mutual(b *barrier) (unit string, ok bool) {
	for _, unit := range slices.Sorted(maps.Keys(o.heldBy)) {
		if b.strict(unit) {
			continue
		}
		seen, next := map[string]bool{}, slices.Clone(o.heldBy[unit])
		for len(next) > 0 {
			if next[0] == unit {
				return unit, true
			}
			if !seen[next[0]] {
				seen[next[0]] = true
				next = append(next, o.heldBy[next[0]]...)
			}
			next = next[1:]
		}
	}
	return "", false
}

// tellBeyond publishes what units still let through, and answers whether it has changed.
func (o *owner) tellBeyond(b *barrier) bool {
	before, now := b.lets(), maps.Clone(o.beyond)
	if len(before) == 0 && len(now) == 0 || reflect.DeepEqual(before, now) {
		return false
	}
	b.beyond.Store(&now)
	return true
}
