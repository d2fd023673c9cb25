package order

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// search finds an order. In every context it knows both ends, and the state that the steps so far lead to.
type search struct {
	Question
	stages  []*exposure.Stage
	ends    [][2]*reach.Connectivity // live, and Git
	own     []*reach.Connectivity    // Git in the unit, live around it
	now     moment
	left    []int       // changes that are not made yet
	between map[int]int // changes that are written as something in between: how many of their middles were passed
	harsh   bool        // nothing else helps: what is in between may be closed further, in the end under a deny
	path    []pathStep  // what is left to the openings, in an order that cuts nothing
	order   Order
}

// moment is one state in every context.
type moment struct {
	worlds []*reach.World
	allows []*reach.Connectivity
}

// trial is what one write would do. What takes long to find out is found out when it is asked for.
type trial struct {
	next     moment
	up, down []reach.Connection // against the state before
	window   func() bool        // it opens what neither end does
	cuts     func() bool        // it cuts what both ends allow
	beyond   func() bool        // it opens what the target denies
}

// run looks for the closings, and then for the openings. If something cannot be made at all, it begins anew, and closes
// further than what both ends allow.
func (s *search) run() (*Order, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	start := s.now
	for {
		s.closings()
		s.order.Beyond = reach.JoinConnections(s.beyond(s.own), s.beyondThen())
		s.openings()
		if s.order.Waiting = s.left; s.harsh || len(s.left) == 0 {
			return &s.order, nil
		}
		s.now, s.harsh, s.path = start, true, nil
		s.order.Steps = nil
		s.setOut()
	}
}

// setOut notes what there is to be done.
func (s *search) setOut() {
	s.left, s.between = nil, map[int]int{}
	for i, c := range s.Changes {
		if !c.Held && !c.Around {
			s.left = append(s.left, i)
		}
	}
}

// begin finds out what is allowed at both ends.
func (s *search) begin() error {
	for _, stage := range s.stages {
		live, err := stage.Live()
		if err != nil {
			return err
		}
		git, err := stage.Git()
		if err != nil {
			return err
		}
		s.now.worlds = append(s.now.worlds, live)
		s.now.allows = append(s.now.allows, live.Connectivity())
		s.ends = append(s.ends, [2]*reach.Connectivity{live.Connectivity(), git.Connectivity()})
		s.own = append(s.own, s.ownEnd(stage, live).Connectivity())
		s.order.Gains = reach.JoinConnections(s.order.Gains, stage.Widen(reach.Moves(live.Connectivity(), git.Connectivity()).Gained))
	}
	s.harsh = s.Strict
	s.setOut()
	return nil
}

// closings takes whatever opens nothing, and puts what does both into a state in between. What cuts is taken only when
// nothing else is left, and no order is found that could leave the rest to the openings and cuts nothing; one at a time: it
// may be what keeps something else from cutting.
func (s *search) closings() {
	s.setUp()
	for {
		switch {
		case s.pass(Closing, func(t *trial) bool { return len(t.up) == 0 && !t.cuts() }):
		case s.Alone && s.first(Closing, func(t *trial) bool { return !t.window() && !t.cuts() }):
		case s.halve(s.both, func(t *trial) bool { return len(t.up) == 0 && len(t.down) > 0 && !t.cuts() }):
		case s.ward():
		case s.gentle():
			return
		case s.halve(s.opensBetween, func(t *trial) bool { return len(t.up) == 0 && len(t.down) == 0 }): // others may rely on it
		case s.first(Closing, func(t *trial) bool { return len(t.up) == 0 }):
		case s.halve(s.both, func(t *trial) bool { return len(t.up) == 0 && len(t.down) > 0 }):
		case (s.harsh || !s.Alone && len(s.beyond(s.git())) > 0) && s.halve(anyChange, func(t *trial) bool { return len(t.up) == 0 && len(t.down) > 0 }):
		case s.harsh && len(s.beyondThen()) > 0 && s.shut():
		default:
			return
		}
	}
}

// openings takes the rest, as long as nothing is opened that the target denies.
func (s *search) openings() {
	for _, step := range s.path {
		s.take(step.change, Opening, nil, 0, step.trial)
		s.left = slices.DeleteFunc(s.left, func(i int) bool { return i == step.change })
	}
	for {
		switch {
		case s.first(Opening, func(t *trial) bool { return !t.window() && !t.beyond() && !t.cuts() }):
		case s.first(Opening, func(t *trial) bool { return !t.window() && !t.beyond() }):
		case s.first(Opening, func(t *trial) bool { return !t.window() }):
		default:
			return
		}
	}
}

