package sync

import (
	"context"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	stdsync "sync"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync/validate"
)

// Replica is one of the processes that sync a cluster with a repository under
// one instance's name. With a Lease one of them writes, and the others stand by.
//
// Each time for which it leads or stands by is a term with an [Engine] of its own,
// so that a new leader begins as a start does: it loads the state, sets the floor
// of the source, and learns from Git what was written before. What takes time is
// kept over the terms: the watches, the clone, the renderer and what it rendered.
// A process that loses the lease goes back to standing by, and is not restarted:
// its watches stay warm, and nothing of the lost term is left to mislead it.
type Replica struct {
	config    Config
	lease     *Lease
	cluster   *drift.Cluster
	former    *former
	validator *validate.Validator
	loaded    chan struct{} // closed once the first term knows the state

	current atomic.Pointer[Engine]
	leader  atomic.Pointer[string] // the identity that the lease had last; nil before it was read

	mu       stdsync.Mutex     // guards what follows
	newest   *sources.Snapshot // as it was offered last
	deferred bool              // what is offered waits until the term has taken over
}

// NewReplica returns a Replica that does nothing until Run. A nil lease means
// that there are no others: it always leads.
func NewReplica(c Config, lease *Lease) (*Replica, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	if lease != nil {
		l := *lease
		if err := l.complete(); err != nil {
			return nil, err
		}
		lease = &l
	}
	r := &Replica{config: c, lease: lease, former: newFormer(), loaded: make(chan struct{})}
	cluster, err := drift.NewCluster(drift.ClusterConfig{
		Dynamic: c.Dynamic, Discovery: c.Discovery, Metadata: c.Metadata,
		Changed: func(namespace string) { r.current.Load().changed(namespace) },
		Health:  func() { trigger(r.current.Load().healthy) },
		Metrics: c.DriftMetrics, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	r.cluster = cluster
	if r.validator, err = newValidator(c, cluster); err != nil {
		return nil, err
	}
	r.current.Store(r.engine(lease != nil))
	return r, nil
}

// engine makes the engine of a term.
func (r *Replica) engine(standby bool) *Engine {
	c := r.config
	if standby { // neither counted nor told: that is the leader's
		c.Metrics, c.DriftMetrics = NewMetrics(nil), drift.NewMetrics(nil)
		c.Log = c.Log.With("standby", true)
	}
	e := newEngine(c, r.cluster)
	e.standby, e.former, e.validator = standby, r.former, r.validator
	if !standby {
		c.Metrics.restart()
	}
	return e
}

// Offer hands over a snapshot; if an older one waits, it is passed over. It
// never blocks.
func (r *Replica) Offer(s *sources.Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.newest = s
	if !r.deferred {
		r.current.Load().Offer(s)
	}
}

// Loaded is closed once the state was read and the source's floor is set: no
// snapshot should be polled before.
func (r *Replica) Loaded() <-chan struct{} { return r.loaded }

// Leads says whether this process is the one that writes.
func (r *Replica) Leads() bool { return !r.current.Load().standby }

// LeaderAddress returns where the replica that leads is reached, as the lease says ([Lease.Address]), "" if it says no address; and
// false if it is not known who leads.
func (r *Replica) LeaderAddress() (address string, known bool) {
	identity := r.leader.Load()
	if identity == nil || *identity == "" {
		return "", false
	}
	address = (*identity)[strings.LastIndex(*identity, "_")+1:]
	if _, err := netip.ParseAddrPort(address); err != nil {
		return "", true
	}
	return address, true
}

// Status returns what is known as a whole.
func (r *Replica) Status() Status { return r.current.Load().Status() }

// Tenants returns every tenant, as [Engine.Tenants] does.
func (r *Replica) Tenants() []Tenant { return r.current.Load().Tenants() }

// Drift returns every difference, as [Engine.Drift] does.
func (r *Replica) Drift() []drift.Entry { return r.current.Load().Drift() }

// Unfenced returns the namespaces without a fence, as [Engine.Unfenced] does.
func (r *Replica) Unfenced() []string { return r.current.Load().Unfenced() }

// Owner returns the overlay that owns a namespace, as [Engine.Owner] does.
func (r *Replica) Owner(namespace string) (overlay string, ok bool) {
	return r.current.Load().Owner(namespace)
}

// Run works until ctx is done, and returns when every goroutine it started has.
// The lease is released then.
func (r *Replica) Run(ctx context.Context) error {
	var wg stdsync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() {
		if err := r.cluster.Run(ctx); err != nil {
			r.config.Log.Error("watching the cluster ended", "err", err)
		}
	})
	if r.lease == nil {
		r.term(ctx, r.current.Load())
		return nil
	}
	var before *election
	for ctx.Err() == nil {
		election, err := r.candidate(ctx, before)
		if err != nil {
			return err
		}
		before = election
	}
	if before != nil {
		<-before.ended
	}
	return nil
}

// candidate stands by until the lease is won, then leads until it is lost or ctx
// is done, and gives it back. That may take a while if the API server is away, so it
// returns before; the next candidacy begins when that is done.
func (r *Replica) candidate(ctx context.Context, before *election) (*election, error) {
	name := r.config.manager() // "ringfence" or "ringfence-<instance>"
	election, err := newElection(r.lease, r.config.Log, r.config.Namespace, name, name, func(identity string) {
		r.leader.Store(&identity)
		if identity != "" {
			r.config.Log.Info("there is a leader", "leader", identity, "self", identity == r.lease.Identity)
		}
	})
	if err != nil {
		return nil, err
	}
	electing, stop := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(election.ended)
		if before != nil {
			<-before.ended
		}
		election.elector.Run(electing)
	}()
	defer stop()
	defer close(election.ceased)

	r.until(ctx, election.won, r.engine(true))
	if ctx.Err() != nil {
		return election, nil
	}
	r.config.Log.Info("leading begins")
	e := r.engine(false)
	e.grant = election.grant
	e.since, _ = r.current.Load().ledger.Since(0)
	r.lease.Fence.current.Store(election.grant)
	r.until(ctx, election.grant.done, e)
	r.lease.Fence.current.Store(nil)
	election.grant.end()
	r.config.Log.Info("leading ended")
	return election, nil
}

