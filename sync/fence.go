package sync

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	stdsync "sync"
	"sync/atomic"
	"time"
)

// errNotLeader says that a request was not sent, since this process does not
// lead, or cannot know any more that it does.
var errNotLeader = errors.New("this process does not lead now, so nothing is written")

// Fence stands between the clients of a [Replica] and the API server. It lets a
// request that changes something through only while the lease is held: at the
// moment at which the request is sent, a retry of a client included, and no longer
// than the lease lasts.
type Fence struct{ current atomic.Pointer[grant] }

// NewFence returns a Fence that is shut.
func NewFence() *Fence { return &Fence{} }

// Wrap returns a transport that is fenced.
func (f *Fence) Wrap(next http.RoundTripper) http.RoundTripper { return fencedTransport{f, next} }

type fencedTransport struct {
	fence *Fence
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (f fencedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if changesNothing(r) {
		return f.next.RoundTrip(r)
	}
	g := f.fence.current.Load()
	until, held := g.check(time.Now())
	if !held {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, errNotLeader
	}
	ctx, cancel := context.WithDeadlineCause(r.Context(), until, errNotLeader)
	stop := g.onEnd(cancel)
	end := func() { stop(); cancel() }
	answer, err := f.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	answer.Body = &endingBody{answer.Body, end}
	return answer, nil
}

// endingBody calls end when it is closed.
type endingBody struct {
	io.ReadCloser
	end func()
}

// Close implements io.Closer.
func (b *endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// changesNothing says whether a request leaves the cluster as it is: it reads,
// is a dry run, or asks who may do what.
func changesNothing(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	path := r.URL.Path
	return r.URL.Query().Get("dryRun") == "All" ||
		strings.HasPrefix(path, "/apis/authorization.k8s.io/") || strings.HasPrefix(path, "/apis/authentication.k8s.io/")
}

// grant is one time for which the lease is held. It is extended by renewals, and
// once it is over it stays so: whoever finds out that it was paused for too long
// stops what it does, even where nobody else has taken the lease since.
type grant struct {
	done chan struct{} // closed once the grant is over

	mu      stdsync.Mutex // guards what follows
	until   time.Time     // with the monotonic clock's reading; zero before the first extension
	timer   *time.Timer
	cancels map[*context.CancelFunc]bool // of the requests that are under way
	ended   bool
}

func newGrant() *grant {
	return &grant{done: make(chan struct{}), cancels: map[*context.CancelFunc]bool{}}
}

// end ends the grant, and whatever request is under way.
func (g *grant) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endLocked()
}

func (g *grant) endLocked() {
	if g.ended {
		return
	}
	g.ended = true
	close(g.done)
	if g.timer != nil {
		g.timer.Stop()
	}
	for cancel := range g.cancels {
		(*cancel)()
	}
}

// onEnd makes the grant call cancel when it ends, until stop is called.
func (g *grant) onEnd(cancel context.CancelFunc) (stop func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		cancel()
	}
	g.cancels[&cancel] = true
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.cancels, &cancel)
	}
}

// extend lets the grant last until a time, unless it is over.
func (g *grant) extend(until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.until.IsZero() && g.past(time.Now()) {
		g.endLocked()
	}
	if g.ended {
		return
	}
	g.until = until
	if g.timer != nil {
		g.timer.Stop()
	}
	g.timer = time.AfterFunc(time.Until(until), func() { g.check(time.Now()) })
}

// check says until when the grant lasts, and false if it is over; a nil grant is.
func (g *grant) check(now time.Time) (until time.Time, held bool) {
	if g == nil {
		return time.Time{}, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.past(now) {
		g.endLocked()
	}
	return g.until, !g.ended
}

// past says whether the time is over by either clock: the monotonic one stands
// still while a machine sleeps, the other may be set back.
func (g *grant) past(now time.Time) bool {
	return !now.Before(g.until) || !now.Round(0).Before(g.until.Round(0))
}

// over says whether a grant has come to its end; there is none without a lease,
// which never does.
func (g *grant) over() bool {
	if g == nil {
		return false
	}
	_, held := g.check(time.Now())
	return !held
}
