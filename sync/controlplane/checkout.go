package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	rootModule   = "github.com/ringfence/ringfence"
	calicoModule = "github.com/projectcalico/calico"
)

// sourceDir returns the folder of the program's module: in the checkout around
// the working folder or else in the one that this package was compiled from.
func (p *program) sourceDir() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the checkout: %w", err)
	}
	_, compiled, _, _ := runtime.Caller(0)
	return p.findSource(wd, compiled)
}

// findSource is sourceDir for a working folder and the path of this file when
// it was compiled, which -trimpath makes relative.
func (p *program) findSource(wd, compiled string) (string, error) {
	if source, ok := p.checkoutAround(wd); ok {
		return source, nil
	}
	if filepath.IsAbs(compiled) {
		if source, ok := p.checkoutAround(filepath.Dir(compiled)); ok {
			return source, nil
		}
	}
	return "", fmt.Errorf("%s is built from source: run this inside a checkout of the repository %s with Go in PATH, "+
		"or set %s to a ready binary (see the documentation of package controlplane)", p.what, rootModule, p.variable)
}

// checkoutAround walks up from dir to the root of a checkout and returns the
// folder of the program's module in it.
func (p *program) checkoutAround(dir string) (string, bool) {
	for {
		module := filepath.Join(dir, "sync", "controlplane", p.folder)
		if moduleOf(dir) == rootModule && moduleOf(module) == rootModule+"/sync/controlplane/"+p.folder {
			return module, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// moduleOf returns the path of the module whose root dir is, or "".
func moduleOf(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
			return strings.Trim(strings.TrimSpace(path), `"`)
		}
	}
	return ""
}

// OperatorCRDs returns the path of the file manifests/operator-crds.yaml in
// Calico's module, of the version that the server is built with: the
// definitions of the Tigera operator's kinds (Installation, APIServer and
// others) and Calico's. The module is downloaded if it has to be; the file is
// in the module cache and must not be changed.
func OperatorCRDs(ctx context.Context) (string, error) {
	source, err := serverProgram.sourceDir()
	if err != nil {
		return "", err
	}
	dir, err := moduleDir(ctx, source, "list", "-m", "-json", calicoModule)
	if err == nil && dir == "" {
		dir, err = moduleDir(ctx, source, "mod", "download", "-json", calicoModule)
	}
	if err != nil {
		return "", fmt.Errorf("finding the module %s: %w", calicoModule, err)
	}
	path := filepath.Join(dir, "manifests", "operator-crds.yaml")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("finding the operator's resource definitions: %w", err)
	}
	return path, nil
}

// moduleDir runs the go command in the folder source and returns the Dir of
// the one module that it describes, "" if that is not in the module cache.
func moduleDir(ctx context.Context, source string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = source
	cmd.Env = append(goEnv(), "GOFLAGS=-mod=readonly")
	out, err := cmd.Output()
	var m struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &m); jsonErr == nil && m.Error != "" {
		return "", errors.New(m.Error)
	}
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, lastLines(string(exit.Stderr), 5))
		}
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return m.Dir, nil
}