// setUp takes what others rely on, and what does nothing by itself: a Namespace that is to be made, in which there is no
// pod yet, and tiers that are empty as yet.
func (s *search) setUp() {
	s.left = slices.DeleteFunc(s.left, func(i int) bool {
		d := s.Changes[i].Difference
		if d.Type != drift.Missing || d.ID.Kind != kinds.Namespace && d.ID.Kind != kinds.Tier {
			return false
		}
		s.take(i, Closing, nil, 0, s.try(i, d.Want.Unstructured))
		return true
	})
}

// pass takes every change that will do, in their order, and answers whether there was one.
func (s *search) pass(phase Phase, will func(*trial) bool) bool {
	before := len(s.left)
	for _, i := range slices.Clone(s.left) {
		if s.mayComeNow(i, s.left) {
			s.takeIf(i, phase, will)
		}
	}
	return len(s.left) < before
}

// first takes the first change that will do, and answers whether there was one.
func (s *search) first(phase Phase, will func(*trial) bool) bool {
	return slices.ContainsFunc(slices.Clone(s.left), func(i int) bool { return s.mayComeNow(i, s.left) && s.takeIf(i, phase, will) })
}

func (s *search) takeIf(i int, phase Phase, will func(*trial) bool) bool {
	t := s.try(i, s.target(i))
	if !will(t) {
		return false
	}
	s.take(i, phase, nil, 0, t)
	s.left = slices.DeleteFunc(s.left, func(k int) bool { return k == i })
	return true
}

// mayComeNow says whether none of what is left must come first: a tier goes when all else has.
func (s *search) mayComeNow(i int, left []int) bool {
	goes := func(k int) bool {
		d := s.Changes[k].Difference
		return d.Want == nil && d.ID.Kind == kinds.Tier
	}
	return !goes(i) || !slices.ContainsFunc(left, func(k int) bool { return !goes(k) })
}

// both says whether a change opens and closes now, or opens what neither end does.
func (s *search) both(i int) bool {
	t := s.try(i, s.target(i))
	return len(t.down) > 0 || t.window()
}

// opensBetween says whether a change would open what neither end does.
func (s *search) opensBetween(i int) bool { return s.try(i, s.target(i)).window() }

func anyChange(int) bool { return true }

// halve writes one change that cannot be made yet as something in between.
func (s *search) halve(which func(i int) bool, will func(*trial) bool) bool {
	for _, i := range s.left {
		if s.between[i] > 0 && !s.harsh || !which(i) {
			continue
		}
		for recipe, content := range s.middles(i) {
			if recipe < s.between[i] || s.stands(i, content) {
				continue
			}
			t := s.try(i, content)
			if !will(t) {
				continue
			}
			s.take(i, Closing, content, recipe, t)
			s.between[i] = recipe + 1
			return true
		}
	}
	return false
}

// shut closes one change as far as its kind can, though that does nothing as long as others have not made their changes around
// the unit: they wait for it.
func (s *search) shut() bool {
	for _, i := range s.left {
		middles := s.middles(i)
		last := len(middles) - 1
		if s.between[i] > last || s.stands(i, middles[last]) {
			continue
		}
		if t := s.try(i, middles[last]); len(t.up) == 0 {
			s.take(i, Closing, middles[last], last, t)
			s.between[i] = last + 1
			return true
		}
	}
	return false
}

// stands says whether the object is live as something in between already.
func (s *search) stands(i int, content *unstructured.Unstructured) bool {
	got := s.Changes[i].Difference.Got
	return got != nil && s.between[i] == 0 && same(specOf(got), specOf(content)) && maps.Equal(got.GetLabels(), content.GetLabels())
}

// ward keeps a closing from cutting something: by what another change takes over from it, written before.
func (s *search) ward() bool {
	for _, i := range s.left {
		if t := s.try(i, s.target(i)); len(t.up) > 0 {
			continue
		}
		for _, k := range s.left {
			if k == i || s.between[k] > 0 {
				continue
			}
			for recipe, content := range s.middles(k) {
				before, taken := s.now, s.try(k, content)
				if len(taken.up) > 0 || taken.cuts() {
					continue
				}
				s.now = taken.next
				t := s.try(i, s.target(i))
				s.now = before
				if len(t.up) > 0 || t.cuts() {
					continue
				}
				s.take(k, Closing, content, recipe, taken)
				s.between[k] = recipe + 1
				return s.takeIf(i, Closing, func(*trial) bool { return true })
			}
		}
	}
	return false
}

