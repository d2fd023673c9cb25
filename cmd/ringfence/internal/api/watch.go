package api

import (
	"context"
	"time"
)

// What is said of a difference, or of the daemon, while drift is watched.
const (
	Appeared  = "appeared"  // a difference that did not stand before
	Changed   = "changed"   // one that stands with other fields, another effect or exposure, or held for another reason
	Corrected = "corrected" // one that the daemon has undone
	Gone      = "gone"      // one that stands no more, not by the daemon's hand
	Lost      = "lost"      // from here on the daemon cannot tell: it does not answer, is not ready, or is blind
	Back      = "back"      // from here on it can again
)

// Change is one thing that happened to the drift, or to what can be known of it.
type Change struct {
	// Time is when it happened by the daemon's clock for Appeared and Corrected, and otherwise when it was noticed.
	Time time.Time `json:"time"`
	// What is one of the words above.
	What string `json:"change"`
	// Difference is what it happened to; nil for Lost and Back.
	Difference *Difference `json:"difference"`
	// Message says why, for Lost; otherwise "".
	Message string `json:"message"`
}

// Watcher notices what changes between one look at the drift and the next. It is for one goroutine.
type Watcher struct {
	client *Client
	tenant string
	now    func() time.Time

	looked    bool // at least once
	lost      bool
	standing  map[identity]Difference
	corrected map[occurrence]bool // what was said of
}

// Watch returns a Watcher of the drift of one tenant, or the [ClusterOverlay]; "" is all.
func (c *Client) Watch(tenant string) *Watcher {
	return &Watcher{client: c, tenant: tenant, now: func() time.Time { return time.Now().UTC() }}
}

// Standing returns how many differences stood at the last look at which the daemon could tell, without those that are ignored,
// and whether there was such a look.
func (w *Watcher) Standing() (n int, looked bool) {
	for _, d := range w.standing {
		if d.Stands() {
			n++
		}
	}
	return n, w.looked
}

// Look asks the daemon and returns what changed since the last look, in the order of time. The first look at which the daemon can
// tell returns no differences: they are what the later ones are compared with. That the daemon cannot tell is said once, and
// is no error; the only error is that of the context.
func (w *Watcher) Look(ctx context.Context) ([]Change, error) {
	rows, lost := w.ask(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case lost != "" && w.lost:
		return nil, nil
	case lost != "":
		w.lost = true
		return []Change{{Time: w.now(), What: Lost, Message: lost}}, nil
	}
	var out []Change
	if w.lost {
		w.lost = false
		out = append(out, Change{Time: w.now(), What: Back})
	}
	changes, err := w.compare(ctx, rows)
	if err != nil {
		return out, err
	}
	return append(out, changes...), nil
}

// ask returns the drift, or why it cannot be told. The status comes first: a daemon that is ready knows its drift, or
// else says of the tenant that it is pending.
func (w *Watcher) ask(ctx context.Context) (rows []Difference, lost string) {
	status, err := w.client.Status(ctx)
	if err != nil {
		return nil, err.Error()
	}
	if why := status.Unsure(); why != "" {
		return nil, why
	}
	if rows, err = w.client.Drift(ctx, w.tenant); err != nil {
		return nil, err.Error()
	}
	return rows, ""
}
