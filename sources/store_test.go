package sources_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sources"
)

func within(dir string) func(*sources.Config) { return func(c *sources.Config) { c.Dir = dir } }

// packs returns the files of a store with a suffix.
func packs(t *testing.T, dir, suffix string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", "objects", "pack", "*"+suffix))
	require.NoError(t, err)
	return found
}

func TestStoreRecovers(t *testing.T) {
	content := many(30, func(i int) (string, string) { return fmt.Sprintf("d%d/f.yaml", i), strings.Repeat("x", i) })
	overwrite := func(t *testing.T, name string, at int64, with string) {
		require.NoError(t, os.Chmod(name, 0o644))
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte(with), at)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	for name, harm := range map[string]func(t *testing.T, dir string){
		"the pack is cut short":  func(t *testing.T, dir string) { require.NoError(t, os.Truncate(packs(t, dir, ".pack")[0], 200)) },
		"the pack is empty":      func(t *testing.T, dir string) { require.NoError(t, os.Truncate(packs(t, dir, ".pack")[0], 0)) },
		"the pack is gone":       func(t *testing.T, dir string) { require.NoError(t, os.Remove(packs(t, dir, ".pack")[0])) },
		"the index is gone":      func(t *testing.T, dir string) { require.NoError(t, os.Remove(packs(t, dir, ".idx")[0])) },
		"the index is cut short": func(t *testing.T, dir string) { require.NoError(t, os.Truncate(packs(t, dir, ".idx")[0], 500)) },
		"the index is garbage": func(t *testing.T, dir string) {
			overwrite(t, packs(t, dir, ".idx")[0], 0, strings.Repeat("garbage ", 200))
		},
		"bytes of the pack are lost": func(t *testing.T, dir string) {
			overwrite(t, packs(t, dir, ".pack")[0], 100, strings.Repeat("\x00", 400))
		},
		"everything is gone": func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(filepath.Dir(filepath.Dir(filepath.Dir(packs(t, dir, ".pack")[0])))))
		},
		"the refs are garbage": func(t *testing.T, dir string) {
			refs, err := filepath.Glob(filepath.Join(dir, "*", "refs", "ringfence", "*"))
			require.NoError(t, err)
			require.NotEmpty(t, refs)
			for _, r := range refs {
				require.NoError(t, os.WriteFile(r, []byte("garbage\n"), 0o644))
			}
		},
		"HEAD and config are garbage": func(t *testing.T, dir string) {
			for _, f := range []string{"HEAD", "config"} {
				found, err := filepath.Glob(filepath.Join(dir, "*", f))
				require.NoError(t, err)
				for _, f := range found {
					require.NoError(t, os.WriteFile(f, []byte("\x00garbage[\n"), 0o644))
				}
			}
		},
		"leftovers of a crash": func(t *testing.T, dir string) {
			pack := packs(t, dir, ".pack")[0]
			require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(pack), "tmp_pack_123"), []byte("half"), 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(pack), "pack-0123456789012345678901234567890123456789.idx"), nil, 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := serve(t, content)
			var log buffer
			configure := func(c *sources.Config) { c.Log = log.log() }
			t.Run("after a restart", func(t *testing.T) {
				dir := t.TempDir()
				first := o.repository(within(dir))
				poll(t, first)
				require.NoError(t, first.Close())
				harm(t, dir)
				o.verify(poll(t, o.repository(within(dir), configure)), content)
			})
			t.Run("while it runs", func(t *testing.T) {
				dir := t.TempDir()
				r := o.repository(within(dir), configure)
				old := poll(t, r)
				harm(t, dir)
				o.verify(old, content)
				o.commit("next", files{"d3/f.yaml": "new"})
				s := poll(t, r)
				require.Equal(t, "new", read(t, s, "d3/f.yaml"))
				require.Equal(t, content["d7/f.yaml"], read(t, s, "d7/f.yaml"))
				require.NoError(t, r.Close())

				again := o.repository(within(dir), configure)
				s = poll(t, again)
				require.Equal(t, content["d7/f.yaml"], read(t, s, "d7/f.yaml"))
				before, err := again.At(t.Context(), old.Revision().Commit)
				require.NoError(t, err)
				o.verify(before, content)
				git(t, filepath.Join(filepath.Dir(packs(t, dir, ".pack")[0]), "..", ".."), "fsck", "--full", "--strict")
			})
			require.LessOrEqual(t, strings.Count(log.String(), "store is damaged"), 2, "once for each time: %s", log.String())
		})
	}
}

// verify reads the whole of a snapshot.
func (o *origin) verify(s *sources.Snapshot, content files) {
	o.t.Helper()
	for name, want := range content {
		require.Equal(o.t, want, read(o.t, s, name))
	}
}

func TestStoreIsLocked(t *testing.T) {
	o := serve(t, files{"a": "a"})
	dir := t.TempDir()
	first, second := o.repository(within(dir)), o.repository(within(dir))
	poll(t, first)
	e := failure(t, second, sources.ReasonStore)
	require.ErrorIs(t, e, sources.ErrLocked)
	require.ErrorContains(t, e, dir)
	require.NoError(t, first.Close())
	poll(t, second)
	_, err := first.Poll(t.Context())
	require.ErrorIs(t, err, sources.ErrLocked, "now the other one has it")
}

func TestStoreCannotBeWritten(t *testing.T) {
	o := serve(t, files{"a": "a"})
	notAFolder := file(t, "x")
	fails(t, o.repository(within(filepath.Join(notAFolder, "store"))), sources.ReasonStore)
}

