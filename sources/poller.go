package sources

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"
)

// Source is what a Poller polls; a *Repository is one.
type Source interface {
	// Poll returns the current snapshot: the very same one as before if nothing has changed. It
	// need not be safe for concurrent use, and retries nothing by itself. An *Error that is
	// Refused is not worth asking again before the next turn of the schedule.
	Poll(ctx context.Context) (*Snapshot, error)
}

// PollerConfig says what is polled, and when.
type PollerConfig struct {
	// Repository is what is polled.
	Repository Source
	// Schedule gives the times, such as those of cron.ParseStandard("@every 30s").
	Schedule cron.Schedule
	// Trigger asks for a poll now. Its sender should use a channel of capacity one and not
	// wait. Nil: none. It must not be closed.
	Trigger <-chan struct{}
	// Notify, if set, is called from Run after each poll that changed the status: a new
	// snapshot, another error, a recovery. The next poll waits until it returns.
	Notify func(Status)
	// Log gets one line when a new revision or error comes up, and one when the error is gone.
	// Nil: slog.Default().
	Log *slog.Logger
}

// Status is what is known of the source after a poll.
type Status struct {
	// Checked is when the last poll ended; zero before the first.
	Checked time.Time
	// Err is how the last poll failed, a refusal included; nil if it did not.
	Err error
	// Revision is the last good revision, whatever has happened since; zero if there is none.
	Revision Revision
	// Refused is the revision that the ref stands at and that is refused; nil if there is none.
	Refused *Refusal
}

// Refusal is a revision that is refused, and why.
type Refusal struct {
	Revision Revision
	Reason   string // rewind, signature or limit
}

// Poller polls a source until it is told to stop.
type Poller struct {
	// Immutable after NewPoller.
	config    PollerConfig
	snapshots chan *Snapshot
	status    atomic.Pointer[Status]

	// Owned by Run.
	last     *Snapshot
	failures int
}

// NewPoller makes a poller. It fails if the repository or the schedule is missing.
func NewPoller(c PollerConfig) (*Poller, error) {
	if c.Repository == nil {
		return nil, errors.New("making a poller: there is no repository")
	}
	if c.Schedule == nil {
		return nil, errors.New("making a poller: there is no schedule")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	p := &Poller{config: c, snapshots: make(chan *Snapshot, 1)}
	p.status.Store(&Status{})
	return p, nil
}

// Snapshots delivers each new snapshot. Only the newest waits for a receiver that is slow: those
// it missed are gone. There must be one receiver. The channel is never closed.
func (p *Poller) Snapshots() <-chan *Snapshot { return p.snapshots }

// Status returns what the last poll found. It is safe for concurrent use.
func (p *Poller) Status() Status { return *p.status.Load() }

// Run polls at once, then whenever the schedule or the trigger says so, until ctx is done; it then
// returns nil. A failure is retried sooner than the schedule says: after about a second, then
// twice as long each time, never later than the schedule's next turn. A refusal is not.
func (p *Poller) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := p.poll(ctx)
		timer := time.NewTimer(p.wait(err, time.Now()))
		select {
		case <-ctx.Done():
		case <-p.config.Trigger:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

func (p *Poller) poll(ctx context.Context) error {
	start := time.Now()
	snap, err := p.config.Repository.Poll(ctx)
	if ctx.Err() != nil {
		return err // whatever it is, it is our own doing
	}
	before := p.Status()
	now := Status{Checked: time.Now(), Err: err, Revision: before.Revision, Refused: refusalIn(err)}
	fresh := err == nil && snap != p.last
	if err == nil {
		p.last, p.failures = snap, 0
		now.Revision = snap.Revision()
	}
	p.status.Store(&now)
	turned := p.report(ctx, before, now, fresh, time.Since(start))
	if fresh {
		p.deliver(snap)
	}
	if p.config.Notify != nil && (fresh || turned) {
		p.config.Notify(now)
	}
	return err
}

// refusalIn is the refusal that an error tells of; nil if it tells of none.
func refusalIn(err error) *Refusal {
	if e, ok := errors.AsType[*Error](err); ok && e.Refused() {
		return &Refusal{Revision: e.Revision, Reason: e.Reason}
	}
	return nil
}

// report logs what is new and tells whether the error is another one than before.
func (p *Poller) report(ctx context.Context, before, now Status, fresh bool, took time.Duration) bool {
	was, is := text(before.Err), text(now.Err)
	switch {
	case is != "" && is != was:
		reason := ""
		if e, ok := errors.AsType[*Error](now.Err); ok {
			reason = e.Reason
		}
		p.config.Log.WarnContext(ctx, "polling the source fails", "reason", reason, "err", is)
	case is == "" && was != "":
		p.config.Log.InfoContext(ctx, "polling the source works again", "revision", now.Revision.Short())
	}
	if fresh {
		p.config.Log.InfoContext(ctx, "new revision", "revision", now.Revision.Short(), "took", took.Round(time.Millisecond))
	}
	return is != was
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// deliver puts a snapshot in place of one that nobody has taken.
func (p *Poller) deliver(snap *Snapshot) {
	select {
	case <-p.snapshots:
	default:
	}
	p.snapshots <- snap // we alone send, so there is room
}
