package image

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/elf"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../../.."

// release is the build of these tests.
func release(source string) Build {
	return Build{Source: source, Version: "v1.2.3", Revision: "0123456789ab", Created: time.Unix(1_700_000_000, 0)}
}

// indexOf reads a layout's one index.
func indexOf(t *testing.T, dir string) v1.ImageIndex {
	t.Helper()
	outer, err := layout.ImageIndexFromPath(dir)
	require.NoError(t, err)
	manifest, err := outer.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, 1)
	index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	require.NoError(t, err)
	require.NoError(t, validate.Index(index), "every digest and size is that of what it names")
	return index
}

// imageOf returns an index's image for a machine.
func imageOf(t *testing.T, index v1.ImageIndex, arch string) v1.Image {
	t.Helper()
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	for _, m := range manifest.Manifests {
		if m.Platform.Architecture == arch {
			assert.Equal(t, "linux", m.Platform.OS)
			image, err := index.Image(m.Digest)
			require.NoError(t, err)
			return image
		}
	}
	require.Fail(t, "no image", "for %s", arch)
	return nil
}

// entry is what a layer says of a file.
type entry struct {
	mode  int64
	owner int
	layer int
}

// read returns what is in an image's layers, by name.
func read(t *testing.T, image v1.Image) (entries map[string]entry, data map[string][]byte) {
	t.Helper()
	layers, err := image.Layers()
	require.NoError(t, err)
	entries, data = map[string]entry{}, map[string][]byte{}
	for i, layer := range layers {
		stream, err := layer.Uncompressed()
		require.NoError(t, err)
		r := tar.NewReader(stream)
		for {
			header, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			require.NotContains(t, entries, header.Name, "a name stands once")
			require.Equal(t, header.Uid, header.Gid)
			require.True(t, header.ModTime.Equal(release("").Created), "%s: %s", header.Name, header.ModTime)
			entries[header.Name] = entry{header.Mode, header.Uid, i}
			if header.Typeflag == tar.TypeReg {
				data[header.Name], err = io.ReadAll(r)
				require.NoError(t, err)
				continue
			}
			require.EqualValues(t, tar.TypeDir, header.Typeflag, "no links, no devices")
		}
		require.NoError(t, stream.Close())
	}
	return entries, data
}

// One static binary, certificates, passwd, nothing else: and the same, by digest and by file, when the Dockerfile's own command
// makes it from what its context lets through, at another place.
func TestImage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layout")
	digest, err := Layout(t.Context(), release(root), []string{runtime.GOARCH}, dir)
	require.NoError(t, err)
	image := imageOf(t, indexOf(t, dir), runtime.GOARCH)
	entries, data := read(t, image)

	t.Run("files", func(t *testing.T) {
		assert.Equal(t, map[string]entry{
			"etc/":                              {0o755, 0, 0},
			"etc/passwd":                        {0o644, 0, 0},
			"etc/ssl/":                          {0o755, 0, 0},
			"etc/ssl/certs/":                    {0o755, 0, 0},
			"etc/ssl/certs/ca-certificates.crt": {0o644, 0, 0},
			"var/":                              {0o755, 0, 0},
			"var/lib/":                          {0o755, 0, 0},
			"var/lib/ringfence/":                {0o700, User, 0},
			"ringfence":                         {0o755, 0, 1},
		}, entries)
	})
	t.Run("passwd", func(t *testing.T) {
		assert.Equal(t, users, string(data["etc/passwd"]))
	})
	t.Run("certificates", func(t *testing.T) {
		pem := data["etc/ssl/certs/ca-certificates.crt"]
		pool := x509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM(pem))
		assert.Greater(t, bytes.Count(pem, []byte("BEGIN CERTIFICATE")), 100, "public authorities")
	})
	t.Run("binary", func(t *testing.T) { checkBinary(t, data["ringfence"]) })
	t.Run("configuration", func(t *testing.T) { checkConfig(t, image) })
	t.Run("dockerfile", func(t *testing.T) {
		context := contextOf(t)
		again, err := Layout(t.Context(), release(context), []string{runtime.GOARCH}, filepath.Join(t.TempDir(), "layout"))
		require.NoError(t, err)
		assert.Equal(t, digest, again, "the same sources give the same image, wherever they are")
		checkDockerfile(t, context, entries, data)
	})
}

