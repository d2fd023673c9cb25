package drift

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/watch"
)

const (
	// renewal is how long the renewal of a watch may take before what it does not
	// tell meanwhile counts.
	renewal = time.Second
	// silence is how long a watch may tell nothing, not even a bookmark. Where the
	// API server sends bookmarks, it does so about once a minute (Kubernetes API
	// concepts, "watch bookmarks").
	silence = 3 * time.Minute
)

// pulse says when the renewal of a watch takes too long, and cuts a watch that
// stands and tells nothing: a connection that is dead without an end, or a server
// that has forgotten it, looks like a quiet cluster. An API server that never sent a
// bookmark may be silent for ever; the audit finds what its watch has lost.
type pulse struct {
	// lost is called when nothing can be seen. It must not call the pulse.
	lost func(reason error)

	mu       sync.Mutex
	bookmark bool // one came once: they are sent
	hadOne   bool // a watch stood since stood was last asked
	stream   watch.Interface
	silent   *time.Timer // runs while a stream is open
	late     *time.Timer // runs while no watch stands on a whole list
}

// renew notes that no stream is open, and a list or a watch is asked for.
func (p *pulse) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.close()
	if p.late == nil {
		var own *time.Timer
		own = time.AfterFunc(renewal, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.late == own {
				p.lost(fmt.Errorf("%s for %s", noWatch, renewal))
			}
		})
		p.late = own
	}
}

// open takes a stream.
func (p *pulse) open(stream watch.Interface) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.close()
	p.stream, p.silent = stream, time.AfterFunc(silence, func() { p.expire(stream) })
}

// stands notes that the open stream stands on a whole list.
func (p *pulse) stands() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inTime()
	p.hadOne = true
}

// stood says whether a watch stood since it was last asked.
func (p *pulse) stood() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	had := p.hadOne
	p.hadOne = false
	return had
}

// beat notes that something came.
func (p *pulse) beat(bookmark bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bookmark = p.bookmark || bookmark
	if p.silent != nil {
		p.silent.Reset(silence)
	}
}

// end stops every timer.
func (p *pulse) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.close()
	p.inTime()
}

func (p *pulse) close() {
	if p.silent != nil {
		p.silent.Stop()
	}
	p.stream, p.silent = nil, nil
}

func (p *pulse) inTime() {
	if p.late != nil {
		p.late.Stop()
	}
	p.late = nil
}

func (p *pulse) expire(stream watch.Interface) {
	p.mu.Lock()
	dead := p.stream == stream && p.bookmark
	if dead {
		p.lost(fmt.Errorf("nothing was heard of the watch for %s", silence))
	}
	p.mu.Unlock()
	if dead {
		stream.Stop()
	}
}

// noWatch begins what is said of a kind whose watch is late, where nobody has said why.
const noWatch = "no watch stands"
