package sources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// connectFile starts Git's own upload-pack on a folder, uninfluenced by the user's configuration
// save for safe.directory, which Git wants nowhere else. The session ends when ctx does.
func connectFile(ctx context.Context, at location) (session, error) {
	folder := filepath.FromSlash(at.path)
	if _, err := os.Stat(folder); err != nil {
		return nil, &fault{reason: ReasonNotFound, err: fmt.Errorf("there is no such folder: %w", pathless(err))}
	}
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, &fault{reason: ReasonUnreachable, err: errors.New("a file URL needs a git executable, and there is none in PATH"), hint: "install Git, or serve the repository over https or ssh"}
	}
	cmd := exec.CommandContext(ctx, git, "upload-pack", folder)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_PROTOCOL=")
	cmd.WaitDelay = 5 * time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	said := newFirstLine()
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting git: %w", err)
	}
	wait := sync.OnceValue(cmd.Wait)
	return &piped{
		in: in, out: out,
		stderr: func() string {
			_ = in.Close()
			_ = wait()
			return said.String()
		},
		end: func() error {
			_ = out.Close()
			_ = wait() // how it ended says nothing that its output did not
			return nil
		},
	}, nil
}

// firstLine is a writer that keeps the first line that says something. It is safe for concurrent
// use.
type firstLine struct {
	mu   sync.Mutex
	text []byte
}

func newFirstLine() *firstLine { return &firstLine{} }

func (f *firstLine) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if room := errorBodyBytes - len(f.text); room > 0 {
		f.text = append(f.text, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (f *firstLine) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for line := range strings.Lines(string(f.text)) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "remote:"))
		if strings.Trim(line, "=* ") != "" && !strings.HasPrefix(line, "Warning: Permanently added") {
			return line
		}
	}
	return ""
}
