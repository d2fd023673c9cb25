package sources_test

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sources"
)

var ordinary = files{
	"ringfence.yaml":                   "kind: Repository\n",
	"base/a.yaml":                      "a: 1\n",
	"base/sub/deep/b.yaml":             "b: 1\n",
	"base.yaml":                        "a name that sorts before a folder's in Git, after it here\n",
	"overlays/acme/kustomization.yaml": "resources: []\n",
	"empty.yaml":                       "",
	"ünïcode/näme.yaml":                "x: y\n",
}

func TestSnapshotIsAFileSystem(t *testing.T) {
	var names []string
	for name := range ordinary {
		names = append(names, name)
	}
	o := serve(t, ordinary)
	folder, err := sources.Folder(o.clone)
	require.NoError(t, err)
	for kind, s := range map[string]*sources.Snapshot{"git": poll(t, o.repository()), "folder": folder} {
		t.Run(kind, func(t *testing.T) {
			require.NoError(t, fstest.TestFS(s.FS(), names...))
			for name, want := range ordinary {
				require.Equal(t, want, read(t, s, name))
				info, err := fs.Stat(s.FS(), name)
				require.NoError(t, err)
				require.EqualValues(t, len(want), info.Size())
				require.Equal(t, sources.Hash(git(t, o.clone, "rev-parse", "HEAD:"+name)), info.Sys())
				require.Equal(t, sources.HashOf([]byte(want)), info.Sys())
			}
			sub, err := fs.Sub(s.FS(), "base")
			require.NoError(t, err)
			require.NoError(t, fstest.TestFS(sub, "a.yaml", "sub/deep/b.yaml"))
			for _, name := range []string{"../x", "/etc/passwd", "base/../ringfence.yaml", "./base", "base/", "", "base//a.yaml", ".."} {
				for op, err := range operations(s.FS(), name) {
					require.ErrorIs(t, err, fs.ErrInvalid, "%s %q", op, name)
				}
			}
			for _, name := range []string{"nothing", "base/nothing", "base/a.yaml/x", ".git", ".git/config", ".GIT/HEAD", `base\a.yaml`} {
				for op, err := range operations(s.FS(), name) {
					require.ErrorIs(t, err, fs.ErrNotExist, "%s %q", op, name)
				}
			}
			data, err := fs.ReadFile(s.FS(), "base/a.yaml")
			require.NoError(t, err)
			clear(data)
			require.Equal(t, "a: 1\n", read(t, s, "base/a.yaml"), "what ReadFile gives is the caller's own")
		})
	}
}

// operations does everything that can be done with a path.
func operations(fsys fs.FS, name string) map[string]error {
	errs := map[string]error{}
	_, errs["open"] = fsys.Open(name)
	_, errs["read"] = fsys.(fs.ReadFileFS).ReadFile(name)
	_, errs["readdir"] = fsys.(fs.ReadDirFS).ReadDir(name)
	_, errs["stat"] = fsys.(fs.StatFS).Stat(name)
	return errs
}

func TestSnapshotInfo(t *testing.T) {
	o := serve(t, ordinary)
	require.NoError(t, os.Chmod(filepath.Join(o.clone, "base", "a.yaml"), 0o755))
	o.commit("executable", nil)
	s := poll(t, o.repository())
	info, err := fs.Stat(s.FS(), "base/a.yaml")
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o555), info.Mode())
	require.Equal(t, s.Revision().Time, info.ModTime())
	info, err = fs.Stat(s.FS(), "base")
	require.NoError(t, err)
	require.Equal(t, sources.Hash(git(t, o.clone, "rev-parse", "HEAD:base")), info.Sys(), "a folder's identity is its tree's")
	f, err := s.FS().Open("base/a.yaml")
	require.NoError(t, err)
	_, err = f.(io.Seeker).Seek(3, io.SeekStart)
	require.NoError(t, err)
	rest, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, "1\n", string(rest))
}

func TestSnapshotPath(t *testing.T) {
	o := serve(t, ordinary)
	for _, path := range []string{"base/sub", "base/sub/", "./base/sub", "base/../base/sub"} {
		s := poll(t, o.repository(func(c *sources.Config) { c.Path = path }))
		require.NoError(t, fstest.TestFS(s.FS(), "deep/b.yaml"))
		for op, err := range operations(s.FS(), "../a.yaml") {
			require.ErrorIs(t, err, fs.ErrInvalid, op)
		}
	}
}

