package sync

import (
	stdsync "sync"
	"time"
)

const (
	// rushFrom is how many tenants are due at once in a rush.
	rushFrom = 64
	// rushCalm is how long fewer must have been due for a rush to be over.
	rushCalm = 5 * time.Second
)

// rush knows whether many tenants are due at once: at the start, and when a base changes.
type rush struct {
	tell func(begins bool) // nil: nobody asks

	mu   stdsync.Mutex
	on   bool
	last time.Time // when so many were due
}

// saw takes in how many tenants are due.
func (r *rush) saw(due int) {
	if r.tell == nil || due < rushFrom {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = time.Now()
	if !r.on {
		r.on = true
		r.tell(true)
		time.AfterFunc(rushCalm, r.look)
	}
}

// look ends a rush that is over, and looks again later if it is not.
func (r *rush) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rest := rushCalm - time.Since(r.last); r.on && rest > 0 {
		time.AfterFunc(rest, r.look)
		return
	}
	r.stop()
}

// end ends a rush, if there is one: nobody works any more.
func (r *rush) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stop()
}

func (r *rush) stop() {
	if r.on {
		r.on = false
		r.tell(false)
	}
}
