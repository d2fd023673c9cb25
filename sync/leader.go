package sync

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/ringfence/ringfence/sources"
)

// Lease says how the processes of one instance choose the one that writes.
type Lease struct {
	// Kube reads and writes the Lease. Its requests must not pass Fence. Required.
	Kube Kube
	// Fence is what the requests of all clients of Config pass. Required.
	Fence *Fence
	// Poll asks Git for the newest revision now. Required.
	Poll func(ctx context.Context) (*sources.Snapshot, error)
	// Identity tells the processes apart; "" means the host's name and a random part.
	Identity string
	// Address is where the other replicas reach this one, as IP:PORT, which they learn from the lease (see
	// [Replica.LeaderAddress]); "" means nowhere.
	Address string
	// Duration is how long the lease is held after a renewal, in whole seconds; 0
	// means 10 s. Another process takes over a lease that was not renewed for so long,
	// as it has seen it. What this one writes ends a tenth of it earlier.
	Duration time.Duration
	// Renew is after how long without a renewal the leader gives up; 0 means six
	// tenths of Duration.
	Renew time.Duration
	// Retry is the pause between renewals, and between looks at the lease of another
	// (these up to 2.2 times as long, at random); 0 means a tenth of Duration.
	Retry time.Duration
}

func (l *Lease) complete() error {
	if l.Kube == nil || l.Fence == nil || l.Poll == nil {
		return errors.New("sync.NewReplica: Lease needs Kube, Fence and Poll")
	}
	if l.Identity == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("finding out the host's name: %w", err)
		}
		l.Identity = host + "_" + rand.Text()
	}
	if l.Address != "" {
		l.Identity += "_" + l.Address
	}
	if l.Duration == 0 {
		l.Duration = 10 * time.Second
	}
	if l.Renew == 0 {
		l.Renew = l.Duration * 6 / 10
	}
	if l.Retry == 0 {
		l.Retry = l.Duration / 10
	}
	return nil
}

// election is one candidacy of a process: it ends when it has led and does not
// any more.
type election struct {
	lease   *Lease
	grant   *grant
	elector *leaderelection.LeaderElector
	won     chan struct{} // closed once it leads
	ceased  chan struct{} // closed once nothing is written any more
	ended   chan struct{} // closed once the lease is given back, or cannot be
	refused *grantWarning
}

// newElection makes a candidacy for the lease of a name; told is called with the
// identity of each new leader.
func newElection(l *Lease, log logger, namespace, name, manager string, told func(identity string)) (*election, error) {
	e := &election{
		lease: l, grant: newGrant(), won: make(chan struct{}), ceased: make(chan struct{}), ended: make(chan struct{}),
		refused: &grantWarning{warn: func(err error) {
			log.Warn("the lease may not be used: this replica never leads", "err", err)
		}},
	}
	lock := &grantingLock{election: e, manager: manager, LeaseLock: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Name: name, Namespace: namespace},
		Client:     l.Kube.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: l.Identity},
	}}
	var err error
	e.elector, err = leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, Name: name, LeaseDuration: l.Duration, RenewDeadline: l.Renew, RetryPeriod: l.Retry, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(e.won) },
			OnStoppedLeading: e.grant.end,
			OnNewLeader:      told,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the leader election: %w", err)
	}
	return e, nil
}

// grantingLock is the Lease; each success of a request to take or renew it
// extends the grant, from the moment at which the request was sent.
type grantingLock struct {
	*resourcelock.LeaseLock
	election *election
	manager  string
	holder   string // as it was read last
}

// Get implements resourcelock.Interface.
func (l *grantingLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.LeaseLock.Get(ctx)
	if err == nil {
		l.holder = record.HolderIdentity
	}
	l.election.refused.about(err)
	return record, raw, err
}

// Create implements resourcelock.Interface. It makes the namespace if need be.
func (l *grantingLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	start := time.Now()
	err := l.LeaseLock.Create(ctx, record)
	if apierrors.IsNotFound(err) {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.LeaseMeta.Namespace}}
		_, err = l.election.lease.Kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{FieldManager: l.manager})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
		start = time.Now()
		err = l.LeaseLock.Create(ctx, record)
	}
	l.granted(start, err)
	return err
}

// Update implements resourcelock.Interface. The lease is released only when
// nothing is written under it any more, and only if it is ours: the elector, which
// reads it anew for that, goes by what it saw before, and would take the lease
// from the leader that came after a pause of ours.
func (l *grantingLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if record.HolderIdentity == "" {
		l.election.grant.end()
		select {
		case <-l.election.ceased:
		case <-ctx.Done():
			return ctx.Err()
		}
		if l.holder != l.election.lease.Identity {
			return fmt.Errorf("the lease is %s's", l.holder)
		}
		return l.LeaseLock.Update(ctx, record)
	}
	start := time.Now()
	err := l.LeaseLock.Update(ctx, record)
	l.granted(start, err)
	return err
}

// granted extends the grant by a lease that was taken or renewed. A tenth of it
// is left for clocks that differ in speed, and for requests that are under way.
func (l *grantingLock) granted(start time.Time, err error) {
	l.election.refused.about(err)
	if err == nil {
		l.election.grant.extend(start.Add(l.election.lease.Duration * 9 / 10))
	}
}
