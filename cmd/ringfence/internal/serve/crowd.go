package serve

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// crowd bounds the open connections of a server. One that has no request in hand waits, be it idle, new or slow with its
// headers; where there are too many, the one that has waited longest is closed.
type crowd struct {
	most int

	mu      sync.Mutex
	waiting *list.List                 // of net.Conn, guarded by mu; longest first
	open    map[net.Conn]*list.Element // guarded by mu; nil: it has a request in hand
}

func newCrowd(most int) *crowd {
	return &crowd{most: most, waiting: list.New(), open: map[net.Conn]*list.Element{}}
}

// state follows http.Server.ConnState.
func (c *crowd) state(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if leaves := c.comes(conn); leaves != nil {
			_ = leaves.Close() // the server notices, and says that it is closed
		}
	case http.StateClosed, http.StateHijacked:
		c.mu.Lock()
		defer c.mu.Unlock()
		if place := c.open[conn]; place != nil {
			c.waiting.Remove(place)
		}
		delete(c.open, conn)
	case http.StateActive, http.StateIdle: // serving knows better: an active one may be slow with its headers
	}
}

// comes counts a connection, and returns the one that must go for it.
func (c *crowd) comes(conn net.Conn) (leaves net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= c.most {
		first := c.waiting.Front()
		if first == nil {
			c.open[conn] = nil
			return conn // all others have requests in hand
		}
		leaves = c.waiting.Remove(first).(net.Conn) //nolint:errcheck // the list holds nothing else
		delete(c.open, leaves)
	}
	c.open[conn] = c.waiting.PushBack(conn)
	return leaves
}

type connKey struct{}

// context follows http.Server.ConnContext.
func (c *crowd) context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// serving tells of each connection that it has a request in hand as long as next answers it.
func (c *crowd) serving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connKey{}).(net.Conn)
		c.begins(conn)
		defer c.ends(conn)
		next.ServeHTTP(w, r)
	})
}

func (c *crowd) begins(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if place := c.open[conn]; place != nil {
		c.waiting.Remove(place)
		c.open[conn] = nil
	}
}

func (c *crowd) ends(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if place, open := c.open[conn]; open && place == nil {
		c.open[conn] = c.waiting.PushBack(conn)
	}
}