// until runs a term until a channel is closed or ctx is done.
func (r *Replica) until(ctx context.Context, end <-chan struct{}, e *Engine) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg stdsync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-end:
			cancel()
		}
	})
	r.term(ctx, e)
	cancel()
}

// term runs one engine until ctx is done.
func (r *Replica) term(ctx context.Context, e *Engine) {
	r.mu.Lock()
	r.current.Store(e)
	r.deferred = true
	r.mu.Unlock()
	var wg stdsync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		select {
		case <-ctx.Done():
			return
		case <-e.loaded:
		}
		r.takeOver(ctx, e)
	})
	e.term(ctx)
}

// pollPatience is how long a new leader waits for Git before it goes on with what
// the one before had adopted.
const pollPatience = 5 * time.Second

// takeOver gives a term, whose state is known, the revision to begin with. To a
// leader that is never one that the leader before it had gone beyond: it is what
// that one had adopted, or what Git has now, judged from the floor of the state.
func (r *Replica) takeOver(ctx context.Context, e *Engine) {
	select {
	case <-r.loaded: // there was a term before
	default:
		close(r.loaded)
		r.takenOver(e, nil)
		return
	}
	r.mu.Lock()
	newest := r.newest
	r.mu.Unlock()
	if e.standby {
		r.takenOver(e, newest)
		return
	}
	adopted := e.known.Load().lastAdopted()
	if newest != nil && newest.Revision().Commit == adopted {
		e.Offer(newest) // and at leisure, whatever is newer
		if s, err := r.poll(ctx); err == nil && s.Revision().Commit != adopted {
			r.takenOver(e, s)
			return
		}
		r.takenOver(e, nil)
		return
	}
	s, err := r.poll(ctx)
	if err != nil && ctx.Err() == nil && adopted != "" {
		r.config.Log.Warn("taking over without a fresh look at Git", "revision", short(adopted), "err", err)
		s, err = r.config.Source.At(ctx, adopted)
	}
	if err != nil {
		s = nil // what Git says once it answers will be offered
	}
	r.takenOver(e, s)
}

// poll asks Git, for a while, for the newest revision.
func (r *Replica) poll(ctx context.Context) (*sources.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, pollPatience)
	defer cancel()
	return r.lease.Poll(ctx)
}

// takenOver offers a term its first snapshot, if there is one, and from now on
// whatever is offered.
func (r *Replica) takenOver(e *Engine, s *sources.Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s != nil {
		e.Offer(s)
	}
	r.deferred = false
}

// lastAdopted returns the revision that was adopted last; "" if none ever was.
func (s *state) lastAdopted() string {
	if s.Adopted != "" {
		return s.Adopted
	}
	return s.Applied
}
