package gitserver

import (
	"bytes"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cgi" //nolint:gosec // G504 is about Go before 1.6.3
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Config says what is served and where.
type Config struct {
	// Dir is the folder that holds the repositories, each a bare one named NAME.git; it is
	// made if it is missing.
	Dir string
	// Listen is the address to listen on. Zero: 127.0.0.1:0, a free port of loopback.
	Listen string
	// User and Password, if set, are asked of every request (basic authentication).
	User, Password string
	// TLS serves https with these certificates. Nil: http.
	TLS *tls.Config
	// Wrap, if set, stands before the handler that serves Git: to count, to break, to delay.
	Wrap func(http.Handler) http.Handler
	// Log gets what http-backend complains about. Nil: nowhere.
	Log *slog.Logger
}

// Server is a Git server that listens.
type Server struct {
	dir      string
	git      string
	scheme   string
	listener net.Listener
	server   *http.Server
	done     chan error
}

// New starts to listen and to serve, until Close. It fails if there is no git with http-backend,
// or the address cannot be had.
func New(c Config) (*Server, error) {
	git, backend, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(c.Dir)
	if c.Dir == "" || err != nil {
		return nil, errors.Join(errors.New("gitserver: Dir is missing"), err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("making the folder of repositories: %w", err)
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for Git: %w", err)
	}
	s := &Server{dir: dir, git: git, scheme: "http", listener: listener, done: make(chan error, 1)}
	if c.TLS != nil {
		s.scheme = "https"
		listener = tls.NewListener(listener, c.TLS.Clone())
	}
	log := slog.DiscardHandler
	if c.Log != nil {
		log = c.Log.Handler()
	}
	s.server = &http.Server{
		Handler:           c.handler(backend, dir, log),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(log, slog.LevelWarn),
	}
	go func() { s.done <- s.server.Serve(listener) }()
	return s, nil
}

// find returns git and its http-backend.
func find() (git, backend string, err error) {
	git, err = exec.LookPath("git")
	if err != nil {
		return "", "", errors.New("serving Git needs a git executable, and there is none in PATH (install Git)")
	}
	out, err := exec.Command(git, "--exec-path").Output()
	if err != nil {
		return "", "", fmt.Errorf("asking git for its --exec-path: %w", err)
	}
	backend = filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, err := exec.LookPath(backend); err != nil {
		return "", "", fmt.Errorf("serving Git needs git http-backend, and %q is not there (some distributions have it in a package of its own, such as git-daemon)", backend)
	}
	return git, backend, nil
}

// URL returns where to clone a repository from and push it to. It holds no password.
func (s *Server) URL(name string) string {
	return s.scheme + "://" + s.listener.Addr().String() + "/" + name + ".git"
}

// Folder returns the folder of a repository.
func (s *Server) Folder(name string) string { return filepath.Join(s.dir, name+".git") }

// Close stops listening, gives running requests two seconds, and ends the rest. The repositories
// stay.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func (c Config) handler(backend, dir string, log slog.Handler) http.Handler {
	env := append(environment(), "GIT_PROJECT_ROOT="+dir, "GIT_HTTP_EXPORT_ALL=1")
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		per := env
		if v := r.Header.Get("Git-Protocol"); v != "" {
			per = append(env[:len(env):len(env)], "GIT_PROTOCOL="+v)
		}
		// http-backend lets whoever has a name push.
		per = append(per[:len(per):len(per)], "REMOTE_USER=git")
		(&cgi.Handler{
			Path:   backend,
			Dir:    dir,
			Env:    per,
			Logger: slog.NewLogLogger(log, slog.LevelWarn),
			Stderr: &lines{slog.New(log)},
		}).ServeHTTP(w, r)
	})
	h = unchunked(h)
	if c.User != "" || c.Password != "" {
		h = authenticated(h, c.User, c.Password)
	}
	if c.Wrap != nil {
		h = c.Wrap(h)
	}
	return h
}

func authenticated(next http.Handler, user, password string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		same := subtle.ConstantTimeCompare([]byte(u), []byte(user)) & subtle.ConstantTimeCompare([]byte(p), []byte(password))
		if same != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "credentials, please", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// unchunked gives a length to requests without one, as CGI wants it: git pushes what is larger
// than a megabyte in chunks.
func unchunked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength >= 0 {
			next.ServeHTTP(w, r)
			return
		}
		spool, err := os.CreateTemp("", "gitserver-")
		if err != nil {
			http.Error(w, "no room for the request", http.StatusInsufficientStorage)
			return
		}
		defer os.Remove(spool.Name())
		defer spool.Close()
		n, err := io.Copy(spool, r.Body)
		if err == nil {
			_, err = spool.Seek(0, io.SeekStart)
		}
		if err != nil {
			http.Error(w, "the request cannot be read", http.StatusBadRequest)
			return
		}
		r = r.Clone(r.Context())
		r.Body, r.ContentLength, r.TransferEncoding = spool, n, nil
		next.ServeHTTP(w, r)
	})
}

// lines logs what is written to it.
type lines struct{ log *slog.Logger }

func (l *lines) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		l.log.Warn("git complains", "reason", string(bytes.TrimSpace(line)))
	}
	return len(p), nil
}
