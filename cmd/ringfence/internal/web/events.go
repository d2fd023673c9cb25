package web

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// eventsPath is where changes are told as they come, as server-sent events: each says that what the daemon knows is not
// what it was, and not what changed. Whoever is slow misses some, and never the last.
const eventsPath = "/api/v1/events"

const (
	lookEvery   = 250 * time.Millisecond // between looks, while somebody listens
	heartbeat   = 15 * time.Second
	eventWithin = 5 * time.Second // for a listener to take what is sent, or to be dropped
	mostStreams = 64
)

// stream tells listeners that something has changed.
type stream struct {
	every     time.Duration
	heartbeat time.Duration
	within    time.Duration
	most      int64
	look      func() uint64 // equal as long as nothing has changed

	listeners atomic.Int64
	ended     chan struct{} // closed once Run ends
	seen      atomic.Pointer[edition]
}

// edition is what is known between two changes.
type edition struct {
	number uint64
	over   chan struct{} // closed by the next
}

func newStream(look func() uint64) *stream {
	s := &stream{every: lookEvery, heartbeat: heartbeat, within: eventWithin, most: mostStreams, look: look, ended: make(chan struct{})}
	s.seen.Store(&edition{over: make(chan struct{})})
	return s
}

// run looks for changes until ctx is done, and says so to changed, which has room for one. Without listeners it does nothing,
// and where looking takes long it looks less often.
func (s *stream) run(ctx context.Context, changed chan<- struct{}) {
	defer close(s.ended)
	last := uint64(0)
	pause := s.every
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if s.listeners.Load() == 0 {
			continue
		}
		began := time.Now()
		if now := s.look(); now != last {
			last = now
			before := s.seen.Load()
			s.seen.Store(&edition{before.number + 1, make(chan struct{})})
			close(before.over)
			select {
			case changed <- struct{}{}:
			default: // somebody will look, and see this too
			}
		}
		pause = max(s.every, 20*time.Since(began))
	}
}

// ServeHTTP sends an event at once, so that whoever comes back after a gap looks again, and one for each change.
func (s *stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.listeners.Add(-1)
	if s.listeners.Add(1) > s.most {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many listen already", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	send := func(text string) bool {
		if out.SetWriteDeadline(time.Now().Add(s.within)) != nil {
			return false // a listener that cannot be dropped is none
		}
		_, err := fmt.Fprint(w, text)
		return err == nil && out.Flush() == nil
	}
	beat := time.NewTicker(s.heartbeat)
	defer beat.Stop()
	for {
		now := s.seen.Load()
		if !send(fmt.Sprintf("event: change\nid: %d\ndata: {}\n\n", now.number)) {
			return
		}
		if !s.wait(r.Context(), now, beat.C, send) {
			return
		}
	}
}

// wait keeps a listener until what is known is over, and reports whether there is more to send.
func (s *stream) wait(ctx context.Context, now *edition, beat <-chan time.Time, send func(string) bool) bool {
	for {
		select {
		case <-now.over:
			return true
		case <-beat:
			if !send(": still here\n\n") {
				return false
			}
		case <-s.ended:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
