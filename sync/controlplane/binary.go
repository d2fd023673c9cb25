package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// stale is how long a binary that nobody asked for stays in the cache.
const stale = 14 * 24 * time.Hour

// Binary returns the path of the server's binary: the one that the environment
// variable RINGFENCE_CONTROLPLANE names or else, in the user's cache folder,
// the one for the sources in this checkout, which it builds if it is not there.
// A build takes minutes; log, or os.Stderr if it is nil, is told how it goes.
// Of several callers, in several processes too, one builds and the others wait.
//
// A version is the server's sources, their go.mod and go.sum, the Go version
// and the flags of the build. Binaries of other versions that nobody has used
// for 14 days are removed after a build.
func Binary(ctx context.Context, log io.Writer) (string, error) {
	return serverProgram.binary(ctx, log)
}

// CalicoBinary is [Binary] for the binary of Calico's API server, which the
// environment variable RINGFENCE_CALICO may name.
func CalicoBinary(ctx context.Context, log io.Writer) (string, error) {
	return calicoProgram.binary(ctx, log)
}

// binary is [Binary] for any program.
func (p *program) binary(ctx context.Context, log io.Writer) (string, error) {
	if log == nil {
		log = os.Stderr
	}
	if named := os.Getenv(p.variable); named != "" {
		return p.checkNamed(named)
	}
	source, err := p.sourceDir()
	if err != nil {
		return "", err
	}
	b, err := newBuild(p, source)
	if err != nil {
		return "", fmt.Errorf("reading the sources of %s: %w", p.what, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache folder for the binary of %s (or name a ready one in %s): %w", p.what, p.variable, err)
	}
	cache = filepath.Join(cache, "ringfence")
	path := filepath.Join(cache, p.prefix+b.hash, p.file)
	if use(path) {
		return path, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder of the binary of %s: %w", p.what, err)
	}
	unlock, err := p.lock(ctx, filepath.Join(cache, p.prefix+b.hash+".lock"), log)
	if err != nil {
		return "", err
	}
	defer unlock()
	if use(path) { // built by whoever had the lock
		return path, nil
	}
	if err := b.run(ctx, path, log); err != nil {
		return "", fmt.Errorf("building %s: %w", p.what, err)
	}
	p.prune(cache, filepath.Dir(path))
	return path, nil
}

// checkNamed returns the absolute path of the binary that the environment
// names.
func (p *program) checkNamed(named string) (string, error) {
	path, err := filepath.Abs(named)
	if err != nil {
		return "", fmt.Errorf("finding the binary of %s that %s names: %w", p.what, p.variable, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("finding the binary of %s that %s names: %w", p.what, p.variable, err)
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("finding the binary of %s that %s names: %s is not an executable file", p.what, p.variable, path)
	}
	return path, nil
}

// use reports whether the binary at path exists, and marks it as used.
func use(path string) bool {
	now := time.Now()
	err := os.Chtimes(path, now, now)
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	_, err = os.Stat(path) // a cache that is read-only cannot be marked
	return err == nil
}

// lock takes the lock file path and returns what gives it back. While another
// process has it, log is told once.
func (p *program) lock(ctx context.Context, path string, log io.Writer) (unlock func(), err error) {
	type result struct {
		unlock func()
		err    error
	}
	got := make(chan result, 1)
	go func() {
		unlock, err := lockedfile.MutexAt(path).Lock()
		got <- result{unlock, err}
	}()
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	for {
		select {
		case r := <-got:
			if r.err != nil {
				return nil, fmt.Errorf("locking the build of %s: %w", p.what, r.err)
			}
			return r.unlock, nil
		case <-patience.C:
			fmt.Fprintf(log, "waiting for another process that builds %s…\n", p.what)
		case <-ctx.Done():
			go func() { // a lock that comes too late is given back
				if r := <-got; r.err == nil {
					r.unlock()
				}
			}()
			return nil, fmt.Errorf("waiting for another process that builds %s: %w", p.what, context.Cause(ctx))
		}
	}
}

// prune removes what is left in the cache of binaries that nobody uses any
// more. It is a courtesy: what cannot be removed stays.
func (p *program) prune(cache, keep string) {
	entries, err := os.ReadDir(cache)
	if err != nil {
		return
	}
	for _, e := range entries {
		dir := filepath.Join(cache, e.Name())
		if !e.IsDir() || !strings.HasPrefix(e.Name(), p.prefix) || dir == keep {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, p.file))
		if err == nil && time.Since(info.ModTime()) > stale {
			_ = os.RemoveAll(dir)
		}
	}
}