// checkBinary wants a static binary for Linux, not too large, that says nothing of this machine.
func checkBinary(t *testing.T, binary []byte) {
	t.Helper()
	t.Logf("the binary has %.1f MB", float64(len(binary))/1e6)
	assert.Less(t, len(binary), 100_000_000)
	f, err := elf.NewFile(bytes.NewReader(binary))
	require.NoError(t, err)
	for _, p := range f.Progs {
		assert.NotEqual(t, elf.PT_INTERP, p.Type, "nothing is linked in when it starts")
		assert.NotEqual(t, elf.PT_DYNAMIC, p.Type, "nothing is linked in when it starts")
	}
	here, err := filepath.Abs(root)
	require.NoError(t, err)
	for _, place := range []string{here, os.TempDir() + "/ringfence-image-"} {
		assert.False(t, bytes.Contains(binary, []byte(place)), "it names %s", place)
	}
	assert.True(t, bytes.Contains(binary, []byte("v1.2.3")), "its version")
	assert.True(t, bytes.Contains(binary, []byte("0123456789ab")), "its revision")
}

func checkConfig(t *testing.T, image v1.Image) {
	t.Helper()
	config, err := image.ConfigFile()
	require.NoError(t, err)
	assert.Equal(t, v1.Config{
		User: "65532:65532", Entrypoint: []string{"/ringfence"},
		Labels: map[string]string{
			"org.opencontainers.image.title":    "Ringfence",
			"org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.source":   "https://github.com/ringfence/ringfence",
			"org.opencontainers.image.version":  "v1.2.3",
			"org.opencontainers.image.revision": "0123456789ab",
		},
	}, config.Config)
	assert.Equal(t, "linux/"+runtime.GOARCH, config.Platform().String())
	assert.True(t, config.Created.Equal(release("").Created))
	require.Len(t, config.History, 2, "a line for each layer")
}

// One digest stands for the images of all machines; each has its own binary and the same base.
func TestMachines(t *testing.T) {
	var images []v1.Image
	for _, arch := range []string{"amd64", "arm64"} {
		b := release(root)
		b.Arch = arch
		image, err := b.image([]byte("the binary of " + arch))
		require.NoError(t, err)
		images = append(images, image)
	}
	dir := filepath.Join(t.TempDir(), "layout")
	digest, err := write(images, dir)
	require.NoError(t, err)
	index := indexOf(t, dir)
	got, err := index.Digest()
	require.NoError(t, err)
	assert.Equal(t, got, digest)
	var bases []v1.Hash
	for _, arch := range []string{"amd64", "arm64"} {
		image := imageOf(t, index, arch)
		_, data := read(t, image)
		assert.Equal(t, "the binary of "+arch, string(data["ringfence"]))
		layers, err := image.Layers()
		require.NoError(t, err)
		base, err := layers[0].Digest()
		require.NoError(t, err)
		bases = append(bases, base)
	}
	assert.Equal(t, bases[0], bases[1])

	_, err = write(images, dir)
	assert.ErrorContains(t, err, "exists already", "two releases are never mixed")
}

func TestEpoch(t *testing.T) {
	at, err := Epoch("")
	require.NoError(t, err)
	assert.True(t, at.IsZero())
	assert.EqualValues(t, 0, Build{Created: at}.created().Unix(), "no time is 1970")
	at, err = Epoch("1700000000")
	require.NoError(t, err)
	assert.EqualValues(t, 1700000000, at.Unix())
	_, err = Epoch("today")
	assert.ErrorContains(t, err, "SOURCE_DATE_EPOCH")
}

// A build that fails says why, and leaves no layout behind.
func TestBuildFails(t *testing.T) {
	var log bytes.Buffer
	dir := filepath.Join(t.TempDir(), "layout")
	_, err := Layout(t.Context(), Build{Source: t.TempDir(), Log: &log}, []string{"amd64"}, dir)
	require.ErrorContains(t, err, "building the daemon for amd64")
	assert.Contains(t, log.String(), "go.mod")
	assert.NoDirExists(t, dir)
}
