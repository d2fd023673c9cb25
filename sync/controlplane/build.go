package controlplane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// tick is the pause between two words of comfort during a build.
const tick = 15 * time.Second

// build is one version of a program's binary.
type build struct {
	*program
	source string   // the folder of its module
	flags  []string // of go build
	hash   string   // of everything that makes the binary what it is
}

func newBuild(p *program, source string) (*build, error) {
	mod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return nil, err
	}
	ldflags, err := p.ldflags(mod)
	if err != nil {
		return nil, err
	}
	b := &build{program: p, source: source, flags: []string{
		"-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=" + ldflags,
	}}
	b.hash, err = b.sum()
	return b, err
}

var requireKubernetes = regexp.MustCompile(`(?m)^\s*(?:require\s+)?k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)`)

// kubernetesVersion returns the version of Kubernetes that the go.mod file mod
// requires: the whole, its major and its minor number.
func kubernetesVersion(mod []byte) ([3]string, error) {
	m := requireKubernetes.FindSubmatch(mod)
	if m == nil {
		return [3]string{}, errors.New("go.mod requires no version of k8s.io/kubernetes")
	}
	return [3]string{string(m[1]), string(m[2]), string(m[3])}, nil
}

// versionFlags are the linker's flags by which Kubernetes' own build tells its
// programs their version: what /version and "kubectl version" report.
func versionFlags(v [3]string) string {
	var flags []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			"-X "+pkg+".gitVersion="+v[0], "-X "+pkg+".gitMajor="+v[1], "-X "+pkg+".gitMinor="+v[2])
	}
	return strings.Join(flags, " ")
}

// sum returns the hash of the sources, in the order of their paths, and of how
// they are built.
func (b *build) sum() (string, error) {
	folders, err := sourceFolders(b.source)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH, b.flags)
	for _, folder := range folders {
		if err := b.sumFolder(h, folder); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// sumFolder adds the sources in a folder to h.
func (b *build) sumFolder(h hash.Hash, folder string) error {
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case d.IsDir() || !isSource(d.Name()):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(b.source, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d\n", filepath.ToSlash(rel), len(text))
		h.Write(text)
		return nil
	})
}

// run builds the binary into a new folder beside that of path, which it then
// becomes: path exists whole or not at all.
func (b *build) run(ctx context.Context, path string, log io.Writer) error {
	gobin, err := exec.LookPath("go")
	if err != nil {
		return fmt.Errorf("the go command is needed in PATH, or a ready binary in %s: %w", b.variable, err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(filepath.Dir(path)), "building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // nothing is left of it after the rename
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, gobin, append(append([]string{"build"}, b.flags...), "-o", filepath.Join(tmp, filepath.Base(path)), ".")...)
	cmd.Dir = b.source
	cmd.Env = goEnv()
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // go then ends its compilers
	cmd.WaitDelay = 10 * time.Second

	begun := time.Now()
	fmt.Fprintf(log, "building %s, about %s minutes the first time…\n", b.what, b.minutes)
	stop := every(tick, func() {
		fmt.Fprintf(log, "still building %s (%s)…\n", b.what, time.Since(begun).Round(time.Second))
	})
	err = cmd.Run()
	stop()
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("%w\n%s", err, lastLines(out.String(), 20))
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil { // what a damaged cache may hold there
		return err
	}
	if err := os.Rename(tmp, filepath.Dir(path)); err != nil {
		return err
	}
	fmt.Fprintf(log, "built %s in %s\n", b.what, time.Since(begun).Round(time.Second))
	return nil
}

// goEnv is the environment in which the go command works on a nested
// module, alike on every machine: no workspace, no C.
func goEnv() []string { return append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off") }

// every calls f at each passing of d until the function that it returns is called.
func every(d time.Duration, f func()) (stop func()) {
	ticker, done, ended := time.NewTicker(d), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ticker.C:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
		<-ended
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
