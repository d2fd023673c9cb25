package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patience is how long what must come about may take on a machine that is busy.
const patience = 60 * time.Second

// running returns the address of a server that runs until the test ends.
func running(t *testing.T, c Config) string {
	t.Helper()
	c.Address, c.Log = "127.0.0.1:0", slog.New(slog.DiscardHandler)
	ctx, stop := context.WithCancel(t.Context())
	s, err := Listen(ctx, c)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
	})
	return s.Address()
}

// dial connects, and ends with the test at the latest.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask sends one request by hand and returns the code of the answer.
func ask(t *testing.T, c net.Conn, request string) int {
	t.Helper()
	_, err := io.WriteString(c, request)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	return response.StatusCode
}

const plain = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

var fine = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })

// closes says that the other end closes the connection, whatever it says before.
func closes(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	timeout, ok := err.(net.Error) //nolint:errorlint // it is not wrapped
	require.False(t, ok && timeout.Timeout(), "it is still open")
}

// A connection that sends slowly, or nothing, is closed.
func TestSlowClients(t *testing.T) {
	const short = 50 * time.Millisecond
	reads := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		assert.Error(t, err, "the body does not come")
		w.WriteHeader(http.StatusBadRequest)
	})
	for _, tt := range []struct {
		name, sends string
		times       Times
		handler     http.Handler
	}{
		{"nothing", "", Times{Headers: short, Request: time.Hour, Answer: time.Hour, Idle: time.Hour}, fine},
		{"half a header", "GET / HTTP/1.1\r\nX-A", Times{Headers: short, Request: time.Hour, Answer: time.Hour, Idle: time.Hour}, fine},
		{"half a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx", Times{Headers: time.Hour, Request: short, Answer: time.Hour, Idle: time.Hour}, reads},
		{"nothing after a request", plain, Times{Headers: time.Hour, Request: time.Hour, Answer: time.Hour, Idle: short}, fine},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, running(t, Config{Handler: tt.handler, Times: tt.times}))
			_, err := io.WriteString(c, tt.sends)
			require.NoError(t, err)
			closes(t, c)
		})
	}
}

// One that reads slowly is closed too, but an answer may ask for more time.
func TestSlowReaders(t *testing.T) {
	ended := make(chan error, 1)
	endless := func(extends bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if extends {
				assert.NoError(t, http.NewResponseController(w).SetWriteDeadline(time.Time{}))
			}
			chunk := make([]byte, 1<<16)
			for {
				if _, err := w.Write(chunk); err != nil {
					ended <- err
					return
				}
			}
		}
	}
	times := Times{Headers: time.Hour, Request: time.Hour, Answer: 50 * time.Millisecond, Idle: time.Hour}
	c := dial(t, running(t, Config{Handler: endless(false), Times: times}))
	_, err := io.WriteString(c, plain)
	require.NoError(t, err)
	select {
	case err := <-ended:
		require.ErrorContains(t, err, "timeout")
	case <-time.After(patience):
		require.Fail(t, "it writes for ever")
	}

	sent := make(chan struct{})
	events := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		assert.NoError(t, rc.SetWriteDeadline(time.Time{}))
		assert.NoError(t, rc.Flush())
		<-sent
		assert.NoError(t, r.Context().Err(), "the time for the request has nothing to do with that for the answer")
		_, err := io.WriteString(w, "late")
		assert.NoError(t, err)
	})
	times.Request = times.Answer
	c = dial(t, running(t, Config{Handler: events, Times: times}))
	_, err = io.WriteString(c, plain)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	time.Sleep(2 * times.Answer)
	close(sent)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, "late", string(body))
}

func TestHeaderLimit(t *testing.T) {
	address := running(t, Config{Handler: fine})
	assert.Equal(t, 200, ask(t, dial(t, address), "GET / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 15<<10)+"\r\n\r\n"))
	assert.Equal(t, 431, ask(t, dial(t, address), "GET / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 17<<10)+"\r\n\r\n"))
}

// Ten thousand connections that do nothing, or stop in the middle of their headers, neither fill the memory nor keep anybody out.
func TestIdleCrowd(t *testing.T) {
	many := 10000
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if room := int(limit.Cur) - 2*connections - 200; room < many {
		t.Logf("the machine allows %d open files", limit.Cur)
		many = room
	}
	require.Greater(t, many, 2*connections, "the machine allows fewer open files than the test needs")
	address := running(t, Config{Handler: fine, Times: Times{Headers: time.Hour, Request: time.Hour, Answer: time.Hour, Idle: time.Hour}})
	before := memory()
	for i := range many {
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		switch i % 3 {
		case 0:
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nX-") // it may be closed already
		case 1:
			_, _ = io.WriteString(c, plain)
		}
	}
	begun := time.Now()
	assert.Equal(t, 200, ask(t, dial(t, address), plain))
	took, grown := time.Since(begun), memory()-before
	t.Logf("%d connections: %.1f MiB more, answer after %s", many, float64(grown)/(1<<20), took.Round(time.Microsecond))
	assert.Less(t, grown, int64(64<<20), "both ends of them")
}

func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// Of too many connections the one goes that has waited longest, and never one that has a request in hand.
func TestCrowd(t *testing.T) {
	release, inHand := make(chan struct{}), make(chan struct{}, 2)
	held := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			inHand <- struct{}{}
			<-release
		}
		_, _ = io.WriteString(w, "ok")
	})
	address := running(t, Config{Handler: held, Connections: 2})
	first := dial(t, address)
	_, err := io.WriteString(first, "GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	<-inHand
	second, third := dial(t, address), dial(t, address)
	closes(t, second)
	assert.Equal(t, 200, ask(t, third, plain))
	_, err = io.WriteString(third, "GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	<-inHand
	closes(t, dial(t, address)) // both others are in use
	close(release)
	for _, c := range []net.Conn{first, third} {
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, 200, response.StatusCode)
	}
}

// A page on the web whose name points at this machine learns nothing.
func TestHost(t *testing.T) {
	address := running(t, Config{Handler: Local(fine, "workstation")})
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	for host, want := range map[string]int{
		"localhost": 200, "localhost:" + port: 200, "LOCALHOST.": 200, "127.0.0.1:" + port: 200, "127.0.0.2": 200, "[::1]:1": 200, "[::1]": 200, "workstation:80": 200,
		"evil.example.com": 421, "evil.example.com:" + port: 421, "localhost.evil.example.com": 421, "127.0.0.1.evil.example.com": 421,
		"10.0.0.1": 421, "0.0.0.0": 421, "[::ffff:10.0.0.1]": 421, "localhost:x:y": 421,
	} {
		assert.Equal(t, want, ask(t, dial(t, address), fmt.Sprintf("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)), host)
	}
	assert.Equal(t, 200, ask(t, dial(t, address), "GET / HTTP/1.0\r\n\r\n"), "no browser does that")
	for _, absolute := range []string{"GET http://evil.example.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n"} {
		assert.Equal(t, 421, ask(t, dial(t, address), absolute), "the name in the request line counts")
	}
}

// What comes in at another address may use any name.
func TestHostElsewhere(t *testing.T) {
	for address, want := range map[string]bool{"10.0.0.1": false, "127.0.0.1": true, "127.8.0.1": true, "::1": true, "fd00::1": false} {
		r, err := http.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP(address)}), http.MethodGet, "/", http.NoBody)
		require.NoError(t, err)
		assert.Equal(t, want, reached(r), address)
	}
}