// A disk that is full is real: a file system of 256 KiB.
func TestStoreDiskFull(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("sources: mounting a small file system needs privileges: %v %s", err, out)
	}
	t.Cleanup(func() { require.NoError(t, exec.Command("umount", dir).Run()) })
	o := serve(t, files{"a": "a"})
	store := filepath.Join(dir, "store")
	r := o.repository(within(store))
	good := poll(t, r)
	random, err := exec.Command("head", "-c", "524288", "/dev/urandom").Output()
	require.NoError(t, err)
	big := o.commit("big", files{"b": string(random)})
	e := failure(t, r, sources.ReasonStore)
	require.ErrorContains(t, e, "no space left on device")
	require.Equal(t, "a", read(t, good, "a"))
	require.NoError(t, exec.Command("mount", "-o", "remount,size=8m", dir).Run())
	require.Equal(t, big, poll(t, r).Revision().Commit, "it recovers without a restart")
}

func TestStoreStaysSmall(t *testing.T) {
	o := serve(t, files{"a": "0"})
	link := filepath.Join(o.clone, "link")
	require.NoError(t, os.Symlink("a", link))
	git(t, o.clone, "update-index", "--add", "--cacheinfo", "160000,"+o.head()+",module")
	first := o.commit("a link and a submodule", nil)
	dir := t.TempDir()
	r := o.repository(within(dir))
	poll(t, r)
	most := 0
	for i := range 36 {
		o.commit(fmt.Sprint(i), files{"a": fmt.Sprint(i)})
		require.Equal(t, fmt.Sprint(i), read(t, poll(t, r), "a"))
		most = max(most, len(packs(t, dir, ".pack")))
	}
	require.LessOrEqual(t, most, 33)
	git(t, filepath.Join(filepath.Dir(packs(t, dir, ".pack")[0]), "..", ".."), "fsck", "--full", "--connectivity-only")
	s, err := r.At(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, "0", read(t, s, "a"), "history is kept")
}

func TestStoreOfAnotherURL(t *testing.T) {
	a, b := serve(t, files{"a": "a"}), serve(t, files{"b": "b"})
	dir := t.TempDir()
	one := a.repository(within(dir))
	poll(t, one)
	require.NoError(t, one.Close())
	_, err := b.repository(within(dir)).At(t.Context(), a.head())
	require.ErrorIs(t, err, sources.ErrNoCommit, "what one URL gave is never taken for another's")
}

func TestAt(t *testing.T) {
	o := serve(t, files{"a": "1"})
	first := o.head()
	o.commit("second", files{"a": "2"})
	dir := t.TempDir()
	r := o.repository(within(dir))
	current := poll(t, r)
	o.asked()

	s, err := r.At(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, "1", read(t, s, "a"))
	require.Equal(t, first, s.Revision().Commit)
	same, err := r.At(t.Context(), first)
	require.NoError(t, err)
	require.Same(t, s, same)
	now, err := r.At(t.Context(), current.Revision().Commit)
	require.NoError(t, err)
	require.Same(t, current, now)
	require.Empty(t, o.asked(), "the store has it all")
	require.Same(t, current, poll(t, r), "At does not change what Poll returns")

	t.Run("the store is lost", func(t *testing.T) {
		r := o.repository()
		s, err := r.At(t.Context(), first)
		require.NoError(t, err)
		require.Equal(t, "1", read(t, s, "a"))
	})
	t.Run("the server gives out any commit", func(t *testing.T) {
		git(t, o.folder, "config", "uploadpack.allowReachableSHA1InWant", "true")
		for commit, good := range map[string]bool{first: true, "0123456789012345678901234567890123456789": false} {
			_, err := o.repository().At(t.Context(), commit)
			require.Equal(t, good, err == nil, "%v", err)
		}
	})
	t.Run("there is none", func(t *testing.T) {
		for _, commit := range []string{"0123456789012345678901234567890123456789", "main", "", git(t, o.clone, "rev-parse", "HEAD:a")} {
			s, err := o.repository().At(t.Context(), commit)
			require.ErrorIs(t, failureOf(t, s, err, sources.ReasonCommit), sources.ErrNoCommit)
		}
	})
}

// The last applied revision must be readable after it was rewound away, to know what left Git.
func TestAtAfterRewind(t *testing.T) {
	o := serve(t, files{"a": "1"})
	first := o.head()
	applied := o.commit("applied", files{"a": "2"})
	r := o.repository(func(c *sources.Config) { c.AllowRewind = true })
	poll(t, r)
	r.SetFloor(applied)
	git(t, o.clone, "reset", "-q", "--hard", first)
	for i := range 34 { // enough to have the store compacted
		o.commit(fmt.Sprint(i), files{"a": fmt.Sprint(i)})
		poll(t, r)
	}
	git(t, o.folder, "reflog", "expire", "--expire=now", "--all")
	git(t, o.folder, "gc", "-q", "--prune=now")
	s, err := r.At(t.Context(), applied)
	require.NoError(t, err)
	require.Equal(t, "2", read(t, s, "a"))
}

func TestShallowRemoteIsRefused(t *testing.T) {
	o := serve(t, files{"a": "1"})
	o.commit("second", nil)
	shallow := filepath.Join(t.TempDir(), "shallow")
	git(t, ".", "clone", "-q", "--depth=1", "file://"+o.folder, shallow)
	fails(t, o.repository(func(c *sources.Config) { c.URL = "file://" + shallow }), sources.ReasonShallow)
}

func TestClose(t *testing.T) {
	o := serve(t, files{"a": "1"})
	r := o.repository()
	require.NoError(t, r.Close())
	s := poll(t, r)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	require.Equal(t, "1", read(t, s, "a"))
	require.Same(t, s, poll(t, r))
}
