package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// CheckFiles looks whether the files that the configuration names are there,
// can be read and hold something. It is apart from ParseDaemon because a
// configuration is often looked at where its secrets are not. The error is
// a *strict.Error with every problem, at the key that names the file.
func (d *Daemon) CheckFiles() error {
	var problems []strict.Problem
	check := func(key, name string) {
		if name == "" {
			return
		}
		if err := readable(name); err != nil {
			problems = append(problems, d.doc.Problem(key, err))
		}
	}
	for _, key := range strict.Keys(d) {
		v, _ := strict.Get(d, key)
		if name, ok := v.(string); ok && strings.HasSuffix(key, "File") {
			check(key, name)
		}
	}
	for i, s := range d.Source.Verify.Signers {
		key := indexed("source.verify.signers", i)
		check(key+".openpgpFile", s.OpenPGPFile)
		check(key+".sshAllowedSignersFile", s.SSHAllowedSignersFile)
	}
	if len(problems) == 0 {
		return nil
	}
	return &strict.Error{Problems: problems}
}

func readable(name string) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return strict.Invalidf("", "there is no file %s", name)
	case err != nil:
		return fmt.Errorf("looking at the file: %w", err)
	case info.IsDir():
		return strict.Invalidf("", "%s is a folder, not a file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return strict.Invalidf("", "the file cannot be read: %v", err)
	}
	defer f.Close()
	if n, err := f.Read(make([]byte, 1)); n == 0 {
		if err != nil && info.Size() > 0 {
			return strict.Invalidf("", "the file cannot be read: %v", err)
		}
		return strict.Invalidf("", "the file %s is empty", name)
	}
	return nil
}