const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"

func TestNeverFollowed(t *testing.T) {
	o := serve(t, files{"good.yaml": "x", "lfs.yaml": pointer, "folder/in.yaml": "x"})
	for name, to := range map[string]string{"inside": "good.yaml", "outside": "/etc/passwd", "up": "../..", "dir": "folder", "loop": "loop"} {
		require.NoError(t, os.Symlink(to, filepath.Join(o.clone, name)))
	}
	head := o.head()
	git(t, o.clone, "add", "--all")
	git(t, o.clone, "update-index", "--add", "--cacheinfo", "160000,"+head+",module")
	git(t, o.clone, "commit", "-q", "-m", "links")
	o.push("HEAD:main")
	folder, err := sources.Folder(o.clone)
	require.NoError(t, err)

	for kind, s := range map[string]*sources.Snapshot{"git": poll(t, o.repository()), "folder": folder} {
		t.Run(kind, func(t *testing.T) {
			refused := map[string]string{
				"inside": "is a symbolic link, which Ringfence never follows", "outside": "is a symbolic link", "up": "is a symbolic link", "dir": "is a symbolic link", "loop": "is a symbolic link",
				"dir/in.yaml": `leads through "dir", which is a symbolic link`, "up/up/x": `leads through "up"`,
				"lfs.yaml": "is a pointer to a file in LFS, which Ringfence never follows",
			}
			types := map[string]fs.FileMode{"inside": fs.ModeSymlink, "outside": fs.ModeSymlink, "dir": fs.ModeSymlink, "good.yaml": 0, "lfs.yaml": 0, "folder": fs.ModeDir}
			if kind == "git" {
				refused["module"], refused["module/x"] = "is a submodule, which Ringfence never follows", `leads through "module", which is a submodule`
				types["module"] = fs.ModeIrregular
			}
			for name, what := range refused {
				for op, err := range operations(s.FS(), name) {
					if name == "lfs.yaml" && op == "readdir" {
						continue
					}
					require.ErrorIs(t, err, sources.ErrNotFollowed, "%s %s", op, name)
					require.ErrorContains(t, err, what)
					require.ErrorContains(t, err, name)
				}
			}
			entries, err := fs.ReadDir(s.FS(), ".")
			require.NoError(t, err)
			seen := map[string]fs.FileMode{}
			for _, e := range entries {
				seen[e.Name()] = e.Type()
			}
			for name, mode := range types {
				require.Equal(t, mode, seen[name], name)
			}
			require.Equal(t, "x", read(t, s, "good.yaml"))
		})
	}
	t.Run("as the path", func(t *testing.T) {
		for _, path := range []string{"dir", "module", "up", "good.yaml"} {
			fails(t, o.repository(func(c *sources.Config) { c.Path = path }), sources.ReasonPath)
		}
	})
}

// Git's own tools do not make such trees; a hostile server, or git mktree, does.
func TestMalformedTrees(t *testing.T) {
	o := serve(t, files{"a": "a"})
	blob := git(t, o.clone, "rev-parse", "HEAD:a")
	for name, entry := range map[string]string{
		"up": "100644 ..", "here": "100644 .", "a path": "100644 x/y", "git": "100644 .gIt", "twice": "100644 a",
	} {
		t.Run(name, func(t *testing.T) {
			raw := "100644 a\x00" + unhex(t, blob) + entry + "\x00" + unhex(t, blob)
			tree := git(t, o.folder, "hash-object", "-t", "tree", "--literally", "-w", file(t, raw))
			commit := git(t, o.folder, "commit-tree", "-m", "hostile", tree)
			git(t, o.folder, "update-ref", "refs/heads/main", commit)
			e := failure(t, o.repository(), sources.ReasonPath)
			require.ErrorContains(t, e, "malformed")
		})
	}
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	var out []byte
	for i := 0; i < len(s); i += 2 {
		var b byte
		_, err := fmt.Sscanf(s[i:i+2], "%02x", &b)
		require.NoError(t, err)
		out = append(out, b)
	}
	return string(out)
}

