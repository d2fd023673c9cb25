package sync

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	stdsync "sync"

	"k8s.io/client-go/util/workqueue"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync/order"
)

// Engine syncs one cluster with one repository.
type Engine struct {
	config  Config
	cluster *drift.Cluster
	ledger  *drift.Ledger
	writer  *writer
	hand    hand // the writer, but in a rehearsal
	judge   *exposure.Judge
	planner *order.Planner
	events  *events
	queue   workqueue.TypedRateLimitingInterface[string]

	offered    chan *sources.Snapshot // capacity one: the newest
	healthy    chan struct{}          // capacity one: the health of the watches changed
	reported   chan struct{}          // capacity one: there are outcomes
	loaded     chan struct{}          // closed once the state is known
	noted      chan struct{}          // capacity one: differences came or went
	namespaces chan struct{}          // capacity one: a namespace that is no tenant's came or went

	world   atomic.Pointer[world]
	known   atomic.Pointer[state]             // as it was when this process began
	owners  atomic.Pointer[map[string]string] // who owned what before this process began
	frozen  atomic.Pointer[frozen]            // the revision that a freeze holds back; nil if none
	waiting atomic.Pointer[string]            // what start-up waits for; nil or "" if nothing

	rehearsal *rehearsal // nil but in one

	// at is told each state of each round before it is entered; nil but in tests.
	at func(tenant, state string)

	rush rush

	// Of a term of a [Replica], immutable: standby, if another process writes; the
	// grant under which this one does; what left Git before, and since when
	// differences stand, as earlier terms saw it.
	standby bool
	grant   *grant
	former  *former
	since   map[string]time.Time

	mu       stdsync.Mutex // guards what follows
	progress map[string]*progress
	outcomes map[string]outcome
	reports  map[string]report
	rounds   map[string][]Round // the last of each tenant, oldest first
	fights   map[string]int
	courses  map[string]course // of rounds that write now
	screenings
}

// New returns an Engine that does nothing until Run.
func New(c Config) (*Engine, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	e := newEngine(c, nil)
	cluster, err := drift.NewCluster(drift.ClusterConfig{
		Dynamic: c.Dynamic, Discovery: c.Discovery, Metadata: c.Metadata,
		Changed: e.changed, Health: func() { trigger(e.healthy) },
		Metrics: c.DriftMetrics, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	e.cluster, e.writer.cluster = cluster, cluster
	if e.validator, err = newValidator(c, cluster); err != nil {
		return nil, err
	}
	return e, nil
}

// newEngine makes an Engine of a complete configuration.
func newEngine(c Config, cluster *drift.Cluster) *Engine {
	e := &Engine{
		config: c, cluster: cluster, former: newFormer(),
		writer: &writer{dynamic: c.Dynamic, manager: c.manager(), cluster: cluster, queue: newQueue(c.Metrics.queued)},
		ledger: drift.NewLedger(c.DriftMetrics),
		judge:  exposure.New(), planner: order.New(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](500*time.Millisecond, retryMax)),
		offered:    make(chan *sources.Snapshot, 1),
		healthy:    make(chan struct{}, 1),
		reported:   make(chan struct{}, 1),
		loaded:     make(chan struct{}),
		noted:      make(chan struct{}, 1),
		namespaces: make(chan struct{}, 1),
		progress:   map[string]*progress{},
		outcomes:   map[string]outcome{},
		reports:    map[string]report{},
		rounds:     map[string][]Round{},
		fights:     map[string]int{},
		courses:    map[string]course{},
		screenings: newScreenings(),
		rush:       rush{tell: c.Rush},
	}
	e.hand = e.writer
	e.writer.wants, e.writer.lost = e.gitHas, e.lostWrite
	e.writer.versions = func(id drift.ID) []*drift.Wanted { return e.progressOf(id.Namespace).versions[id] }
	return e
}

// Offer hands over a snapshot; if an older one waits, it is passed over. It
// never blocks.
func (e *Engine) Offer(s *sources.Snapshot) {
	for {
		select {
		case e.offered <- s:
			return
		default:
		}
		select {
		case <-e.offered:
		default:
		}
	}
}

// Loaded is closed once the state was read and the source's floor is set: no
// snapshot should be polled before.
func (e *Engine) Loaded() <-chan struct{} { return e.loaded }

// Run works until ctx is done, and returns when every goroutine it started has.
// An API server that is away is waited for.
func (e *Engine) Run(ctx context.Context) error {
	var wg stdsync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() {
		if err := e.cluster.Run(ctx); err != nil {
			e.config.Log.Error("watching the cluster ended", "err", err)
		}
	})
	e.term(ctx)
	return nil
}

