package licenses

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// Module is one module that the daemon is made of.
type Module struct {
	// Path is its import path; "std" is Go's standard library.
	Path string
	// Version is empty for the standard library.
	Version string
	// Licenses are the SPDX identifiers of the licences that its files have, in order, each once.
	Licenses []string
	// Texts are these files, and those of notices, by their path from the module's root.
	Texts map[string][]byte
}

// accepted are the licences that the daemon, which is under Apache-2.0, may be shipped with: all but the last ask for
// no more than that they are kept, and the last for the sources of files that were changed, and none were.
var accepted = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

// absent are licence files of what is not compiled in, though its package is.
var absent = []string{
	"src/crypto/internal/boring/LICENSE", // a C library that only GOEXPERIMENT=boringcrypto links, which the image's build never sets
}

// recognised is how much of a file must be the text of licences; the rest are names and headings.
const recognised = 75

// listed is what go list says of a package.
type listed struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{ Dir string }
	}
}

// List returns the modules of which a package is compiled into the daemon of the checkout at source, by path.
func List(ctx context.Context, source string) ([]Module, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-mod=readonly", "-deps", "-json=Dir,Standard,Module", "./cmd/ringfence")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the daemon's packages: %w\n%s", err, &stderr)
	}
	modules := map[string]*Module{}
	var problems []error
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading what go list says: %w", err)
		}
		problems = append(problems, add(modules, p))
	}
	var list []Module
	for _, m := range modules {
		problems = append(problems, m.classify())
		list = append(list, *m)
	}
	slices.SortFunc(list, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	return list, errors.Join(problems...)
}

// add reads the licences of a package: those between its folder and the root of its module.
func add(modules map[string]*Module, p listed) error {
	var path, version, root string
	switch {
	case p.Standard:
		path, root = "std", filepath.Dir(filepath.Clean(strings.SplitAfter(p.Dir, string(filepath.Separator)+"src"+string(filepath.Separator))[0]))
	case p.Module.Main:
		return nil
	default:
		path, version, root = p.Module.Path, p.Module.Version, p.Module.Dir
	}
	m := modules[path]
	if m == nil {
		m = &Module{Path: path, Version: version, Texts: map[string][]byte{}}
		modules[path] = m
	}
	for dir := p.Dir; ; dir = filepath.Dir(dir) {
		if err := m.read(root, dir); err != nil {
			return err
		}
		if dir == root || dir == filepath.Dir(dir) {
			return nil
		}
	}
}

var (
	licenseFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([-.].*)?$`)
	noticeFile  = regexp.MustCompile(`(?i)^notice([-.].*)?$`) // Apache-2.0, 4(d): it goes with what is shipped
)

// read reads a folder's licence files.
func (m *Module) read(root, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("looking for licences: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !licenseFile.MatchString(e.Name()) && !noticeFile.MatchString(e.Name()) || filepath.Ext(e.Name()) == ".go" {
			continue
		}
		name, err := filepath.Rel(root, filepath.Join(dir, e.Name()))
		if err != nil || m.Texts[name] != nil || m.Path == "std" && slices.Contains(absent, filepath.ToSlash(name)) {
			continue
		}
		if m.Texts[name], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("reading a licence: %w", err)
		}
	}
	return nil
}

// classify names the module's licences.
func (m *Module) classify() error {
	var problems []error
	for name, text := range m.Texts {
		if noticeFile.MatchString(filepath.Base(name)) {
			continue
		}
		coverage := licensecheck.Scan(text)
		if coverage.Percent < recognised {
			problems = append(problems, fmt.Errorf("%s: only %.0f%% of %s is a licence that is known", m.Path, coverage.Percent, name))
		}
		for _, match := range coverage.Match {
			if match.IsURL {
				continue
			}
			if !slices.Contains(accepted, match.ID) {
				problems = append(problems, fmt.Errorf("%s: %s has the licence %s, which nobody has accepted (licenses/list.go)", m.Path, name, match.ID))
			}
			m.Licenses = append(m.Licenses, match.ID)
		}
	}
	if len(m.Licenses) == 0 && len(problems) == 0 {
		problems = append(problems, fmt.Errorf("%s has no licence file", m.Path))
	}
	slices.Sort(m.Licenses)
	m.Licenses = slices.Compact(m.Licenses)
	return errors.Join(problems...)
}
