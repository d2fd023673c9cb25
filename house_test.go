package ringfence_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const modulePath = "github.com/ringfence/ringfence"

// sourceFile is one parsed Go file of the repository, nested modules included.
type sourceFile struct {
	path string // from the repository's root, with slashes
	test bool
	ast  *ast.File
}

// folder returns the folder of the file, "." for the root.
func (f sourceFile) folder() string { return path.Dir(f.path) }

// imports returns the folders of our packages that the file imports, "." for the root.
func (f sourceFile) imports() (folders []string) {
	for _, spec := range f.ast.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has refused it already
		}
		if imported == modulePath {
			folders = append(folders, ".")
		} else if rest, ok := strings.CutPrefix(imported, modulePath+"/"); ok {
			folders = append(folders, rest)
		}
	}
	return folders
}

type goSources struct {
	fset  *token.FileSet
	files []sourceFile
	err   error
}

// parseSources reads every Go file under the root but those in dot-folders and testdata.
var parseSources = sync.OnceValue(func() (s goSources) {
	s.fset = token.NewFileSet()
	s.err = filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(name):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		file, err := parser.ParseFile(s.fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s.files = append(s.files, sourceFile{path: filepath.ToSlash(name), test: strings.HasSuffix(name, "_test.go"), ast: file})
		return nil
	})
	return s
})

func skipped(folder string) bool {
	base := filepath.Base(folder)
	return base == "testdata" || len(base) > 1 && strings.HasPrefix(base, ".")
}

func loadSources(t *testing.T) goSources {
	t.Helper()
	s := parseSources()
	require.NoError(t, s.err)
	require.NotEmpty(t, s.files)
	return s
}

// Only the rooms stand at the top: what else is needed lives inside the room that it serves.
func TestOnlyRoomsAtTheTop(t *testing.T) {
	rooms := []string{"base", "cmd", "drift", "kustomize", "overlays", "sources", "sync"}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			assert.Contains(t, rooms, e.Name(), "folder at the top that is no room")
		}
	}
}

// room says what the code of a folder, and of the folders below it that are no rooms of
// their own, may import of ours beside itself.
type room struct {
	folder  string
	imports []string
}

var rooms = []room{
	{"sources", nil},
	{"kustomize", nil},
	{"kustomize/valid", nil},
	{"drift", []string{"kustomize"}},
	{"drift/reach", nil},
	{"drift/reach/oracle", []string{"drift/reach", "kustomize/valid"}},
	{"sync", []string{"sources", "kustomize", "drift"}},
	{"sync/controlplane", nil},
	{"sources/gitserver", nil},
	{"cmd", []string{".", "sources", "kustomize", "drift", "sync", "sync/controlplane", "sources/gitserver"}},
	{".", nil},
}

// props are rooms that stand in for the world outside: tests everywhere may use them, and of
// the code only cmd, for the demo.
var props = []string{"sync/controlplane", "sources/gitserver", "."}

func within(folder, room string) bool {
	return folder == room || strings.HasPrefix(folder, room+"/")
}

// roomOf returns the innermost room of a folder.
func roomOf(folder string) (found room, ok bool) {
	for _, r := range rooms {
		if within(folder, r.folder) && len(r.folder) >= len(found.folder) {
			found, ok = r, true
		}
	}
	return found, ok
}

// mayImport reports whether a file of room from may import our package in folder to.
func mayImport(from room, to string, test bool) bool {
	target, ok := roomOf(to)
	switch {
	case !ok:
		return false
	case target.folder == from.folder:
		return true
	case target.folder == "cmd":
		return false
	case slices.Contains(props, target.folder):
		return test || slices.Contains(from.imports, target.folder)
	case from.folder == ".":
		return test
	}
	return slices.ContainsFunc(append(from.imports, inner(from)...), func(allowed string) bool {
		return within(target.folder, allowed)
	})
}

// inner returns what lies below a room: a room may import the rooms inside it.
func inner(r room) (folders []string) {
	for _, other := range rooms {
		if other.folder != r.folder && within(other.folder, r.folder) {
			folders = append(folders, other.folder)
		}
	}
	return folders
}

// Imports point one way: sources, kustomize, drift/reach and the props know nothing of ours,
// drift knows kustomize, sync knows those, cmd wires all and nobody knows cmd.
func TestImportsPointOneWay(t *testing.T) {
	for _, file := range loadSources(t).files {
		from, ok := roomOf(file.folder())
		if !assert.True(t, ok, "%s is in no room", file.path) {
			continue
		}
		for _, to := range file.imports() {
			assert.True(t, mayImport(from, to, file.test), "%s must not import %s", file.path, to)
		}
	}
}

// The rule itself, on examples: a table that allowed everything would go unnoticed above.
func TestImportRule(t *testing.T) {
	tests := []struct {
		from, to string
		test     bool
		want     bool
	}{
		{from: "drift", to: "kustomize", want: true},
		{from: "drift", to: "kustomize/kinds", want: true},
		{from: "drift", to: "drift/reach", want: true},
		{from: "drift/reach", to: "drift", want: false},
		{from: "drift/reach", to: "kustomize", want: false},
		{from: "drift/reach/oracle/felix", to: "drift/reach", want: true},
		{from: "drift/reach/oracle/felix", to: "drift", want: false},
		{from: "drift", to: "sync", want: false},
		{from: "kustomize", to: "kustomize/kinds", want: true},
		{from: "kustomize", to: "drift", want: false},
		{from: "sources", to: "kustomize", want: false},
		{from: "sync", to: "sync/gate", want: true},
		{from: "sync/gate", to: "drift/reach", want: true},
		{from: "sync", to: "sources", want: true},
		{from: "sync", to: "sync/controlplane", want: false},
		{from: "sync", to: "sync/controlplane", test: true, want: true},
		{from: "sync", to: "sources/gitserver", want: false},
		{from: "sync/controlplane", to: "sync", want: false},
		{from: "sources/gitserver", to: "sources", want: false},
		{from: "cmd/ringfence", to: "sync/controlplane", want: true},
		{from: "cmd/ringfence", to: ".", want: true},
		{from: "sync", to: ".", want: false},
		{from: "sync", to: "cmd/ringfence/internal/app", test: true, want: false},
		{from: "cmd/ringfence", to: "cmd/ringfence/internal/app", want: true},
		{from: ".", to: "kustomize", want: false},
		{from: ".", to: "kustomize", test: true, want: true},
		{from: "sync", to: "nowhere", want: false},
	}
	for _, tt := range tests {
		from, ok := roomOf(tt.from)
		require.True(t, ok, tt.from)
		assert.Equal(t, tt.want, mayImport(from, tt.to, tt.test), "%s imports %s (test: %v)", tt.from, tt.to, tt.test)
	}
}