// target returns what the change makes of its object; nil if it goes.
func (s *search) target(i int) *unstructured.Unstructured {
	if w := s.Changes[i].Difference.Want; w != nil {
		return w.Unstructured
	}
	return nil
}

// try finds out what a write would do now.
func (s *search) try(i int, content *unstructured.Unstructured) *trial {
	t := &trial{}
	before := s.now
	for k, stage := range s.stages {
		w := before.worlds[k].With(stage.Change(s.Changes[i].Difference, content))
		next := w.Connectivity()
		t.next.worlds, t.next.allows = append(t.next.worlds, w), append(t.next.allows, next)
		moves := reach.Moves(before.allows[k], next)
		t.up, t.down = reach.JoinConnections(t.up, moves.Gained), reach.JoinConnections(t.down, moves.Lost)
	}
	inAny := func(holds func(k int, now, next *reach.Connectivity) bool) func() bool {
		return sync.OnceValue(func() bool {
			for k := range s.stages {
				if holds(k, before.allows[k], t.next.allows[k]) {
					return true
				}
			}
			return false
		})
	}
	t.window = inAny(func(k int, _, next *reach.Connectivity) bool {
		return len(t.up) > 0 && len(reach.Between(next, s.ends[k][0], s.ends[k][1]).Gained) > 0
	})
	t.beyond = inAny(func(k int, now, next *reach.Connectivity) bool {
		return len(t.up) > 0 && len(reach.Between(next, now, s.ends[k][1]).Gained) > 0
	})
	t.cuts = inAny(func(k int, now, next *reach.Connectivity) bool {
		return len(t.down) > 0 && !s.Fresh && len(reach.Between(next, now, s.ends[k][0], s.ends[k][1]).Lost) > 0
	})
	return t
}

// take goes on to the next state.
func (s *search) take(i int, phase Phase, content *unstructured.Unstructured, recipe int, t *trial) {
	step := Step{Change: i, Phase: phase, Content: content, recipe: recipe, Effect: drift.Exposure{Opens: t.up, Closes: t.down}.Effect()}
	for k, ends := range s.ends {
		now, next := s.now.allows[k], t.next.allows[k]
		if len(t.up) > 0 {
			step.Opens = reach.JoinConnections(step.Opens, s.stages[k].Widen(reach.Between(next, ends[0], now).Gained))
		}
		if t.cuts() {
			step.Cuts = reach.JoinConnections(step.Cuts, reach.Between(next, ends[0], ends[1], now).Lost)
		}
	}
	s.order.Steps = append(s.order.Steps, step)
	s.now = t.next
}

// ownEnd is the world in which the unit has made all its changes, and nobody else has.
func (s *search) ownEnd(stage *exposure.Stage, live *reach.World) *reach.World {
	return live.With(s.made(stage, false)...)
}

// made returns what makes every change: of others around the unit, or of its own.
func (s *search) made(stage *exposure.Stage, around bool) (out []reach.Change) {
	for i, c := range s.Changes {
		if c.Around == around {
			out = append(out, stage.Change(c.Difference, s.target(i)))
		}
	}
	return out
}

// beyondThen returns what would be let through if others had made all their changes, and that the unit's own would close.
func (s *search) beyondThen() (out []reach.Connection) {
	for k, stage := range s.stages {
		changes := s.made(stage, true)
		if len(changes) == 0 {
			continue
		}
		then := s.now.worlds[k].With(changes...).Connectivity()
		out = reach.JoinConnections(out, stage.Widen(reach.Moves(s.ends[k][1], then).Gained))
	}
	return out
}

// git returns the end that windows are judged by, in every context.
func (s *search) git() (ends []*reach.Connectivity) {
	for _, e := range s.ends {
		ends = append(ends, e[1])
	}
	return ends
}

// beyond returns what is let through now and at an end is not.
func (s *search) beyond(ends []*reach.Connectivity) []reach.Connection {
	var out []reach.Connection
	for k, end := range ends {
		out = reach.JoinConnections(out, s.stages[k].Widen(reach.Moves(end, s.now.allows[k]).Gained))
	}
	return out
}
