package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Build says which binary is built.
type Build struct {
	// Source is the root of the checkout. Required.
	Source string
	// Version is the release, such as v1.2.3; "" is devel.
	Version string
	// Revision is the commit; "" is unknown.
	Revision string
	// Arch is the machine, as in GOARCH; the operating system is linux. Required.
	Arch string
	// Created is the time of all files, and of the image: that of the commit. Zero is 1970.
	Created time.Time
	// Log gets what the Go tool says. Nil is nowhere.
	Log io.Writer
}

// binary builds the daemon and returns it. Git is not asked (a container build has none of it), paths of the
// machine are left out, and no flag of the environment gets in.
func (b Build) binary(ctx context.Context) ([]byte, error) {
	dir, err := os.MkdirTemp("", "ringfence-image-")
	if err != nil {
		return nil, fmt.Errorf("building the daemon: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ringfence")
	cmd := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", b.ldflags(), "-o", path, "./cmd/ringfence")
	cmd.Dir, cmd.Env = b.Source, b.environment()
	cmd.Stdout, cmd.Stderr = b.Log, b.Log
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("building the daemon for %s: %w", b.Arch, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("building the daemon: %w", err)
	}
	return data, nil
}

func (b Build) ldflags() string {
	flags := "-s -w"
	if b.Version != "" {
		flags += " -X main.version=" + b.Version
	}
	if b.Revision != "" {
		flags += " -X main.revision=" + b.Revision
	}
	return flags
}

// environment is the process's own without what decides how Go compiles.
func (b Build) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains([]string{"GOFLAGS", "GOEXPERIMENT", "GODEBUG", "GOAMD64", "GOARM64", "GOFIPS140", "GOWORK"}, name)
	})
	return append(env, "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+b.Arch, "GOWORK=off")
}

// Files builds the daemon and writes the image's files below dir; see [Unpack].
func Files(ctx context.Context, b Build, dir string) error {
	binary, err := b.binary(ctx)
	if err != nil {
		return err
	}
	return Unpack(dir, binary, b.Created)
}