// term works until ctx is done, on a cluster that is being watched.
func (e *Engine) term(ctx context.Context) {
	var wg stdsync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	e.events = newEvents(e.config, e.cluster)
	if e.standby {
		e.events.mute()
	}
	defer e.events.stop()
	defer e.rush.end()
	owner := newOwner(e)
	if !owner.load(ctx) {
		return
	}
	for range e.config.Workers {
		wg.Go(func() { e.work(ctx) })
		wg.Go(func() { e.screenAll(ctx) })
	}
	defer e.queue.ShutDown()
	defer e.screening.ShutDown()
	wg.Go(func() { e.tellCourses(ctx) })
	if e.config.Audit != nil {
		wg.Go(func() { e.audit(ctx) })
	}
	owner.run(ctx)
}

// changed makes the tenant of a namespace due.
func (e *Engine) changed(namespace string) {
	w := e.world.Load()
	if w == nil {
		return
	}
	if _, ok := w.targets[namespace]; ok {
		e.queue.Add(namespace)
		return
	}
	trigger(e.namespaces)
}

// work takes due tenants off the queue until it is shut down.
func (e *Engine) work(ctx context.Context) {
	for {
		name, shutdown := e.queue.Get()
		if shutdown {
			return
		}
		e.rush.saw(e.queue.Len())
		e.round(ctx, name)
		e.queue.Done(name)
	}
}

// audit compares the watches with fresh lists on schedule.
func (e *Engine) audit(ctx context.Context) {
	for {
		next := e.config.Audit.Next(time.Now())
		if !pause(ctx, time.Until(next)) {
			return
		}
		n, err := e.cluster.Audit(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				e.config.Log.Warn("the audit could not be done", "err", line)
			}
		}
		if n > 0 {
			e.config.Log.Warn("the audit found objects that a watch had wrong", "count", n)
		}
	}
}

// progressOf returns the progress of a tenant, which belongs to the worker that
// holds its name.
func (e *Engine) progressOf(name string) *progress {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.progress[name]
	if p == nil {
		p = newProgress()
		if st := e.known.Load(); st != nil {
			p.openings = slices.Clone(st.Openings[name])
			_, p.stood = slices.BinarySearch(st.Stood, name)
		}
		e.progress[name] = p
	}
	return p
}

// tell hands an outcome to the owner of the state, and never blocks: a long
// rendering must not keep drift from being corrected.
func (e *Engine) tell(out outcome) {
	e.mu.Lock()
	e.outcomes[out.name] = out
	e.fights[out.name] = out.fights
	total := 0
	for _, n := range e.fights {
		total += n
	}
	e.mu.Unlock()
	e.config.DriftMetrics.SetFights(total)
	trigger(e.reported)
}

// told takes the outcomes that are new.
func (e *Engine) told() map[string]outcome {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.outcomes
	e.outcomes = map[string]outcome{}
	return out
}

// forget drops what is remembered of a tenant that is gone.
func (e *Engine) forget(name string) {
	e.mu.Lock()
	delete(e.progress, name)
	delete(e.reports, name)
	delete(e.rounds, name)
	delete(e.fights, name)
	e.mu.Unlock()
	e.unscreen(name)
	e.ledger.Forget(name)
	e.config.Metrics.lastSuccess.DeleteLabelValues(name)
	e.config.DriftMetrics.SetBreakGlass(name, time.Time{})
}

// trigger makes a channel of capacity one ready.
func trigger(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause waits for d and answers whether it did, false if ctx was done first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// errBlind says that nothing can be concluded now.
var errBlind = errors.New("the live state cannot be seen")
