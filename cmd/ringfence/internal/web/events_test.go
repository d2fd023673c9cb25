package web

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// listen opens a stream and returns its lines, after the beginning of the answer.
func listen(t *testing.T, url string) (code int, header http.Header, lines *bufio.Scanner) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response.StatusCode, response.Header, bufio.NewScanner(response.Body)
}

// next returns the next line that begins so.
func next(t *testing.T, lines *bufio.Scanner, begin string) string {
	t.Helper()
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), begin) {
			return lines.Text()
		}
	}
	require.Fail(t, "the stream ended", "%v", lines.Err())
	return ""
}

// Whoever listens hears at once that there is something to look at, hears of each change, and in between that the daemon is
// still there; more than a few do not listen; and all are let go at the end.
func TestEvents(t *testing.T) {
	var state atomic.Uint64
	state.Store(1)
	s := newStream(state.Load)
	s.every, s.heartbeat, s.most = time.Millisecond, 5*time.Millisecond, 2
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.run(ctx, nil) }()

	_, header, lines := listen(t, server.URL)
	assert.Equal(t, "text/event-stream", header.Get("Content-Type"))
	last := next(t, lines, "id:")
	next(t, lines, ":")
	for i := range 3 {
		state.Store(uint64(i + 10))
		id := next(t, lines, "id:")
		assert.NotEqual(t, last, id)
		last = id
	}
	_, _, second := listen(t, server.URL)
	next(t, second, "event: change")
	code, header, _ := listen(t, server.URL)
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Equal(t, "10", header.Get("Retry-After"))

	cancel()
	<-ended
	for _, l := range []*bufio.Scanner{lines, second} {
		for l.Scan() {
		}
		assert.NoError(t, l.Err(), "it ends as it should")
	}
}

// Nobody looks for changes that nobody wants to hear of.
func TestEventsWithoutListeners(t *testing.T) {
	var looks atomic.Int64
	s := newStream(func() uint64 { looks.Add(1); return 0 })
	s.every = time.Microsecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	s.run(ctx, nil)
	assert.Zero(t, looks.Load())
}

// stuck is a connection whose other end takes nothing: what is written waits until the deadline.
type stuck struct{ net.Conn }

// Who takes nothing of what is sent is dropped.
func TestEventsDropTheSlow(t *testing.T) {
	var state atomic.Uint64
	s := newStream(func() uint64 { return state.Add(1) })
	s.every, s.within = time.Microsecond, 20*time.Millisecond
	here, there := net.Pipe() // without a buffer: a write waits for its reader
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(&once{conns: []net.Conn{stuck{there}}, over: t.Context()}) }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go s.run(ctx, nil)

	_, err := io.WriteString(here, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return state.Load() > 0 }, 10*time.Second, time.Millisecond, "it listens")
	require.Eventually(t, func() bool { return s.listeners.Load() == 0 }, 10*time.Second, time.Millisecond, "it is dropped")
}

// once is a listener of given connections.
type once struct {
	conns []net.Conn
	over  context.Context //nolint:containedctx // of the test
}

func (o *once) Accept() (net.Conn, error) {
	if len(o.conns) > 0 {
		c := o.conns[0]
		o.conns = o.conns[1:]
		return c, nil
	}
	<-o.over.Done()
	return nil, net.ErrClosed
}

func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return &net.TCPAddr{} }
