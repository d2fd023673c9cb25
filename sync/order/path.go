package order

import (
	"fmt"
	"slices"
)

// mostTrials bounds the writes that are tried in search of an order that cuts nothing.
const mostTrials = 400

// path looks for an order of whole writes, for all changes that are left, that cuts nothing. It looks as far ahead as need be.
type path struct {
	search *search
	tried  int
	seen   map[string]bool // what was made already, where it led nowhere
	steps  []pathStep
}

type pathStep struct {
	change int
	trial  *trial
}

// gentle finds a way to leave what is left to the openings without cutting anything, and answers whether there is one. What
// the unit lets through beyond its target until then is Beyond.
func (s *search) gentle() bool {
	if s.harsh || s.Fresh || len(s.left) == 0 {
		return false
	}
	p := &path{search: s, seen: map[string]bool{}}
	before := s.now
	found := p.from(slices.Clone(s.left))
	s.now = before
	if !found {
		return false
	}
	s.path = p.steps
	return true
}

// from goes on from the present state, with these changes still to be made.
func (p *path) from(left []int) bool {
	if len(left) == 0 {
		return true
	}
	key := fmt.Sprint(left)
	if p.seen[key] {
		return false
	}
	s := p.search
	here := s.now
	for n, i := range left {
		if p.tried >= mostTrials {
			return false
		}
		if !s.mayComeNow(i, left) {
			continue
		}
		p.tried++
		t := s.try(i, s.target(i))
		if t.window() || !s.Alone && t.beyond() || t.cuts() {
			continue
		}
		s.now = t.next
		p.steps = append(p.steps, pathStep{i, t})
		if p.from(slices.Delete(slices.Clone(left), n, n+1)) {
			return true
		}
		p.steps = p.steps[:len(p.steps)-1]
		s.now = here
	}
	p.seen[key] = true
	return false
}
