package licenses

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

const heading = `# Licences

Ringfence is under Apache-2.0. Compiled into the daemon are packages of these modules; their versions are in ` + "`go.mod`" + ` and in the
SBOM of a release, and the texts are in its file ` + "`NOTICES`" + `. This file is written by ` + "`go run -C .ci/release . licenses -o ../../cmd/ringfence/docs/licenses.md`" + `,
and a test holds it true.

| module | licences |
|---|---|
`

// WriteTable writes the list as Markdown.
func WriteTable(w io.Writer, modules []Module) error {
	var b strings.Builder
	b.WriteString(heading)
	for _, m := range modules {
		name := m.Path
		if name == "std" {
			name = "Go's standard library"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", name, strings.Join(m.Licenses, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteNotices writes the text of every licence, as most of them ask of who ships a binary.
func WriteNotices(w io.Writer, modules []Module) error {
	for _, m := range modules {
		for _, name := range slices.Sorted(maps.Keys(m.Texts)) {
			title := strings.TrimSpace(m.Path+" "+m.Version) + ": " + name
			if _, err := fmt.Fprintf(w, "%s\n%s\n\n%s\n\n", title, strings.Repeat("=", len(title)), strings.TrimSpace(string(m.Texts[name]))); err != nil {
				return err
			}
		}
	}
	return nil
}
