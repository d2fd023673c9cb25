package order

import (
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/drift/reach"
)

// Phase says when a step may be taken.
type Phase int

// The phases. Every unit of a revision takes its closings before any takes an opening.
const (
	Closing Phase = iota
	Opening
)

// String returns "closing" or "opening".
func (p Phase) String() string {
	if p == Closing {
		return "closing"
	}
	return "opening"
}

// Change is one object that is to become what Git says.
type Change struct {
	// Difference is between live and Git: an Extra is removed.
	Difference drift.Difference
	// Held: the change belongs to the target, and is not made now.
	Held bool
	// Around: another unit makes the change. It is held, and belongs to the end that windows are judged by.
	Around bool
}

// Step is one write.
type Step struct {
	// Change is the index of the change that the step belongs to.
	Change int
	// Phase says when it may be taken.
	Phase Phase
	// Content is what is written if it is not what Git says: a state between both. Only its spec and, for a Namespace and
	// for network sets, its labels count. Nil means what Git says: the object as it is rendered, or that it is gone.
	Content *unstructured.Unstructured
	// Effect is what the step does to traffic, against the step before.
	Effect drift.Effect
	// Opens are the connections that the step allows and that neither the unit allowed when it began nor the step before.
	Opens []reach.Connection
	// Cuts are connections that both ends allow and that are cut from this step on until a later one.
	Cuts []reach.Connection

	recipe int // which of the contents in between
}

// Order is what to do, and what is left.
type Order struct {
	// Steps are in order; closings come before openings.
	Steps []Step
	// Waiting are the indices of changes that cannot be made now without a window, in order.
	Waiting []int
	// Beyond are the connections that are still let through after the closings, or would be once others have made their
	// changes around the unit, and that the unit's own changes would close.
	Beyond []reach.Connection
	// Gains are the connections that Git allows, in any of the contexts, and that were not allowed when the unit began.
	Gains []reach.Connection
}

// Planner finds orders, and remembers them. Get one from New; it is safe for concurrent use.
type Planner struct {
	flights singleflight.Group

	mu    sync.Mutex
	known map[string]remembered
}

// mostRemembered is how many orders are kept; when there are more, all are forgotten.
const mostRemembered = 4096

type remembered struct {
	namespace string
	order     *Order
}

// New returns a Planner that remembers nothing yet.
func New() *Planner { return &Planner{known: map[string]remembered{}} }

// Question is what an order is asked for.
type Question struct {
	// Namespace is the unit's; "" for the cluster overlay.
	Namespace string
	// Scenes are the contexts that the changes are made in, at least one: as the rest of the cluster is now, and as it
	// will be.
	Scenes []*exposure.Scene
	// Changes are those to be made, in the order in which they come if nothing speaks against it.
	Changes []Change
	// Alone: nothing else in the cluster changes meanwhile, so that nothing need be opened last.
	Alone bool
	// Strict: whoever opens what meets Beyond waits for this unit, and this unit for it. So what closes is closed first, even
	// where that cuts what another order would keep.
	Strict bool
	// Fresh: the namespace was made for its fence, which never stood: there is nobody to be cut off.
	Fresh bool
}

// Find returns the order of a question. An error concerns the description of the network alone.
func (p *Planner) Find(judge *exposure.Judge, q Question) (*Order, error) {
	differences := make([]drift.Difference, len(q.Changes))
	for i, c := range q.Changes {
		differences[i] = c.Difference
	}
	stages := make([]*exposure.Stage, len(q.Scenes))
	for i, scene := range q.Scenes {
		stage, err := judge.Stage(scene, differences)
		if err != nil {
			return nil, fmt.Errorf("ordering changes of %q: %w", q.Namespace, err)
		}
		stages[i] = stage
	}
	key := q.key(stages)
	p.mu.Lock()
	found, ok := p.known[key]
	p.mu.Unlock()
	if ok {
		return found.order.in(q, found.namespace), nil
	}
	one, err, _ := p.flights.Do(key, func() (any, error) { // tenants that are alike come together
		s := &search{Question: q, stages: stages}
		o, err := s.run()
		if err != nil {
			return nil, fmt.Errorf("ordering changes of %q: %w", q.Namespace, err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.known) >= mostRemembered {
			clear(p.known)
		}
		p.known[key] = remembered{q.Namespace, o}
		return p.known[key], nil
	})
	if err != nil {
		return nil, err
	}
	r, _ := one.(remembered)
	return r.order.in(q, r.namespace), nil
}

func (q *Question) key(stages []*exposure.Stage) string {
	var b strings.Builder
	fmt.Fprint(&b, q.Alone, q.Strict, q.Fresh, q.Namespace == "")
	for _, c := range q.Changes {
		fmt.Fprint(&b, c.Held, c.Around, c.Difference.Want == nil)
	}
	for _, s := range stages {
		b.WriteString(s.Key())
	}
	return b.String()
}

// in returns an order for a question that differs from the one it was found for in the name of the namespace alone.
func (o *Order) in(q Question, from string) *Order {
	out := &Order{
		Waiting: o.Waiting, Beyond: exposure.Renamed(o.Beyond, from, q.Namespace), Gains: exposure.Renamed(o.Gains, from, q.Namespace),
	}
	for _, s := range o.Steps {
		if s.Content != nil {
			s.Content = q.middles(s.Change)[s.recipe]
		}
		s.Opens = exposure.Renamed(s.Opens, from, q.Namespace)
		s.Cuts = exposure.Renamed(s.Cuts, from, q.Namespace)
		out.Steps = append(out.Steps, s)
	}
	return out
}
