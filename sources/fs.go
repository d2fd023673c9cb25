package sources

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"
)

// tree is the file system of a snapshot: every node by its path. Nothing in it changes once it is
// made.
type tree map[string]*node

// node is a file or folder. It is its own fs.FileInfo and fs.DirEntry.
type node struct {
	name     string
	mode     fs.FileMode
	size     int64
	time     time.Time
	hash     Hash
	data     []byte
	children []*node // sorted
	refusal  error   // why it can be seen but not opened
}

func (n *node) Name() string               { return n.name }
func (n *node) Size() int64                { return n.size }
func (n *node) Mode() fs.FileMode          { return n.mode }
func (n *node) Type() fs.FileMode          { return n.mode.Type() }
func (n *node) ModTime() time.Time         { return n.time }
func (n *node) IsDir() bool                { return n.mode.IsDir() }
func (n *node) Sys() any                   { return n.hash }
func (n *node) Info() (fs.FileInfo, error) { return n, nil }
func (n *node) String() string             { return fs.FormatFileInfo(n) }

// refuse is an error of a node that is seen and never followed.
func refuse(what string) error { return &refusalError{what, ErrNotFollowed} }

func tooLarge(size, limit int64) error {
	return &refusalError{fmt.Sprintf("has %d bytes, more than limits.fileBytes=%d allows", size, limit), ErrLimit}
}

// refusalError says what a path is; its message follows the path in an fs.PathError.
type refusalError struct {
	what string
	kind error
}

func (e *refusalError) Error() string { return e.what }
func (e *refusalError) Unwrap() error { return e.kind }

// find returns the node of a path, or why there is none to be had.
func (t tree) find(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if n, ok := t[name]; ok {
		if n.refusal != nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: n.refusal}
		}
		return n, nil
	}
	for up := path.Dir(name); up != "."; up = path.Dir(up) {
		if n, ok := t[up]; ok && n.refusal != nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: &refusalError{fmt.Sprintf("leads through %q, which %s", up, n.refusal), ErrNotFollowed}}
		}
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// Open implements fs.FS.
func (t tree) Open(name string) (fs.File, error) {
	n, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.IsDir() {
		info, err := t.Stat(name)
		return &openFolder{info: info, name: name, entries: n.list()}, err
	}
	return n.open(), nil
}

// ReadFile implements fs.ReadFileFS. The caller owns what it returns.
func (t tree) ReadFile(name string) ([]byte, error) {
	n, err := t.find("read", name)
	if err != nil {
		return nil, err
	}
	if n.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errIsFolder}
	}
	return slices.Concat([]byte{}, n.data), nil
}

// ReadDir implements fs.ReadDirFS.
func (t tree) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errIsFile}
	}
	return n.list(), nil
}

// Stat implements fs.StatFS.
func (t tree) Stat(name string) (fs.FileInfo, error) {
	n, err := t.find("stat", name)
	if err != nil {
		return nil, err
	}
	if name == "." {
		root := *n
		root.name = "."
		return &root, nil
	}
	return n, nil
}

func (n *node) list() []fs.DirEntry {
	entries := make([]fs.DirEntry, len(n.children))
	for i, c := range n.children {
		entries[i] = c
	}
	return entries
}

var (
	errIsFolder = &refusalError{"is a folder", fs.ErrInvalid}
	errIsFile   = &refusalError{"is not a folder", fs.ErrInvalid}
)

// openFile is a file that was opened; it also seeks and reads at an offset.
type openFile struct {
	*bytes.Reader
	node *node
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.node, nil }
func (f *openFile) Close() error               { return nil }

func (n *node) open() fs.File { return &openFile{Reader: bytes.NewReader(n.data), node: n} }

// openFolder is a folder that was opened.
type openFolder struct {
	info    fs.FileInfo
	name    string
	entries []fs.DirEntry // those that were not read yet
}

func (f *openFolder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFolder) Close() error               { return nil }
func (f *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: errIsFolder}
}

// ReadDir implements fs.ReadDirFile.
func (f *openFolder) ReadDir(count int) ([]fs.DirEntry, error) {
	rest := f.entries
	if count > 0 {
		if len(rest) == 0 {
			return nil, io.EOF
		}
		rest = rest[:min(count, len(rest))]
	}
	f.entries = f.entries[len(rest):]
	return rest, nil
}
