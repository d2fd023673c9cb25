package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Config says what kind of control plane [Start] starts. Its zero value is a
// plain one that is forgotten when it stops.
type Config struct {
	// Dir is the folder of everything that is kept; it is made if it does not
	// exist. One that an earlier control plane used is used again, with its
	// objects, keys and port. Empty: a temporary folder that Stop removes.
	Dir string
	// Calico says how Calico's resources are served. Empty: not at all. A
	// folder that was used before with one way may be used with the other:
	// CalicoAggregated removes what is stored under the definitions of
	// projectcalico.org/v3.
	Calico Calico
	// Fsync makes etcd wait for the disk on each write, which protects
	// against a crash of the machine. False: it does not wait; what was
	// written still survives the death of the process.
	Fsync bool
	// Args are further flags of kube-apiserver, each like "--name=value".
	// They win over those that the server sets itself. Nil: none.
	Args []string
	// Env are further variables "NAME=value" for the server and for Calico's,
	// which have this process's environment. CALICO_K8SCLIENTQPS=50 gives
	// Calico's server the limit that it has by default on real clusters; here
	// it is 5000. Nil: none.
	Env []string
	// Log is told of the progress of a build and, if a server dies by
	// itself, the last lines of its log. Nil: os.Stderr.
	Log io.Writer
}

// ControlPlane is a control plane that runs. Its methods may be called
// concurrently and, Stop apart, go on answering after it has stopped.
type ControlPlane struct {
	dir       string
	temporary bool
	binary    string
	server    *process
	rest      *rest.Config
	flavour   Calico

	calicoBinary string // "" without Calico's API server
	env          []string
	log          io.Writer

	stop sync.Once
	err  error // of stop

	mu      sync.Mutex
	calico  *process // guarded by mu; nil: it does not run
	stopped bool     // guarded by mu
}

// Start starts a control plane and returns when it is ready. ctx bounds the
// start alone, builds of the servers' binaries included: the control plane then
// runs until Stop is called or this process ends. An error of a server that
// did not start holds the last lines of its log, and nothing is left running.
func Start(ctx context.Context, c Config) (*ControlPlane, error) {
	log := c.Log
	if log == nil {
		log = os.Stderr
	}
	log = &lockedWriter{w: log}
	binary, err := Binary(ctx, log)
	if err != nil {
		return nil, err
	}
	p := &ControlPlane{dir: c.Dir, temporary: c.Dir == "", binary: binary, flavour: c.Calico, env: c.Env, log: log}
	if c.Calico == CalicoAggregated {
		if p.calicoBinary, err = CalicoBinary(ctx, log); err != nil {
			return nil, err
		}
	}
	if err := p.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing the control plane's folder: %w", err), p.tidy())
	}
	p.server, err = startProcess(ctx, serverProgram.what, binary, p.args(c), c.Env, p.logFile(), log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the control plane: %w", err), p.tidy())
	}
	if p.rest, err = clientcmd.BuildConfigFromFlags("", p.Kubeconfig()); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the control plane's kubeconfig file: %w", err), p.Stop())
	}
	p.rest.QPS = -1
	if c.Calico == CalicoAggregated {
		if err := p.StartCalico(ctx); err != nil {
			return nil, errors.Join(err, p.Stop())
		}
	}
	return p, nil
}

// prepare makes the folder and what is ours in it.
func (p *ControlPlane) prepare() error {
	if p.temporary {
		dir, err := os.MkdirTemp("", "ringfence-controlplane-")
		if err != nil {
			return err
		}
		p.dir = dir
	}
	abs, err := filepath.Abs(p.dir)
	if err != nil {
		return err
	}
	p.dir = abs
	if err := os.MkdirAll(filepath.Dir(p.Kubectl()), 0o700); err != nil {
		return err
	}
	return writeKubectl(p.Kubectl(), p.binary, p.Kubeconfig())
}

func (p *ControlPlane) args(c Config) []string {
	args := []string{"serve", "--parent", "--data", p.dir}
	if c.Calico != NoCalico {
		args = append(args, "--calico", string(c.Calico))
	}
	if c.Fsync {
		args = append(args, "--fsync")
	}
	if p.temporary {
		args = append(args, "--temporary")
	}
	return append(append(args, "--"), c.Args...)
}

// REST returns the configuration of a client in the group system:masters,
// without a client-side limit. The caller may change it: each call makes a new one.
func (p *ControlPlane) REST() *rest.Config { return rest.CopyConfig(p.rest) }

// Kubeconfig returns the path of a kubeconfig file, readable by its owner
// only, with the same rights as REST. It holds its keys inside.
func (p *ControlPlane) Kubeconfig() string { return filepath.Join(p.dir, "kubeconfig") }

// Kubectl returns the path of an executable file named kubectl that is
// kubectl, in a folder of its own, fit for PATH. Unless it is given
// --kubeconfig it speaks to this control plane, whatever KUBECONFIG says.
func (p *ControlPlane) Kubectl() string { return filepath.Join(p.dir, "bin", "kubectl") }

// Dir returns the absolute path of the folder that holds everything.
func (p *ControlPlane) Dir() string { return p.dir }

// Pid returns the id of the server's process.
func (p *ControlPlane) Pid() int { return p.server.pid }

// Done returns a channel that is closed when the server's process has ended,
// by Stop or by itself.
func (p *ControlPlane) Done() <-chan struct{} { return p.server.done }

// Stop kills the server, and Calico's, waits until they are gone and removes a temporary
// folder. Objects in a folder that the caller named are kept: every write that
// was answered is there at the next start. Calling it again changes nothing
// and returns the same error.
func (p *ControlPlane) Stop() error {
	p.stop.Do(func() {
		p.mu.Lock()
		p.stopped = true
		p.killCalico()
		p.mu.Unlock()
		p.server.kill()
		p.err = p.tidy()
	})
	return p.err
}

// tidy removes a temporary folder.
func (p *ControlPlane) tidy() error {
	if !p.temporary || p.dir == "" {
		return nil
	}
	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("removing the control plane's folder: %w", err)
	}
	return nil
}

func (p *ControlPlane) logFile() string { return filepath.Join(p.dir, "server.log") }

// lockedWriter lets several goroutines write to w.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
