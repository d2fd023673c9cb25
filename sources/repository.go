package sources

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// Repository watches one ref of one remote. It is safe for concurrent use; calls of Poll and At
// take turns.
type Repository struct {
	// Immutable after New.
	config     Config
	at         location
	root       string
	constraint *semver.Constraints
	limits     Limits
	metrics    *Metrics
	log        *slog.Logger

	floor atomic.Pointer[plumbing.Hash]

	// turn holds a token while nobody is polling; it guards what follows.
	turn    chan struct{}
	lock    *os.File
	store   *store
	last    *Snapshot // the last one that Poll accepted
	earlier *Snapshot // the last one that At read
	refused *refusal
	// considered is the floor that last was judged against since it was set.
	considered plumbing.Hash
	warned     sync.Once
}

// refusal remembers what was refused, so that it is judged and counted once.
type refusal struct {
	at   target
	base plumbing.Hash
	err  *Error
}

// New checks c, all of it at once: its error joins a *FieldError for each fault. It does not use
// the network, and makes nothing on disk.
func New(c Config) (*Repository, error) {
	at, constraint, err := validate(c)
	if err != nil {
		return nil, err
	}
	root, err := treePath(c.Path)
	if err != nil {
		return nil, err
	}
	r := &Repository{config: c, at: at, root: root, constraint: constraint, limits: c.Limits.effective(), metrics: c.Metrics, log: c.Log, turn: make(chan struct{}, 1)}
	if r.metrics == nil {
		r.metrics = NewMetrics(nil)
	}
	if r.log == nil {
		r.log = slog.Default()
	}
	if r.config.Timeout == 0 {
		r.config.Timeout = DefaultTimeout
	}
	r.turn <- struct{}{}
	return r, nil
}

// URL returns the repository's URL without secrets.
func (r *Repository) URL() string { return r.at.String() }

// SetFloor names the commit that the next accepted one must descend from as long as Poll has
// accepted none, or none that descends from it, by its full hash: the last applied revision, as it
// is known after a restart, or from the process that led before. It
// need not be in the store or on the remote. "" and anything that is not a full hash stand for
// none. The store keeps the commit, so that At can still give it after a rewind.
func (r *Repository) SetFloor(commit string) {
	if !fullHash.MatchString(commit) {
		r.floor.Store(nil)
		return
	}
	h := plumbing.NewHash(commit)
	r.floor.Store(&h)
}

// Poll asks the remote where the ref stands. If it has not moved since the last accepted revision,
// Poll returns the very same *Snapshot, after nothing but a listing of refs. Otherwise it fetches,
// checks and returns a new one.
//
// Its error is an *Error, or wraps ctx's if ctx was cancelled. The last good snapshot is then
// nil here and stays with the caller. A revision that was refused is not judged again until the
// ref moves: the same error is returned, after nothing but a listing of refs.
func (r *Repository) Poll(ctx context.Context) (*Snapshot, error) {
	snap, err := r.do(ctx, "polling", r.poll)
	if e, ok := errors.AsType[*Error](err); ok {
		r.metrics.failed(e)
	}
	return snap, err
}

// At returns the snapshot of an older commit, by its full hash: from the store, or fetched if the
// store has lost it. It judges no ancestry and does not change what Poll returns. Its error is an
// *Error: ErrNoCommit if neither the store nor the remote has the commit.
func (r *Repository) At(ctx context.Context, commit string) (*Snapshot, error) {
	return r.do(ctx, "reading commit "+printable(commit, 40)+" of", func(ctx context.Context, s secrets) (*Snapshot, error) {
		return r.older(ctx, s, commit)
	})
}

// Close gives the store back to other processes. The snapshots stay usable; Poll and At take the
// store again.
func (r *Repository) Close() error {
	<-r.turn
	defer func() { r.turn <- struct{}{} }()
	if r.lock == nil {
		return nil
	}
	var err error
	if r.store != nil {
		err = r.store.Close()
	}
	err = errors.Join(err, r.lock.Close())
	r.lock, r.store = nil, nil
	return err
}

