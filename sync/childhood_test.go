package sync

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sync/controlplane/trouble"
)

// nursery starts daemons in processes of their own, one at a time, on one proxy.
type nursery struct {
	testing.TB
	proxy  *trouble.Proxy
	config childConfig
	log    string                              // what all of them say
	wrote  func(code int, uid, version string) // what they wrote; may be nil
	*child
}

// child is one that runs, or did.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	ready chan struct{} // closed once the state is known
	done  chan struct{} // closed once it has ended
	died  string        // the moment at which it killed itself; known once done
	halts chan struct{} // capacity one: it has stopped itself
}

// newNursery prepares a place for daemons of one instance, which reach the API server
// through the proxy.
func newNursery(t testing.TB, proxy *trouble.Proxy, c childConfig) *nursery {
	t.Helper()
	dir := t.TempDir()
	text, err := proxy.Kubeconfig()
	require.NoError(t, err)
	c.Kubeconfig, c.Data = filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "data")
	require.NoError(t, os.WriteFile(c.Kubeconfig, text, 0o600))
	n := &nursery{TB: t, proxy: proxy, config: c, log: filepath.Join(dir, "log")}
	t.Cleanup(n.kill)
	return n
}

// start starts a daemon; it does not wait until it is ready.
func (n *nursery) start() {
	n.Helper()
	config, err := json.Marshal(n.config)
	require.NoError(n, err)
	self, err := os.Executable()
	require.NoError(n, err)
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(n, err)
	defer log.Close()
	c := &child{cmd: exec.Command(self), ready: make(chan struct{}), done: make(chan struct{}), halts: make(chan struct{}, 1)}
	c.cmd.Env = append(os.Environ(), asChild+"="+string(config), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	c.cmd.Stderr = log
	c.in, err = c.cmd.StdinPipe()
	require.NoError(n, err)
	out, err := c.cmd.StdoutPipe()
	require.NoError(n, err)
	require.NoError(n, c.cmd.Start())
	n.child = c
	go func() {
		defer close(c.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
			case "ready":
				close(c.ready)
			case "dies":
				c.died = rest
			case "halts":
				trigger(c.halts)
			case "wrote":
				var code int
				var uid, version string
				_, _ = fmt.Sscan(rest, &code, &uid, &version)
				if n.wrote != nil {
					n.wrote(code, uid, version)
				}
			}
		}
		_ = c.cmd.Wait() // how it ended is in its state
	}()
}

// runs says whether the daemon has not ended.
func (n *nursery) runs() bool {
	if n.child == nil {
		return false
	}
	select {
	case <-n.done:
		return false
	default:
		return true
	}
}

// tell says a line to the daemon; one that has ended does not hear it.
func (n *nursery) tell(format string, args ...any) { fmt.Fprintf(n.in, format+"\n", args...) }

// poll makes it look for a new revision.
func (n *nursery) poll() { n.tell("poll") }

// arm makes it kill itself when it passes the moment for the nth time.
func (n *nursery) arm(moment string, nth int) { n.tell("arm %d %s", nth, moment) }

// kill ends it with SIGKILL.
func (n *nursery) kill() {
	if n.runs() {
		_ = n.cmd.Process.Kill()
		<-n.done
	}
}

// stop ends it in order.
func (n *nursery) stop() {
	n.Helper()
	require.NoError(n, n.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-n.done:
	case <-time.After(20 * time.Second):
		n.Fatal("it does not end on SIGTERM")
	}
}

// pause stops it where it is; it goes on with resume.
func (n *nursery) pause() { require.NoError(n, n.cmd.Process.Signal(syscall.SIGSTOP)) }

func (n *nursery) resume() { require.NoError(n, n.cmd.Process.Signal(syscall.SIGCONT)) }

// said returns the last lines of what the daemons logged.
func (n *nursery) said(lines int) string {
	text, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
