package order

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/order/random"
)

var spaces = map[string]map[string]string{"t": {"team": "red"}, "u": {"team": "blue"}, "z": {"team": "blue"}}

func wantedOf(t require.TestingT, objects []object) (out []*drift.Wanted) {
	for _, o := range objects {
		u := (&unstructured.Unstructured{Object: o}).DeepCopy()
		k, ok := kinds.Find(u.GroupVersionKind().GroupKind())
		require.True(t, ok)
		out = append(out, drift.NewWanted(kustomize.Object{Unstructured: u, Kind: k}))
	}
	return out
}

func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}

// cluster is the whole as it is while the units are brought from one revision to another.
type cluster struct {
	t        *rapid.T
	old, new random.Revision
	now      map[string]object
}

func (c *cluster) world(objects iter.Seq[object]) *reach.Connectivity {
	allows, err := random.Connectivity(spaces, objects)
	require.NoError(c.t, err)
	return allows
}

// String shows the objects of both revisions, and as they are now.
func (c *cluster) String() string {
	var b strings.Builder
	show := func(mark string, objects iter.Seq[object]) {
		for o := range objects {
			text, err := json.Marshal(o)
			require.NoError(c.t, err)
			fmt.Fprintln(&b, mark, string(text))
		}
	}
	show("old", c.old.All())
	show("new", c.new.All())
	show("now", maps.Values(c.now))
	return b.String()
}

// question asks for the order of a unit's changes from where it is now, as the engine does.
func (c *cluster) question(unit string, strict bool) Question {
	var live []*drift.Observed
	for _, key := range slices.Sorted(maps.Keys(c.now)) {
		o := c.now[key]
		if (&unstructured.Unstructured{Object: o}).GetNamespace() != unit {
			continue
		}
		u := &unstructured.Unstructured{Object: o}
		k, _ := kinds.Find(u.GroupVersionKind().GroupKind())
		live = append(live, &drift.Observed{Unstructured: u, ID: drift.ID{Kind: k, Namespace: u.GetNamespace(), Name: u.GetName()}})
	}
	wanted := wantedOf(c.t, c.new[unit])
	found, err := drift.Compare(wanted, live, nil)
	require.NoError(c.t, err)
	q := Question{Namespace: unit, Strict: strict}
	for _, d := range found {
		q.Changes = append(q.Changes, Change{Difference: d})
	}
	for _, around := range []random.Revision{c.old, c.new} {
		s := &exposure.Scene{
			Network: exposure.Network{PodCIDRs: []netip.Prefix{random.Pods}}, Namespace: unit,
			Wanted: wanted, Namespaces: drift.NewNamespaces(spaces), Tenants: func(yield func(string, []*drift.Wanted) bool) {
				for name, objects := range sorted(around) {
					if name != "" && !yield(name, wantedOf(c.t, objects)) {
						return
					}
				}
			},
		}
		if unit != "" {
			s.Cluster = wantedOf(c.t, around[""])
		}
		q.Scenes = append(q.Scenes, s)
	}
	return q
}

// do takes a step.
func (c *cluster) do(q Question, s Step) {
	d := q.Changes[s.Change].Difference
	switch {
	case s.Content != nil:
		c.now[random.Key(s.Content.Object)] = s.Content.Object
	case d.Want != nil:
		c.now[random.Key(d.Want.Object.Object)] = d.Want.Object.Object
	default:
		delete(c.now, random.Key(d.Got.Object))
	}
}

type outcome struct{ pairs, changes, steps, between, cuts, avoidable, held, mutual, waiting, beyond int }

// TestNoWindow brings two tenants and a cluster overlay from one random revision to another, closings first and in any order
// otherwise, and looks at the whole after every single write. Whoever opens what meets another's Beyond waits for it; of those
// that wait for each other one after the other is asked to be strict.
func TestNoWindow(t *testing.T) {
	var sum outcome
	planner := New()
	judge := exposure.New()
	rapid.Check(t, func(t *rapid.T) { roll(t, planner, judge, &sum) })
	t.Logf("%+v", sum)
}

// sync is one revision on its way.
type passage struct {
	*cluster
	planner   *Planner
	judge     *exposure.Judge
	from, to  *reach.Connectivity
	questions map[string]Question
	orders    map[string]*Order
	gains     map[string][]reach.Connection
	beyond    map[string][]reach.Connection
	cut       bool
	sum       *outcome
}

func roll(t *rapid.T, planner *Planner, judge *exposure.Judge, sum *outcome) {
	calico := rapid.IntRange(0, 9).Draw(t, "Calico") < 6
	c := &cluster{t: t, now: map[string]object{}}
	units := []string{"t", "u"}
	if calico {
		units = append(units, "")
	}
	c.old = random.Draw(t, units, calico)
	c.new = c.old.Next(t, calico)
	for o := range c.old.All() {
		c.now[random.Key(o)] = o
	}
	p := &passage{
		cluster: c, planner: planner, judge: judge, from: c.world(c.old.All()), to: c.world(c.new.All()), sum: sum,
		questions: map[string]Question{}, orders: map[string]*Order{}, gains: map[string][]reach.Connection{}, beyond: map[string][]reach.Connection{},
	}
	sum.pairs++
	for _, unit := range units {
		p.ask(unit, false)
		p.gains[unit] = p.orders[unit].Gains
		sum.waiting += len(p.orders[unit].Waiting)
		sum.changes += len(p.questions[unit].Changes)
		if len(p.orders[unit].Beyond) > 0 {
			sum.beyond++
		}
	}
	all := maps.Clone(p.questions)
	p.close(units)
	p.open(units)
	if p.cut && c.keeps(all, p.from, p.to) {
		sum.avoidable++
	}
}