// do runs work when it is its turn, within the timeout, with the store open; once more with a
// fresh store if the first run found damage.
func (r *Repository) do(parent context.Context, op string, work func(context.Context, secrets) (*Snapshot, error)) (*Snapshot, error) {
	select {
	case <-r.turn:
		defer func() { r.turn <- struct{}{} }()
	case <-parent.Done():
		return nil, fmt.Errorf("%s %s: %w", op, r.at, context.Cause(parent))
	}
	ctx := parent
	if r.config.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(parent, r.config.Timeout)
		defer cancel()
	}
	s, err := loadSecrets(r.config.Auth, r.config.TLS)
	if err != nil {
		return nil, r.explain(op, s, err)
	}
	r.warn(s)
	snap, err := r.attempt(ctx, s, work)
	if _, damaged := errors.AsType[*damage](err); damaged && ctx.Err() == nil {
		r.log.WarnContext(ctx, "store is damaged, fetching anew", "err", r.explain(op, s, err).Err)
		if err = r.reset(); err == nil {
			snap, err = r.attempt(ctx, s, work)
		}
	}
	if err != nil {
		return nil, r.failed(parent, ctx, op, s, err)
	}
	return snap, nil
}

// failed tells three ends apart: the caller's, the timeout's, and all others.
func (r *Repository) failed(parent, ctx context.Context, op string, s secrets, err error) error {
	switch {
	case parent.Err() != nil:
		return fmt.Errorf("%s %s: %w", op, r.at, context.Cause(parent))
	case ctx.Err() != nil:
		err = &fault{reason: ReasonTimeout, err: fmt.Errorf("it took longer than %s: %w", r.config.Timeout, ctx.Err()), hint: "a first fetch of a long history may need a longer source.timeout"}
	}
	return r.explain(op, s, err)
}

func (r *Repository) attempt(ctx context.Context, s secrets, work func(context.Context, secrets) (*Snapshot, error)) (*Snapshot, error) {
	if err := r.open(); err != nil {
		return nil, err
	}
	if floor := r.floor.Load(); floor != nil && r.store.has(*floor) {
		if err := r.store.setRef(refFloor, *floor); err != nil {
			return nil, err
		}
	}
	return work(ctx, s)
}

// open takes the lock and opens the store, unless that was done.
func (r *Repository) open() error {
	if r.lock == nil {
		lock, err := lockStore(r.config.Dir)
		if err != nil {
			return err
		}
		r.lock = lock
	}
	if r.store == nil {
		s, err := openStore(filepath.Join(r.config.Dir, r.at.folder()))
		if err != nil {
			return err
		}
		r.store = s
	}
	return nil
}

// reopen closes the store and opens it again, after files of it have changed.
func (r *Repository) reopen() error {
	_ = r.store.Close()
	r.store = nil
	return r.open()
}

// reset throws the store away.
func (r *Repository) reset() error {
	folder := filepath.Join(r.config.Dir, r.at.folder())
	if r.store != nil {
		_ = r.store.Close()
		r.store = nil
	}
	if err := os.RemoveAll(folder); err != nil {
		return unusable(err)
	}
	return nil
}

// warn says once that credentials can be read on the way.
func (r *Repository) warn(s secrets) {
	if r.at.scheme == "http" && (s.password != "" || s.token != "") {
		r.warned.Do(func() { r.log.Warn("credentials travel unencrypted over http", "url", r.at.String()) })
	}
}

