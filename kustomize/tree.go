package kustomize

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// form is what stands at a path of the tree.
type form int

const (
	absent form = iota
	regular
	folder
	symlink
	special    // a submodule, device, pipe, …
	unreadable // the tree itself failed
)

// state is what a lookup of one path told. Two equal states of a regular file with
// an identity mean equal content.
type state struct {
	form form
	id   any // what FileInfo.Sys gave, if comparable; otherwise nil
	size int64
	link string // form symlink: the path of the link, which may be a parent
	err  error  // form unreadable
}

// same reports whether s and t surely describe the same content.
func (s state) same(t state) bool {
	if s.form != t.form {
		return false
	}
	switch s.form {
	case absent, folder:
		return true
	case regular:
		return s.id != nil && t.id != nil && s.id == t.id && s.size == t.size
	default:
		return false
	}
}

// tree reads a repository's tree, each file once, for all overlays of one render.
// It never follows a symbolic link.
type tree struct {
	fsys   fs.FS
	limits Limits

	mu    sync.Mutex
	nodes map[string]*node
}

// node is one path of the tree.
type node struct {
	stat          func() state
	parse         func() *source
	kustomization func() *kustomization
	objects       func() *objectFile
}

func newTree(fsys fs.FS, limits Limits) *tree {
	return &tree{fsys: fsys, limits: limits, nodes: map[string]*node{}}
}

func (t *tree) node(p string) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[p]
	if n == nil {
		n = &node{}
		n.stat = sync.OnceValue(func() state { return t.lstat(p) })
		n.parse = sync.OnceValue(func() *source { return t.read(p, n.stat()) })
		n.kustomization = sync.OnceValue(func() *kustomization { return parseKustomization(n.parse()) })
		n.objects = sync.OnceValue(func() *objectFile { return parseObjects(n.parse()) })
		t.nodes[p] = n
	}
	return n
}

// lstat looks a path up, its parents first, so that none of them is a link.
func (t *tree) lstat(p string) state {
	if p != "." {
		parent := t.node(path.Dir(p)).stat()
		switch parent.form {
		case folder:
		case regular:
			return state{form: absent}
		default:
			return parent
		}
	}
	info, err := fs.Lstat(t.fsys, p)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		return state{form: absent}
	case err != nil:
		return state{form: unreadable, err: err}
	case info.Mode()&fs.ModeSymlink != 0:
		return state{form: symlink, link: p}
	case info.IsDir():
		return state{form: folder}
	case !info.Mode().IsRegular():
		return state{form: special}
	}
	return state{form: regular, id: identity(info), size: info.Size()}
}

// identity returns the file's content identity, or nil if it has none.
func identity(info fs.FileInfo) any {
	id := info.Sys()
	if id == nil || !reflect.ValueOf(id).Comparable() {
		return nil
	}
	return id
}

const lfsPointer = "version https://git-lfs.github.com/spec/"

// read reads and parses a regular file.
func (t *tree) read(p string, s state) *source {
	fail := func(message, hint string) *source {
		return &source{name: p, problems: []Problem{{File: p, Message: message, Hint: hint}}}
	}
	limit := t.limits.FileBytes
	tooLarge := func() *source {
		return fail(fmt.Sprintf("the file is larger than %d bytes", limit), "split it, or raise limits.fileBytes")
	}
	if limit > 0 && s.size > limit {
		return tooLarge()
	}
	f, err := t.fsys.Open(p)
	if err != nil {
		return fail(fmt.Sprintf("reading it: %v", err), "")
	}
	defer f.Close()
	in := io.Reader(f)
	if limit > 0 {
		in = io.LimitReader(f, limit+1)
	}
	data, err := io.ReadAll(in)
	switch {
	case err != nil:
		return fail(fmt.Sprintf("reading it: %v", err), "")
	case limit > 0 && int64(len(data)) > limit:
		return tooLarge()
	case strings.HasPrefix(string(data[:min(len(data), len(lfsPointer))]), lfsPointer):
		return fail("the file is a Git LFS pointer, which is never followed", "commit the file itself")
	}
	return parseSource(p, data, t.limits)
}

// session is what the rendering of one overlay (or guard) sees of the tree: it notes
// every lookup, whether it found something or not.
type session struct {
	tree *tree
	seen map[string]state
}

func (t *tree) session() *session {
	return &session{tree: t, seen: map[string]state{}}
}

func (s *session) stat(p string) state {
	st, ok := s.seen[p]
	if !ok {
		st = s.tree.node(p).stat()
		s.seen[p] = st
	}
	return st
}

// files returns the regular files that were looked up, sorted.
func (s *session) files() (files []string) {
	for p, st := range s.seen {
		if st.form == regular {
			files = append(files, p)
		}
	}
	slices.Sort(files)
	return files
}