func (p *passage) ask(unit string, strict bool) {
	p.questions[unit] = p.question(unit, strict)
	o, err := p.planner.Find(p.judge, p.questions[unit])
	require.NoError(p.t, err)
	p.orders[unit] = o
	if delete(p.beyond, unit); len(o.Beyond) > 0 {
		p.beyond[unit] = o.Beyond
	}
}

func (p *passage) steps(unit string, phase Phase) (out []Step) {
	for _, s := range p.orders[unit].Steps {
		if s.Phase == phase {
			out = append(out, s)
		}
	}
	return out
}

// close takes the closings of some units, in any order.
func (p *passage) close(units []string) {
	queues := map[string][]Step{}
	for _, unit := range units {
		if steps := p.steps(unit, Closing); len(steps) > 0 {
			queues[unit] = steps
		}
	}
	for len(queues) > 0 {
		unit := rapid.SampledFrom(slices.Sorted(maps.Keys(queues))).Draw(p.t, "whose turn")
		p.take(unit, queues[unit][0])
		if queues[unit] = queues[unit][1:]; len(queues[unit]) == 0 {
			delete(queues, unit)
		}
	}
}

// open takes the openings, as far as nobody is met.
func (p *passage) open(units []string) {
	queues := map[string][]Step{}
	for _, unit := range units {
		queues[unit] = p.steps(unit, Opening)
	}
	strict := map[string]bool{}
	for len(queues) > 0 {
		free := slices.DeleteFunc(slices.Sorted(maps.Keys(queues)), func(unit string) bool {
			return len(queues[unit]) > 0 && p.meets(queues[unit][0], unit)
		})
		if len(free) == 0 {
			again := slices.DeleteFunc(slices.Sorted(maps.Keys(queues)), func(unit string) bool { return strict[unit] })
			if len(again) == 0 {
				p.sum.held += len(queues)
				return
			}
			p.sum.mutual++
			strict[again[0]] = true
			p.ask(again[0], true)
			p.close(again[:1])
			queues[again[0]] = p.steps(again[0], Opening)
			continue
		}
		unit := rapid.SampledFrom(free).Draw(p.t, "whose turn")
		if len(queues[unit]) > 0 {
			p.take(unit, queues[unit][0])
			queues[unit] = queues[unit][1:]
		}
		if len(queues[unit]) == 0 {
			if delete(queues, unit); len(p.orders[unit].Waiting) == 0 {
				delete(p.beyond, unit)
			}
		}
	}
}

// take makes a step, and looks at the whole.
func (p *passage) take(unit string, s Step) {
	q := p.questions[unit]
	p.do(q, s)
	p.sum.steps++
	if s.Content != nil {
		p.sum.between++
	}
	d := reach.Between(p.world(maps.Values(p.now)), p.from, p.to)
	require.Empty(p.t, d.Gained, "after %v of %q: %v %+v\n%v\n%v\n%v", s.Phase, unit, q.Changes[s.Change].Difference.ID, s, d, dump(p.orders, p.questions), p.cluster)
	if len(d.Lost) > 0 {
		p.sum.cuts++
		p.cut = true
	}
}

// meets says whether a step opens what another unit has not closed yet.
func (p *passage) meets(s Step, unit string) bool {
	opens := s.Opens
	if unit != "" {
		opens = Meeting(opens, p.gains[unit])
	}
	for other, connections := range p.beyond {
		if other != unit && Meet(opens, connections) {
			return true
		}
	}
	return false
}

// keeps says whether some order of whole writes, of few changes, opens no window and cuts nothing that both revisions allow.
func (c *cluster) keeps(questions map[string]Question, from, to *reach.Connectivity) bool {
	var changes []drift.Difference
	for _, q := range questions {
		for _, change := range q.Changes {
			changes = append(changes, change.Difference)
		}
	}
	const most = 6
	if len(changes) > most {
		return false
	}
	good := func(done uint) bool {
		now := map[string]object{}
		for o := range c.old.All() {
			now[random.Key(o)] = o
		}
		for i, d := range changes {
			switch {
			case done&(1<<i) == 0:
			case d.Want != nil:
				now[random.Key(d.Want.Object.Object)] = d.Want.Object.Object
			default:
				delete(now, random.Key(d.Got.Object))
			}
		}
		return reach.Between(c.world(maps.Values(now)), from, to).Empty()
	}
	reached := map[uint]bool{0: true}
	for done := range uint(1) << len(changes) {
		if !reached[done] {
			continue
		}
		for i := range changes {
			if next := done | 1<<i; next != done && !reached[next] && good(next) {
				reached[next] = true
			}
		}
	}
	return reached[1<<len(changes)-1]
}

func dump(orders map[string]*Order, questions map[string]Question) string {
	var b strings.Builder
	for unit, o := range sorted(orders) {
		for _, s := range o.Steps {
			fmt.Fprintf(&b, "unit %q: %v %v between=%v %v\n", unit, s.Phase, questions[unit].Changes[s.Change].Difference.ID, s.Content != nil, s.Effect)
		}
		fmt.Fprintf(&b, "unit %q waiting %v beyond %v\n", unit, o.Waiting, o.Beyond)
	}
	return b.String()
}