func (r *Repository) poll(ctx context.Context, s secrets) (*Snapshot, error) {
	start := time.Now()
	if r.config.Ref.Commit != "" && r.last != nil {
		r.metrics.unchanged()
		return r.last, nil
	}
	if r.config.Ref.Commit != "" {
		if snap, err := r.stored(ctx, plumbing.NewHash(r.config.Ref.Commit)); err == nil {
			return r.accept(ctx, snap, start)
		}
	}
	if err := r.reconsider(ctx); err != nil {
		return nil, err
	}
	sess, err := r.connect(ctx, s)
	if err != nil {
		return nil, err
	}
	defer sess.Close()
	refs, err := sess.AdvertisedReferencesContext(ctx)
	if err != nil {
		return nil, err
	}
	t, err := resolve(r.config.Ref, r.constraint, refs)
	if err != nil {
		return nil, err
	}
	if r.last != nil && r.last.at.same(t) {
		r.refused = nil
		r.metrics.unchanged()
		return r.last, nil
	}
	if r.refused != nil && r.refused.at.same(t) && r.refused.base == r.base() {
		return nil, r.refused.err
	}
	snap, err := r.advance(ctx, sess, refs, t)
	if err != nil {
		return nil, r.refuse(t, s, err)
	}
	return r.accept(ctx, snap, start)
}

// advance fetches what t names and judges it.
func (r *Repository) advance(ctx context.Context, sess session, refs *packp.AdvRefs, t target) (*Snapshot, error) {
	if err := r.bring(ctx, sess, refs, t); err != nil {
		return nil, err
	}
	c, err := r.store.commit(t.hash)
	if errors.Is(err, errNotCommit) {
		return nil, &fault{reason: ReasonRef, err: fmt.Errorf("%s does not name a commit", t.name)}
	}
	if err != nil {
		return nil, err
	}
	rev := revisionOf(c, t.name)
	if err := r.forward(ctx, t, c, rev, refs); err != nil {
		return nil, err
	}
	snap, err := r.read(ctx, c, rev)
	if err != nil {
		return nil, err
	}
	snap.at = t
	return snap, nil
}

// bring makes sure that the store has what t names, with all of its history.
func (r *Repository) bring(ctx context.Context, sess session, refs *packp.AdvRefs, t target) error {
	if r.store.ref(refFetched) == t.hash {
		return nil
	}
	if t.name == "" {
		if err := r.fetchCommit(ctx, sess, refs, t.hash); err != nil {
			return err
		}
	} else if err := r.fetch(ctx, sess, refs, []plumbing.Hash{t.hash}); err != nil {
		return err
	}
	if !r.store.has(t.hash) {
		return &damage{fmt.Errorf("the pack does not hold %s", t.hash)}
	}
	return r.store.setRef(refFetched, t.hash)
}

// read makes the snapshot of a commit of the store. The commit's own hash is checked too.
func (r *Repository) read(ctx context.Context, c *object.Commit, rev Revision) (*Snapshot, error) {
	check := &reader{store: r.store}
	if _, err := check.object(c.Hash, plumbing.CommitObject); err != nil {
		return nil, err
	}
	files, err := readTree(ctx, r.store, c, r.root, r.limits, r.last.contents())
	if err != nil {
		if f, ok := errors.AsType[*fault](err); ok && f.reason == ReasonLimit {
			f.revision = rev
		}
		return nil, err
	}
	return &Snapshot{revision: rev, fsys: files}, nil
}

// accept makes snap the last one.
func (r *Repository) accept(ctx context.Context, snap *Snapshot, start time.Time) (*Snapshot, error) {
	if err := r.store.setRef(refAccepted, plumbing.NewHash(snap.revision.Commit)); err != nil {
		return nil, err
	}
	r.last, r.refused = snap, nil
	r.metrics.changed(snap.revision, time.Since(start))
	r.tidy(ctx)
	return snap, nil
}

// refuse remembers a refusal, and counts it. Other errors pass.
func (r *Repository) refuse(t target, s secrets, err error) error {
	f, ok := errors.AsType[*fault](err)
	if !ok {
		return err
	}
	if f.reason == ReasonLimit && f.revision.Commit == "" {
		f.revision = Revision{Commit: t.hash.String(), Ref: t.name}
	}
	e := r.explain("polling", s, err)
	if e.Refused() {
		r.refused = &refusal{at: t, base: r.base(), err: e}
		r.metrics.refusal(e.Reason)
	}
	return e
}

func revisionOf(c *object.Commit, ref string) Revision {
	return Revision{Commit: c.Hash.String(), Ref: ref, Time: c.Committer.When.UTC(), Subject: subject(c.Message)}
}
