package image

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Layout builds the daemon for every machine of archs and writes an OCI layout of their images into dir, which
// must not exist. It returns the digest of the index, which is what is deployed, scanned and signed.
func Layout(ctx context.Context, b Build, archs []string, dir string) (v1.Hash, error) {
	var images []v1.Image
	for _, arch := range archs {
		b.Arch = arch
		binary, err := b.binary(ctx)
		if err != nil {
			return v1.Hash{}, err
		}
		image, err := b.image(binary)
		if err != nil {
			return v1.Hash{}, err
		}
		images = append(images, image)
	}
	return write(images, dir)
}

// image returns the image of one machine.
func (b Build) image(binary []byte) (v1.Image, error) {
	config := &v1.ConfigFile{
		OS: "linux", Architecture: b.Arch,
		Created: v1.Time{Time: b.created()},
		Config: v1.Config{
			User:       fmt.Sprintf("%d:%d", User, User),
			Entrypoint: []string{"/ringfence"},
			Labels:     b.labels(),
		},
		RootFS: v1.RootFS{Type: "layers"},
	}
	image, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), config)
	if err != nil {
		return nil, fmt.Errorf("making an image: %w", err)
	}
	for _, files := range [][]file{base(), daemon(binary)} {
		layer, err := b.layer(files)
		if err != nil {
			return nil, err
		}
		image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{
			Created: v1.Time{Time: b.created()}, CreatedBy: "github.com/ringfence/ringfence/ci/release",
		}})
		if err != nil {
			return nil, fmt.Errorf("making an image: %w", err)
		}
	}
	return image, nil
}

func (b Build) layer(files []file) (v1.Layer, error) {
	data, err := writeTar(files, b.created())
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("making a layer: %w", err)
	}
	return layer, nil
}

// created is the build's time in whole seconds, since a tar archive has no more.
func (b Build) created() time.Time { return time.Unix(max(0, b.Created.Unix()), 0).UTC() }

// labels are those of the OCI image specification (annotations.md) that the image itself can know.
func (b Build) labels() map[string]string {
	labels := map[string]string{
		"org.opencontainers.image.title":    "Ringfence",
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.source":   "https://github.com/ringfence/ringfence",
	}
	if b.Version != "" {
		labels["org.opencontainers.image.version"] = b.Version
	}
	if b.Revision != "" {
		labels["org.opencontainers.image.revision"] = b.Revision
	}
	return labels
}

// write puts the images of all machines under one index.
func write(images []v1.Image, dir string) (v1.Hash, error) {
	if _, err := os.Lstat(dir); err == nil {
		return v1.Hash{}, fmt.Errorf("writing the layout: %s exists already", dir)
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, image := range images {
		config, err := image.ConfigFile()
		if err != nil {
			return v1.Hash{}, fmt.Errorf("writing the layout: %w", err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: config.Platform()}})
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("writing the layout: %w", err)
	}
	if err := path.AppendIndex(index); err != nil {
		return v1.Hash{}, fmt.Errorf("writing the layout: %w", err)
	}
	digest, err := index.Digest()
	if err != nil {
		return v1.Hash{}, fmt.Errorf("writing the layout: %w", err)
	}
	return digest, nil
}

// Epoch reads a time as SOURCE_DATE_EPOCH has it: seconds since 1970; "" is zero.
func Epoch(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(seconds, 0), nil
}
