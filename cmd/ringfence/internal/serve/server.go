package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Config says what a Server serves, where and how patiently.
type Config struct {
	// Address is HOST:PORT to listen at. Required.
	Address string
	// Handler answers. Required.
	Handler http.Handler
	// Log is told of handlers that panic, and of connections that cannot be accepted. Required.
	Log *slog.Logger
	// Connections is how many may be open; 0 means 512.
	Connections int
	// Times are the patience; the zero value means DefaultTimes.
	Times Times
}

// Times is how long a connection may take for each part of a request. An answer may last longer if its handler
// extends the deadline.
type Times struct{ Headers, Request, Answer, Idle time.Duration }

// DefaultTimes returns what is long enough for an honest client on a bad line.
func DefaultTimes() Times {
	return Times{Headers: 5 * time.Second, Request: 30 * time.Second, Answer: 30 * time.Second, Idle: 2 * time.Minute}
}

const (
	connections = 512
	headerBytes = 16<<10 - 4096 // net/http adds the rest
)

// Server is an HTTP server that listens already.
type Server struct {
	http     *http.Server
	listener net.Listener
}

// Listen takes the address. Nobody is answered before Run; whoever does not run it closes it.
func Listen(ctx context.Context, c Config) (*Server, error) {
	if c.Connections == 0 {
		c.Connections = connections
	}
	if c.Times == (Times{}) {
		c.Times = DefaultTimes()
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Address)
	if err != nil {
		return nil, err
	}
	crowd := newCrowd(c.Connections)
	return &Server{listener: listener, http: &http.Server{
		Handler: crowd.serving(c.Handler), ConnContext: crowd.context, ConnState: crowd.state,
		ReadHeaderTimeout: c.Times.Headers, ReadTimeout: c.Times.Request, WriteTimeout: c.Times.Answer, IdleTimeout: c.Times.Idle,
		MaxHeaderBytes: headerBytes, ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn),
	}}, nil
}

// Address returns where the server listens, with the port that was chosen.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close gives back the address of a server that was not run.
func (s *Server) Close() error { return s.listener.Close() }

// grace is how long requests may take to end when the server is told to stop.
const grace = 2 * time.Second

// Run answers until ctx is done, and returns nil then.
func (s *Server) Run(ctx context.Context) error {
	done := make(chan struct{})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(done)
		<-ctx.Done()
		short, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if s.http.Shutdown(short) != nil {
			_ = s.http.Close()
		}
	}()
	err := s.http.Serve(s.listener)
	stop()
	<-done
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	return nil
}
