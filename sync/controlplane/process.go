package controlplane

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
)

const (
	tailLines = 15      // of the server's log, in an error
	tailBytes = 1 << 16 // read from the log's end to find them
)

// process is a server that runs.
type process struct {
	pid    int
	proc   *os.Process
	done   chan struct{} // closed when it has ended and, if unasked, that has been told
	ready  atomic.Bool   // it has reported that it is
	killed atomic.Bool   // by us
}

// startProcess starts the server and returns when it has reported that it is
// ready. It is what in messages. What it logs goes to the end of the file logPath; log is told if it
// ends unasked later.
func startProcess(ctx context.Context, what, binary string, args, env []string, logPath string, log io.Writer) (*process, error) {
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	from, err := logFile.Seek(0, io.SeekEnd)
	if err != nil {
		logFile.Close()
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = logFile
	cmd.SysProcAttr = dieWithParent()
	// The end of its standard input tells the server that we are gone. The
	// other end is closed on exec, so no other child of ours keeps it open.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		logFile.Close()
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		logFile.Close()
		return nil, err
	}

	p := &process{done: make(chan struct{})}
	started, ready := make(chan error, 1), make(chan bool, 1)
	go p.run(cmd, started, func() {
		stdin.Close()
		logFile.Close()
		if p.ready.Load() && !p.killed.Load() {
			fmt.Fprintf(log, "%s ended by itself (%s)%s\n", what, cmd.ProcessState, tail(logPath, from))
		}
	})
	if err := <-started; err != nil {
		<-p.done
		return nil, err
	}
	go func() { ready <- reportsReady(stdout) }()
	select {
	case ok := <-ready:
		if ok {
			p.ready.Store(true)
			return p, nil
		}
		// It closed its output: it is ending, or does not behave.
		p.kill()
		return nil, fmt.Errorf("it ended before it was ready (%s)%s", cmd.ProcessState, tail(logPath, from))
	case <-ctx.Done():
		p.kill()
		return nil, fmt.Errorf("it was not ready in time: %w%s", context.Cause(ctx), tail(logPath, from))
	}
}

// run starts cmd, waits for its end and calls after.
//
// It keeps to one thread from start to end: the kernel's parent of a process
// is the thread that made it, and the death signal that dieWithParent asks for
// would come with the end of that thread, not of the program.
func (p *process) run(cmd *exec.Cmd, started chan<- error, after func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	defer after()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.pid, p.proc = cmd.Process.Pid, cmd.Process
	started <- nil
	_ = cmd.Wait() // how it ended is in cmd.ProcessState
}

// runs reports whether there is a process and it has not ended.
func (p *process) runs() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends the server at once and returns when it is gone. Nothing is lost:
// what etcd answered is in the kernel's hands.
func (p *process) kill() {
	p.killed.Store(true)
	_ = p.proc.Kill() // fails only if it is gone
	<-p.done
}

// reportsReady reads the server's output up to the line that says that it is
// ready, and reports whether that came. It does not close r.
func reportsReady(r io.Reader) bool {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if bytes.Contains(lines.Bytes(), []byte(`"ready":true`)) {
			return true
		}
	}
	return false
}

// tail returns the last lines of what was written to the log since the offset
// from, to stand at the end of an error.
func tail(logPath string, from int64) string {
	f, err := os.Open(logPath)
	if err != nil {
		return ""
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	text, err := io.ReadAll(io.NewSectionReader(f, max(from, size-tailBytes), tailBytes))
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	return "; its log ends with:\n\t" + strings.Join(lines, "\n\t")
}
