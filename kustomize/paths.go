package kustomize

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// refused is why an entry of a kustomization is not followed.
type refused struct{ message, hint string }

var userAtHost = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]*@`)

// remote reports whether kustomize would, or the writer of it seems to, mean
// something outside the repository by entry.
func remote(entry string) bool {
	l := strings.ToLower(entry)
	return strings.Contains(l, "://") || strings.HasPrefix(l, "git::") ||
		strings.HasPrefix(l, "github.com/") || strings.HasPrefix(l, "github.com:") ||
		userAtHost.MatchString(entry) || strings.Contains(l, "?ref=")
}

// join returns the repository's path that entry means in a kustomization of the folder
// dir.
func join(dir, entry string) (string, *refused) {
	switch {
	case strings.TrimSpace(entry) == "":
		return "", &refused{"an empty path", "remove the entry"}
	case remote(entry):
		return "", &refused{
			fmt.Sprintf("%q is remote, and remote resources are never followed", entry),
			"copy it into the repository",
		}
	case path.IsAbs(entry):
		return "", &refused{fmt.Sprintf("%q is an absolute path", entry), "write a path relative to this file's folder"}
	case strings.ContainsAny(entry, "\\\x00\n"):
		return "", &refused{fmt.Sprintf("%q is not a path with slashes", entry), ""}
	}
	for _, part := range strings.Split(entry, "/") {
		if part != ".." && strings.Contains(part, "..") {
			return "", &refused{fmt.Sprintf("%q is ambiguous", entry), "check the indentation: two list items may have become one"}
		}
	}
	p := path.Join(dir, entry)
	if p == ".." || strings.HasPrefix(p, "../") {
		return "", &refused{fmt.Sprintf("%q leads out of the repository", entry), "only what the repository holds can be used"}
	}
	return p, nil
}

// relative returns the path to, a repository's path, as seen from the folder dir. It
// always begins with "./" or "../", so that kustomize takes it for nothing but a
// local path.
func relative(dir, to string) string {
	var from, dest []string
	if dir != "." {
		from = strings.Split(dir, "/")
	}
	if to != "." {
		dest = strings.Split(to, "/")
	}
	for len(from) > 0 && len(dest) > 0 && from[0] == dest[0] {
		from, dest = from[1:], dest[1:]
	}
	rel := strings.Repeat("../", len(from)) + strings.Join(dest, "/")
	if len(from) == 0 {
		rel = "./" + rel
	}
	return strings.TrimSuffix(rel, "/")
}

// within reports whether p is the folder dir or in it.
func within(dir, p string) bool {
	return dir == "." || p == dir || strings.HasPrefix(p, dir+"/")
}

// fault says why what stands at a path cannot be used; nil for a regular file or a
// folder.
func (s state) fault(entry string) *refused {
	switch s.form {
	case absent:
		return &refused{fmt.Sprintf("%q is not in the repository", entry), ""}
	case symlink:
		return &refused{
			fmt.Sprintf("%q is a symbolic link (%s), and those are never followed", entry, s.link),
			"put the file itself there",
		}
	case special:
		return &refused{
			fmt.Sprintf("%q is neither a file nor a folder; submodules are never followed", entry),
			"copy its files into the repository",
		}
	case unreadable:
		return &refused{fmt.Sprintf("%q cannot be read: %v", entry, s.err), ""}
	default:
		return nil
	}
}
