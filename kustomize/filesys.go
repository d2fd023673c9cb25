package kustomize

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"sync/atomic"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Where kustomize sees what. Neither is a path of any real file system.
const (
	repositoryMount = "/repository"
	rootMount       = "/ringfence"
)

// approved is the file system that kustomize works on: the files that the pre-flight
// has served, and the root kustomization. Nothing can be written to it.
type approved struct {
	files map[string][]byte // by absolute path
	dirs  map[string]bool
	shut  atomic.Bool // cut off: the render took too long
}

var _ filesys.FileSystem = (*approved)(nil)

func newApproved(served map[string][]byte, root []byte) *approved {
	a := &approved{files: make(map[string][]byte, len(served)+1), dirs: map[string]bool{}}
	add := func(p string, data []byte) {
		a.files[p] = data
		for d := path.Dir(p); !a.dirs[d]; d = path.Dir(d) {
			a.dirs[d] = true
		}
	}
	for p, data := range served {
		add(path.Join(repositoryMount, p), data)
	}
	add(path.Join(rootMount, "kustomization.yaml"), root)
	return a
}

func notExist(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

func readOnly(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrPermission}
}

// ReadFile returns a copy, since kustomize may change what it reads.
func (a *approved) ReadFile(name string) ([]byte, error) {
	if a.shut.Load() {
		return nil, fmt.Errorf("reading %s: cut off", name)
	}
	data, ok := a.files[path.Clean(name)]
	if !ok {
		return nil, notExist("open", name)
	}
	return append([]byte(nil), data...), nil
}

// IsDir reports whether an approved file is below name.
func (a *approved) IsDir(name string) bool { return a.dirs[path.Clean(name)] }

// Exists reports whether name is an approved file or a folder of one.
func (a *approved) Exists(name string) bool {
	name = path.Clean(name)
	_, ok := a.files[name]
	return ok || a.dirs[name]
}

// CleanedAbs splits name as filesys.FileSystem says.
func (a *approved) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	name = path.Join("/", name)
	if a.dirs[name] {
		return filesys.ConfirmedDir(name), "", nil
	}
	if _, ok := a.files[name]; ok {
		return filesys.ConfirmedDir(path.Dir(name)), path.Base(name), nil
	}
	return "", "", notExist("stat", name)
}

// Create refuses.
func (a *approved) Create(name string) (filesys.File, error) { return nil, readOnly("create", name) }

// Mkdir refuses.
func (a *approved) Mkdir(name string) error { return readOnly("mkdir", name) }

// MkdirAll refuses.
func (a *approved) MkdirAll(name string) error { return readOnly("mkdir", name) }

// RemoveAll refuses.
func (a *approved) RemoveAll(name string) error { return readOnly("remove", name) }

// WriteFile refuses.
func (a *approved) WriteFile(name string, _ []byte) error { return readOnly("write", name) }

// Open refuses: rendering reads whole files.
func (a *approved) Open(name string) (filesys.File, error) { return nil, readOnly("open", name) }

// ReadDir refuses: nothing that is rendered here depends on what else a folder holds.
func (a *approved) ReadDir(name string) ([]string, error) { return nil, readOnly("readdir", name) }

// Glob finds nothing, for the same reason.
func (a *approved) Glob(string) ([]string, error) { return nil, nil }

// Walk refuses, for the same reason.
func (a *approved) Walk(name string, _ filepath.WalkFunc) error { return readOnly("walk", name) }
