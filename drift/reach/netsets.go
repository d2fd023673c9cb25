package reach

import "maps"

// netset is a NetworkSet or GlobalNetworkSet: labelled addresses that rules select and policies never judge.
type netset struct {
	source *item
	own    inherited // the labels of its namespace
	labels labelSource
}

// setMatch is the addresses of the network sets that a clause selects, surely and possibly.
type setMatch struct{ sure, possible Addresses }

func newSet(it *item, own inherited) *netset {
	if it.key.Namespace == "" {
		return &netset{source: it, labels: labelMap(it.set.labels)}
	}
	return &netset{it, own, &setLabels{it.set.labels, own}}
}

// in returns how a clause selects a set, and no where there is none.
func (s *netset) in(c *clause) truth {
	if s == nil {
		return no
	}
	return c.eval(s.labels)
}

// setChange is a network set that came (was is nil), went (is is nil) or changed.
type setChange struct{ was, is *netset }

// changedSets returns what happened to the network sets of a room.
func (c roomChange) changedSets() []setChange {
	var out []setChange
	old := map[Ref]*netset{}
	for _, s := range c.was.sets {
		old[s.source.key] = s
	}
	for _, s := range c.is.sets {
		was := old[s.source.key]
		delete(old, s.source.key)
		if was == nil || was.source != s.source || !was.own.same(s.own) {
			out = append(out, setChange{was, s})
		}
	}
	for _, s := range old {
		out = append(out, setChange{s, nil})
	}
	return out
}

// concerns reports whether a clause may select other addresses after a change. Where only labels changed, that is if it
// changed its mind.
func (s setChange) concerns(c *clause) bool {
	was, is := s.was.in(c), s.is.in(c)
	if s.was != nil && s.is != nil {
		a, b := s.was.source.set, s.is.source.set
		if a.broken == b.broken && a.addresses.Equal(b.addresses) {
			return was != is
		}
	}
	return was != no || is != no
}

func (i inherited) same(j inherited) bool {
	return i.name == j.name && i.known == j.known && maps.Equal(i.labels, j.labels)
}

// with adds what a clause selects of one set.
func (m setMatch) with(c *clause, s *netset) setMatch {
	t := s.in(c)
	if t == no {
		return m
	}
	if m.possible = m.possible.Union(s.source.set.addresses); t == yes && !s.source.set.broken {
		m.sure = m.sure.Union(s.source.set.addresses)
	}
	return m
}

// matchSets looks up which of a room's network sets the room's own clauses select; none selects those of other rooms.
func (r *room) matchSets() map[string]setMatch {
	if len(r.sets) == 0 {
		return nil
	}
	out := map[string]setMatch{}
	for _, p := range r.policies {
		for _, c := range p.wants().clauses {
			if _, done := out[c.text]; done || c.namespace == "" {
				continue
			}
			var m setMatch
			for _, s := range r.sets {
				m = m.with(c, s)
			}
			out[c.text] = m
		}
	}
	return out
}

// setMatchOf returns what a cluster-wide clause selects of every network set.
func (w *World) setMatchOf(c *clause) (m setMatch) {
	if w.sets == 0 {
		return m
	}
	for _, r := range w.rooms.all() {
		for _, s := range r.sets {
			m = m.with(c, s)
		}
	}
	return m
}

// setMatch returns what a clause of one of the world's policies selects of the network sets.
func (w *World) setMatch(c *clause) setMatch {
	if c.namespace != "" {
		return w.room(c.namespace).matches[c.text]
	}
	wide, ok := w.clauses.get(c.text)
	if !ok {
		return setMatch{}
	}
	return wide.match
}
