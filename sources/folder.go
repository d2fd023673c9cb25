package sources

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// Folder returns a snapshot of a plain working folder, for commands that run without a repository.
// Its revision is zero, since files may differ from any commit. Its file system keeps the
// contract of Snapshot.FS (links are never followed, nothing outside the folder can be reached,
// files past DefaultFileBytes fail) with two differences: it shows files as they are when they are
// read, and Sys reads the file and is "" for folders. Entries named .git are hidden, as they are
// in a commit.
//
// It fails if dir is not a folder that can be opened. dir itself may be a symbolic link.
func Folder(dir string) (*Snapshot, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening folder %q: %w", dir, pathless(err))
	}
	return &Snapshot{fsys: &folder{root}}, nil
}

// folder confines every access to its root: os.Root keeps links from leading out, and the checks
// here keep them from being followed at all.
type folder struct{ root *os.Root }

// find checks every part of a path and returns the state of the last.
func (f *folder) find(op, name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	done := "."
	var info fs.FileInfo
	for part := range strings.SplitSeq(name, "/") {
		if strings.EqualFold(part, ".git") {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		done = path.Join(done, part)
		var err error
		info, err = f.root.Lstat(done)
		if errors.Is(err, syscall.ENOTDIR) {
			err = fs.ErrNotExist // a file has nothing beneath it
		}
		if err != nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: pathless(err)}
		}
		refusal := refusalOf(info)
		if refusal != nil && done != name {
			refusal = &refusalError{fmt.Sprintf("leads through %q, which %s", done, refusal), ErrNotFollowed}
		}
		if refusal != nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: refusal}
		}
	}
	return info, nil
}

func refusalOf(info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return refuse("is a symbolic link, which Ringfence never follows")
	case !mode.IsRegular() && !mode.IsDir():
		return refuse("is neither a file nor a folder")
	case mode.IsRegular() && info.Size() > DefaultFileBytes:
		return tooLarge(info.Size(), DefaultFileBytes)
	}
	return nil
}

// Open implements fs.FS.
func (f *folder) Open(name string) (fs.File, error) {
	info, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return f.openFolder(name, info)
	}
	data, err := f.read("open", name)
	if err != nil {
		return nil, err
	}
	n := &node{name: info.Name(), mode: info.Mode(), size: int64(len(data)), time: info.ModTime(), hash: HashOf(data), data: data}
	return n.open(), nil
}

// openFolder reads the folder's entries at once: they are few, and stay as they were.
func (f *folder) openFolder(name string, info fs.FileInfo) (fs.File, error) {
	entries, err := f.ReadDir(name)
	if err != nil {
		return nil, err
	}
	return &openFolder{info: folderInfo{info, f, name}, name: name, entries: entries}, nil
}

// ReadFile implements fs.ReadFileFS.
func (f *folder) ReadFile(name string) ([]byte, error) {
	info, err := f.find("read", name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errIsFolder}
	}
	return f.read("read", name)
}

// read reads a file that find has accepted.
func (f *folder) read(op, name string) ([]byte, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: pathless(err)}
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, DefaultFileBytes+1))
	switch {
	case err != nil:
		return nil, &fs.PathError{Op: op, Path: name, Err: pathless(err)}
	case int64(len(data)) > DefaultFileBytes:
		return nil, &fs.PathError{Op: op, Path: name, Err: tooLarge(int64(len(data)), DefaultFileBytes)}
	case isPointer(data):
		return nil, &fs.PathError{Op: op, Path: name, Err: refuse("is a pointer to a file in LFS, which Ringfence never follows")}
	}
	return data, nil
}

// ReadDir implements fs.ReadDirFS.
func (f *folder) ReadDir(name string) ([]fs.DirEntry, error) {
	info, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errIsFile}
	}
	found, err := fs.ReadDir(f.root.FS(), name)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: pathless(err)}
	}
	entries := make([]fs.DirEntry, 0, len(found))
	for _, e := range found {
		if !strings.EqualFold(e.Name(), ".git") {
			entries = append(entries, folderEntry{e, f, path.Join(name, e.Name())})
		}
	}
	return entries, nil
}

// Stat implements fs.StatFS.
func (f *folder) Stat(name string) (fs.FileInfo, error) {
	info, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() {
		if _, err := f.read("stat", name); errors.Is(err, ErrNotFollowed) {
			return nil, err
		}
	}
	return folderInfo{info, f, name}, nil
}

type folderEntry struct {
	fs.DirEntry
	in   *folder
	path string
}

func (e folderEntry) Info() (fs.FileInfo, error) {
	info, err := e.DirEntry.Info()
	if err != nil {
		return nil, err
	}
	return folderInfo{info, e.in, e.path}, nil
}

type folderInfo struct {
	fs.FileInfo
	in   *folder
	path string
}

// Name returns the last element of the path, "." for the root.
func (i folderInfo) Name() string { return path.Base(i.path) }

// Sys returns the Hash of the content, which is read for it.
func (i folderInfo) Sys() any {
	if !i.Mode().IsRegular() {
		return Hash("")
	}
	data, err := i.in.read("read", i.path)
	if err != nil {
		return Hash("")
	}
	return HashOf(data)
}
