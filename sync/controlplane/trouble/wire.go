package trouble

import (
	"net"
	"sync"
)

// wire is what all connections of a proxy run over: it can be interrupted.
type wire struct {
	net.Listener

	mu     sync.Mutex
	whole  chan struct{} // closed while the wire is whole
	parted bool
	ends   map[*end]bool
}

func newWire(l net.Listener) *wire {
	w := &wire{Listener: l, whole: make(chan struct{}), ends: map[*end]bool{}}
	close(w.whole)
	return w
}

// part interrupts the wire, or mends it.
func (w *wire) part(parted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case parted && !w.parted:
		w.whole = make(chan struct{})
	case !parted && w.parted:
		close(w.whole)
	}
	w.parted = parted
}

// hangUp ends every connection.
func (w *wire) hangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e := range w.ends {
		_ = e.hangUp()
	}
}

// Accept implements net.Listener. Whoever comes while the wire is interrupted is
// connected, by the kernel, and hears nothing.
func (w *wire) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	e := &end{Conn: c, wire: w, closed: make(chan struct{})}
	w.mu.Lock()
	w.ends[e] = true
	w.mu.Unlock()
	return e, nil
}

// end is the proxy's end of one connection.
type end struct {
	net.Conn
	wire   *wire
	once   sync.Once
	closed chan struct{}
}

// pass waits until the wire is whole.
func (e *end) pass() error {
	for {
		e.wire.mu.Lock()
		whole := e.wire.whole
		e.wire.mu.Unlock()
		select {
		case <-e.closed:
			return net.ErrClosed
		case <-whole:
		}
		e.wire.mu.Lock()
		parted := e.wire.parted
		e.wire.mu.Unlock()
		if !parted {
			return nil
		}
	}
}

// Read implements net.Conn: what comes while the wire is interrupted waits.
func (e *end) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	if interrupted := e.pass(); interrupted != nil && err == nil {
		return 0, interrupted
	}
	return n, err
}

// Write implements net.Conn.
func (e *end) Write(b []byte) (int, error) {
	if err := e.pass(); err != nil {
		return 0, err
	}
	return e.Conn.Write(b)
}

// Close implements net.Conn.
func (e *end) Close() error {
	e.wire.mu.Lock()
	delete(e.wire.ends, e)
	e.wire.mu.Unlock()
	return e.hangUp()
}

// hangUp ends the connection; its owner finds out.
func (e *end) hangUp() error {
	e.once.Do(func() { close(e.closed) })
	return e.Conn.Close()
}
