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

// question asks for the order of a unit's changes, as the engine does.
func (c *cluster) question(unit string, alone bool) Question {
	var live []*drift.Observed
	for _, o := range c.old[unit] {
		u := &unstructured.Unstructured{Object: o}
		k, _ := kinds.Find(u.GroupVersionKind().GroupKind())
		live = append(live, &drift.Observed{Unstructured: u, ID: drift.ID{Kind: k, Namespace: u.GetNamespace(), Name: u.GetName()}})
	}
	wanted := wantedOf(c.t, c.new[unit])
	found, err := drift.Compare(wanted, live, nil)
	require.NoError(c.t, err)
	q := Question{Namespace: unit, Alone: alone}
	for _, d := range found {
		q.Changes = append(q.Changes, Change{Difference: d})
	}
	for _, around := range []random.Revision{c.old, c.new} {
		s := &exposure.Scene{
			Network: exposure.Network{PodCIDRs: []netip.Prefix{random.Pods}}, Namespace: unit,
			Wanted: wanted, Namespaces: sorted(spaces), Tenants: func(yield func(string, []*drift.Wanted) bool) {
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

type outcome struct{ pairs, changes, steps, between, cuts, avoidable, held, waiting, beyond int }

// TestNoWindow brings two tenants and a cluster overlay from one random revision to another, closings first and in any order
// otherwise, and looks at the whole after every single write.
func TestNoWindow(t *testing.T) {
	var sum outcome
	planner := New()
	judge := exposure.New()
	rapid.Check(t, func(t *rapid.T) { roll(t, planner, judge, &sum) })
	t.Logf("%+v", sum)
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
	cut := false
	from, to := c.world(c.old.All()), c.world(c.new.All())
	sum.pairs++

	questions, orders := map[string]Question{}, map[string]*Order{}
	beyond := map[string][]reach.Connection{}
	for _, unit := range units {
		questions[unit] = c.question(unit, false)
		o, err := planner.Find(judge, questions[unit])
		require.NoError(t, err)
		orders[unit] = o
		sum.waiting += len(o.Waiting)
		sum.changes += len(questions[unit].Changes)
		if len(o.Beyond) > 0 {
			sum.beyond++
			beyond[unit] = o.Beyond
		}
	}
	for _, phase := range []Phase{Closing, Opening} {
		queues := map[string][]Step{}
		for _, unit := range units {
			for _, s := range orders[unit].Steps {
				if s.Phase == phase {
					queues[unit] = append(queues[unit], s)
				}
			}
		}
		for len(queues) > 0 {
			unit := rapid.SampledFrom(slices.Sorted(maps.Keys(queues))).Draw(t, "whose turn")
			s := queues[unit][0]
			if queues[unit] = queues[unit][1:]; len(queues[unit]) == 0 {
				delete(queues, unit)
			}
			if phase == Opening && meets(s.Opens, beyond, unit) {
				sum.held++
				delete(queues, unit)
				continue
			}
			c.do(questions[unit], s)
			sum.steps++
			if s.Content != nil {
				sum.between++
			}
			if phase == Opening && len(queues[unit]) == 0 && len(orders[unit].Waiting) == 0 {
				delete(beyond, unit)
			}
			state := c.world(maps.Values(c.now))
			d := reach.Between(state, from, to)
			require.Empty(t, d.Gained, "after %v of %q: %v %+v\n%v\n%v\n%v", s.Phase, unit, questions[unit].Changes[s.Change].Difference.ID, s, d, dump(orders, questions), c)
			if len(d.Lost) > 0 {
				sum.cuts++
				cut = true
			}
		}
	}
	if cut && c.keeps(questions, from, to) {
		sum.avoidable++
	}
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

// meets says whether a step opens what another unit has not closed yet.
func meets(opens []reach.Connection, beyond map[string][]reach.Connection, unit string) bool {
	for other, connections := range beyond {
		if other != unit && Meet(opens, connections, func(string) bool { return other == "" || unit == "" }) {
			return true
		}
	}
	return false
}