func TestLimits(t *testing.T) {
	o := serve(t, files{"a.yaml": strings.Repeat("a", 1000), "b/b.yaml": strings.Repeat("b", 1000), "c/c.yaml": "c", "big/big.yaml": strings.Repeat("x", 3000)})
	within := func(l sources.Limits) func(*sources.Config) {
		return func(c *sources.Config) { c.Limits = l }
	}
	for name, test := range map[string]struct {
		limits sources.Limits
		says   string
	}{
		"bytes":  {sources.Limits{TreeBytes: 4999}, "limits.treeBytes=4999"},
		"files":  {sources.Limits{Files: 6}, "limits.files=6"},
		"packet": {sources.Limits{PackBytes: 100}, "larger than 100 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			r := o.repository(within(test.limits))
			e := failure(t, r, sources.ReasonLimit)
			require.ErrorIs(t, e, sources.ErrLimit)
			require.ErrorContains(t, e, test.says)
			require.True(t, e.Refused())
			require.Equal(t, o.head(), e.Revision.Commit)
			o.asked()
			fails(t, r, sources.ReasonLimit)
			require.Equal(t, []string{"refs"}, o.asked(), "what is too much is not fetched again")
		})
	}
	t.Run("exactly", func(t *testing.T) {
		poll(t, o.repository(within(sources.Limits{TreeBytes: 5001, Files: 7, FileBytes: 3000})))
	})
	t.Run("none", func(t *testing.T) {
		poll(t, o.repository(within(sources.Limits{TreeBytes: -1, Files: -1, FileBytes: -1, PackBytes: -1})))
	})
	t.Run("only the path counts", func(t *testing.T) {
		poll(t, o.repository(within(sources.Limits{TreeBytes: 1000}), func(c *sources.Config) { c.Path = "b" }))
	})
	t.Run("one file", func(t *testing.T) {
		s := poll(t, o.repository(within(sources.Limits{FileBytes: 2999})))
		_, err := fs.ReadFile(s.FS(), "big/big.yaml")
		require.ErrorIs(t, err, sources.ErrLimit)
		require.ErrorContains(t, err, "big/big.yaml: has 3000 bytes, more than limits.fileBytes=2999 allows")
		require.Len(t, read(t, s, "a.yaml"), 1000)
	})
	t.Run("depth", func(t *testing.T) {
		deep := strings.Repeat("0123456789/", 400)
		git(t, o.clone, "update-index", "--add", "--cacheinfo", "100644,"+git(t, o.clone, "rev-parse", "HEAD:c/c.yaml")+","+deep+"x")
		git(t, o.clone, "commit", "-q", "-m", "deep")
		o.push("HEAD:main")
		require.ErrorContains(t, failure(t, o.repository(), sources.ReasonLimit), "longer than 4096 bytes")
	})
}

func TestConcurrentReads(t *testing.T) {
	o := serve(t, ordinary)
	r := o.repository()
	s := poll(t, r)
	folder, err := sources.Folder(o.clone)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, fsys := range []fs.FS{s.FS(), folder.FS()} {
				_ = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
					if err == nil && d.Type().IsRegular() {
						_, err = fs.ReadFile(fsys, name)
					}
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
					return nil
				})
			}
		})
		wg.Go(func() {
			if got, err := r.Poll(t.Context()); err != nil || got != s {
				t.Errorf("%v", err)
			}
			r.SetFloor(s.Revision().Commit)
			if _, err := r.At(t.Context(), s.Revision().Commit); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, files{"tree/a.yaml": "a", "tree/big": strings.Repeat("x", int(sources.DefaultFileBytes)+1), "secret": "outside"})
	_, err := sources.Folder(filepath.Join(dir, "nothing"))
	require.ErrorContains(t, err, "no such file or directory")
	_, err = sources.Folder(filepath.Join(dir, "secret"))
	require.Error(t, err)
	require.NoError(t, os.Symlink("tree", filepath.Join(dir, "link")))
	s, err := sources.Folder(filepath.Join(dir, "link"))
	require.NoError(t, err)
	require.Zero(t, s.Revision())
	require.Equal(t, "a", read(t, s, "a.yaml"))
	_, err = fs.ReadFile(s.FS(), "big")
	require.ErrorIs(t, err, sources.ErrLimit)
	require.NoError(t, os.Symlink("../secret", filepath.Join(dir, "tree", "out")))
	for op, err := range operations(s.FS(), "out") {
		require.ErrorIs(t, err, sources.ErrNotFollowed, op)
	}
}
