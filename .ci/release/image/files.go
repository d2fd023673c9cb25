package image

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// User is whom the daemon runs as: by number, since Kubernetes' runAsNonRoot cannot judge a name.
const User = 65532

// users has the one user, for programs that ask for a name or a home.
const users = "ringfence:x:65532:65532:Ringfence:/var/lib/ringfence:/sbin/nologin\n"

// file is a file or, if its name ends in a slash, a folder of an image.
type file struct {
	name  string
	mode  int64
	owner int
	data  []byte
}

// base returns what changes rarely and is a layer of its own. The one folder that the daemon may
// write to is the default dataDir, a cache that may be lost; a volume goes over it.
func base() []file {
	return []file{
		{name: "etc/", mode: 0o755},
		{name: "etc/passwd", mode: 0o644, data: []byte(users)},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: certificates()},
		{name: "var/", mode: 0o755},
		{name: "var/lib/", mode: 0o755},
		{name: "var/lib/ringfence/", mode: 0o700, owner: User},
	}
}

// daemon returns the layer of the binary.
func daemon(binary []byte) []file {
	return []file{{name: "ringfence", mode: 0o755, data: binary}}
}

// certificates returns the public authorities as Go's crypto/x509 looks for them.
func certificates() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes all
		}
	}
	return out.Bytes()
}

// writeTar writes files in their order, with nothing of the machine in their headers.
func writeTar(files []file, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner,
			Size: int64(len(f.data)), ModTime: at, Format: tar.FormatUSTAR,
		}
		if strings.HasSuffix(f.name, "/") {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("writing %s into a layer: %w", f.name, err)
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, fmt.Errorf("writing %s into a layer: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("ending a layer: %w", err)
	}
	return out.Bytes(), nil
}

// Unpack writes the image's files below dir, which must not exist: it is what the Dockerfile copies. Run by
// another user than root, it leaves the data folder to that user.
func Unpack(dir string, binary []byte, at time.Time) error {
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // the image's root, which everybody may read
		return fmt.Errorf("writing the image's files: %w", err)
	}
	files := append(base(), daemon(binary)...)
	for _, f := range files {
		if err := f.write(filepath.Join(dir, filepath.FromSlash(f.name))); err != nil {
			return fmt.Errorf("writing the image's files: %w", err)
		}
	}
	var problems []error
	for _, f := range files { // a folder's time changes while files come into it
		problems = append(problems, os.Chtimes(filepath.Join(dir, filepath.FromSlash(f.name)), at, at))
	}
	return errors.Join(problems...)
}

func (f file) write(path string) error {
	if strings.HasSuffix(f.name, "/") {
		if err := os.Mkdir(path, os.FileMode(f.mode)); err != nil {
			return err
		}
	} else if err := os.WriteFile(path, f.data, os.FileMode(f.mode)); err != nil {
		return err
	}
	if err := os.Chmod(path, os.FileMode(f.mode)); err != nil { // whatever the umask
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, f.owner, f.owner)
}
