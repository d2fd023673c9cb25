package reach

import (
	"iter"
	"maps"
	"slices"
)

// layers is a map of which a copy is cheap, since copies share what was settled and keep apart only what came after. The
// zero value is empty and fresh.
type layers[K comparable, V any] struct {
	settled map[K]V // shared between copies, and not changed once settle was called
	recent  map[K]layer[V]
	shared  bool // settle was called
}

// layer is what came after settling: a value, or that there is none any more.
type layer[V any] struct {
	value V
	gone  bool
}

// maxRecent bounds what a copy has to duplicate, beside a part of what is settled.
const maxRecent = 64

func (l *layers[K, V]) get(key K) (V, bool) {
	if r, ok := l.recent[key]; ok {
		return r.value, !r.gone
	}
	v, ok := l.settled[key]
	return v, ok
}

func (l *layers[K, V]) set(key K, value V) { l.put(key, layer[V]{value: value}) }

func (l *layers[K, V]) remove(key K) { l.put(key, layer[V]{gone: true}) }

func (l *layers[K, V]) put(key K, r layer[V]) {
	switch {
	case l.shared:
		if l.recent == nil {
			l.recent = map[K]layer[V]{}
		}
		l.recent[key] = r
		if len(l.recent) > maxRecent+len(l.settled)/8 {
			l.settled, l.recent = maps.Collect(l.all()), nil
		}
	case r.gone:
		delete(l.settled, key)
	default:
		if l.settled == nil {
			l.settled = map[K]V{}
		}
		l.settled[key] = r.value
	}
}

// settle ends the time in which changes are made in place.
func (l *layers[K, V]) settle() { l.shared = true }

// copy returns a map that changes independently. Only what is settled can be copied.
func (l *layers[K, V]) copy() layers[K, V] {
	return layers[K, V]{l.settled, maps.Clone(l.recent), l.shared}
}

// size is about how many keys there are.
func (l *layers[K, V]) size() int { return len(l.settled) + len(l.recent) }

// all lists the map in no order. It must not be changed meanwhile.
func (l *layers[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for key, value := range l.settled {
			if _, newer := l.recent[key]; !newer && !yield(key, value) {
				return
			}
		}
		for key, r := range l.recent {
			if !r.gone && !yield(key, r.value) {
				return
			}
		}
	}
}

// roster lists the policies that ask for something.
type roster[K comparable] struct{ layers[K, []*policy] }

func (r *roster[K]) copy() roster[K] { return roster[K]{r.layers.copy()} }

func (r *roster[K]) add(key K, p *policy) {
	list, _ := r.get(key)
	if r.shared {
		list = slices.Clip(list)
	}
	r.set(key, append(list, p))
}

// drop takes a policy off a list and reports whether that list is empty now.
func (r *roster[K]) drop(key K, p *policy) bool {
	list, _ := r.get(key)
	list = slices.DeleteFunc(slices.Clone(list), func(q *policy) bool { return q == p })
	if len(list) == 0 {
		r.remove(key)
		return true
	}
	r.set(key, list)
	return false
}

func (r *roster[K]) of(key K) []*policy {
	list, _ := r.get(key)
	return list
}
