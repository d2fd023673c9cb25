package ringfence

import (
	"embed"
	"io/fs"
)

// The pattern names folders, not files: what is added to the example is embedded with it.
//
//go:embed ringfence.yaml base overlays
var example embed.FS

// Example returns the example policy repository as a read-only file system, with
// ringfence.yaml, base and overlays at its root and slash-separated paths. Files carry no
// time and mode 0444, folders 0555; whoever writes them to disk chooses modes of their own.
// It is safe for concurrent use.
func Example() fs.FS {
	return example
}
