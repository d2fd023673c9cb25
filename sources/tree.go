package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// pathBytes bounds the length of one path, and with it the depth of a tree.
const pathBytes = 4096

// reader reads the tree of one commit into nodes.
type reader struct {
	store  *store
	limits Limits
	known  map[Hash][]byte // contents of the snapshot before, shared
	time   time.Time
	nodes  map[string]*node
	bytes  int64
}

// readTree reads everything under root of the commit's tree, and checks every hash. Errors are
// *fault for what the commit is to blame for, *damage for what the store is.
func readTree(ctx context.Context, s *store, c *object.Commit, root string, limits Limits, known map[Hash][]byte) (tree, error) {
	r := &reader{store: s, limits: limits, known: known, time: c.Committer.When.UTC(), nodes: map[string]*node{}}
	h, err := r.descend(c.TreeHash, root)
	if err != nil {
		return nil, err
	}
	if err := r.folder(ctx, ".", h); err != nil {
		return nil, err
	}
	return r.nodes, nil
}

// descend finds the tree of a folder.
func (r *reader) descend(h plumbing.Hash, root string) (plumbing.Hash, error) {
	if root == "." {
		return h, nil
	}
	done := "."
	for name := range strings.SplitSeq(root, "/") {
		done = path.Join(done, name)
		entries, err := r.entries(h)
		if err != nil {
			return h, err
		}
		i := slices.IndexFunc(entries, func(e object.TreeEntry) bool { return e.Name == name })
		if i < 0 || entries[i].Mode != filemode.Dir {
			what := "is missing"
			if i >= 0 {
				what = "is not a folder"
			}
			return h, &fault{reason: ReasonPath, err: fmt.Errorf("the folder %q of source.path %s in this revision", done, what)}
		}
		h = entries[i].Hash
	}
	return h, nil
}

// folder reads the tree h as the folder name.
func (r *reader) folder(ctx context.Context, name string, h plumbing.Hash) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	entries, err := r.entries(h)
	if err != nil {
		return err
	}
	dir := &node{name: path.Base(name), mode: fs.ModeDir | 0o555, time: r.time, hash: Hash(h.String())}
	r.nodes[name] = dir
	for _, e := range entries {
		full := path.Join(name, e.Name)
		if err := r.entry(ctx, full, e); err != nil {
			return err
		}
		dir.children = append(dir.children, r.nodes[full])
	}
	slices.SortFunc(dir.children, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	return nil
}

func (r *reader) entry(ctx context.Context, full string, e object.TreeEntry) error {
	switch {
	case len(full) > pathBytes:
		return r.over("the path %q… is longer than %d bytes", full[:80], pathBytes)
	case len(r.nodes) > r.limits.Files:
		return r.over("at %q there are more than limits.files=%d files and folders", full, r.limits.Files)
	case e.Mode == filemode.Dir:
		return r.folder(ctx, full, e.Hash)
	}
	n := &node{name: e.Name, mode: 0o444, time: r.time, hash: Hash(e.Hash.String())}
	r.nodes[full] = n
	switch e.Mode {
	case filemode.Regular, filemode.Deprecated:
	case filemode.Executable:
		n.mode = 0o555
	case filemode.Symlink:
		n.mode, n.refusal = fs.ModeSymlink|0o777, refuse("is a symbolic link, which Ringfence never follows")
		return nil
	default: // submodules, and unknown modes, which go-git reads as such, as Git does
		n.mode, n.refusal = fs.ModeIrregular, refuse("is a submodule, which Ringfence never follows")
		return nil
	}
	return r.file(full, n, e.Hash)
}

func (r *reader) file(full string, n *node, h plumbing.Hash) error {
	size, err := r.store.EncodedObjectSize(h)
	if err != nil {
		return &damage{fmt.Errorf("reading %q: %w", full, err)}
	}
	n.size = size
	if r.bytes += size; r.bytes > r.limits.TreeBytes {
		return r.over("at %q the files exceed limits.treeBytes=%d bytes", full, r.limits.TreeBytes)
	}
	if size > r.limits.FileBytes {
		n.refusal = tooLarge(size, r.limits.FileBytes)
		return nil
	}
	data, ok := r.known[n.hash]
	if !ok {
		if data, err = r.object(h, plumbing.BlobObject); err != nil {
			return fmt.Errorf("reading %q: %w", full, err)
		}
	}
	n.data = data
	if isPointer(data) {
		n.refusal = refuse("is a pointer to a file in LFS, which Ringfence never follows")
	}
	return nil
}

// entries decodes a tree whose hash was checked, and refuses names that cannot be paths.
func (r *reader) entries(h plumbing.Hash) ([]object.TreeEntry, error) {
	data, err := r.object(h, plumbing.TreeObject)
	if err != nil {
		return nil, err
	}
	o := &plumbing.MemoryObject{}
	o.SetType(plumbing.TreeObject)
	if _, err := o.Write(data); err != nil {
		return nil, err
	}
	t := &object.Tree{}
	if err := t.Decode(o); err != nil {
		return nil, malformed("tree %s cannot be decoded: %v", h, err)
	}
	seen := make(map[string]bool, len(t.Entries))
	for _, e := range t.Entries {
		if e.Name == "" || e.Name == "." || e.Name == ".." || strings.ContainsAny(e.Name, "/\x00") || strings.EqualFold(e.Name, ".git") || seen[e.Name] {
			return nil, malformed("tree %s has the entry %q, which Git does not allow there", h, e.Name)
		}
		seen[e.Name] = true
	}
	return t.Entries, nil
}

// object reads an object whole and checks its hash.
func (r *reader) object(h plumbing.Hash, kind plumbing.ObjectType) ([]byte, error) {
	o, err := r.store.EncodedObject(kind, h)
	if err != nil {
		return nil, &damage{fmt.Errorf("object %s: %w", h, err)}
	}
	in, err := o.Reader()
	if err != nil {
		return nil, &damage{fmt.Errorf("object %s: %w", h, err)}
	}
	data, err := io.ReadAll(in)
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, &damage{fmt.Errorf("object %s: %w", h, err)}
	}
	if got := plumbing.ComputeHash(kind, data); got != h {
		return nil, &damage{fmt.Errorf("object %s: its content has the hash %s", h, got)}
	}
	return data, nil
}

func (r *reader) over(format string, args ...any) error {
	return &fault{reason: ReasonLimit, err: fmt.Errorf(format, args...), hint: "take what is not policy out of source.path, or raise the limit"}
}

func malformed(format string, args ...any) error {
	return &fault{reason: ReasonPath, err: fmt.Errorf("malformed: "+format, args...)}
}

// isPointer reports whether content is a pointer of Git LFS instead of a file's own content
// (github.com/git-lfs/git-lfs, docs/spec.md).
func isPointer(data []byte) bool {
	if len(data) >= 1024 {
		return false
	}
	s := string(data)
	return strings.HasPrefix(s, "version https://git-lfs.github.com/spec/") || strings.HasPrefix(s, "version https://hawser.github.com/spec/")
}
