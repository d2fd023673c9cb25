package config

import (
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// APIVersion is that of both files.
const APIVersion = "ringfence.dev/v1"

// The kinds of the two files.
const (
	kindRepository = "Repository"
	kindConfig     = "Config"
)

// header starts both files.
type header struct {
	APIVersion string `key:"apiVersion" is:"required" enum:"ringfence.dev/v1"`
	Kind       string `key:"kind" is:"required" enum:"Repository|Config"`
}

// decode reads a file into targets, the first of which is its header. A file of
// the other kind gets that one problem alone: all others would follow from it.
func decode(file string, data []byte, kind string, head *header, targets ...any) *strict.Document {
	options := strict.Options{Formats: formats(), Elsewhere: elsewhere(kind)}
	doc := strict.Decode(file, data, options, append([]any{head}, targets...)...)
	if head.Kind == "" || head.Kind == kind {
		return doc
	}
	return doc.Only("kind", wrongKind(head.Kind))
}

func wrongKind(got string) error {
	if got == kindRepository {
		return strict.Invalidf("kind: Config is expected here", "this is a policy repository's %s, not the daemon's own file", RepositoryFile)
	}
	return strict.Invalidf("kind: Repository is expected here", "this is the daemon's own file, not a policy repository's %s", RepositoryFile)
}

// elsewhere knows the keys that belong in the other file.
func elsewhere(kind string) func(string) string {
	if kind == kindConfig {
		return nil // its file may hold every key of the other
	}
	known := strict.Keys(&Daemon{})
	return func(key string) string {
		for _, k := range known {
			if k == key || strings.HasPrefix(k, key+".") {
				return "it belongs in the daemon's own file, kind: Config"
			}
		}
		return ""
	}
}

func indexed(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }
