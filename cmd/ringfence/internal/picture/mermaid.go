package picture

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/ringfence/ringfence/drift/reach"
)

// Mermaid writes the picture as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html), as GitHub and GitLab
// show it: namespaces are subgraphs, workloads nodes, ports on the edges. What is unknown or closed is dotted, what is opened thick.
func (p *Picture) Mermaid(w io.Writer) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	ids := map[reach.Place]string{}
	spaces := map[string][]reach.Place{}
	for _, c := range p.all() {
		for _, place := range []reach.Place{c.From, c.To} {
			if _, known := ids[place]; known {
				continue
			}
			ids[place] = fmt.Sprintf("n%d", len(ids))
			namespace := place.Namespace
			if namespace == "*" {
				namespace = ""
			}
			spaces[namespace] = append(spaces[namespace], place)
		}
	}
	spaceNames := make([]string, 0, len(spaces))
	for name := range spaces {
		spaceNames = append(spaceNames, name)
	}
	slices.Sort(spaceNames)
	for i, name := range spaceNames {
		indent := "  "
		if name != "" {
			fmt.Fprintf(&b, "  subgraph s%d[\"%s\"]\n", i, quoted(name))
			indent = "    "
		}
		for _, place := range spaces[name] {
			what := place.String()
			shape := [2]string{`(["`, `"])`}
			if name != "" {
				what, _ = names(place)
				shape = [2]string{`["`, `"]`}
			}
			fmt.Fprintf(&b, "%s%s%s%s%s\n", indent, ids[place], shape[0], quoted(what), shape[1])
		}
		if name != "" {
			b.WriteString("  end\n")
		}
	}
	for _, part := range p.parts() {
		for _, c := range part.list {
			fmt.Fprintf(&b, "  %s %s|\"%s\"| %s\n", ids[c.From], part.arrow, quoted(part.mark+ports(c)), ids[c.To])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// quoted makes text safe between double quotes: Mermaid knows entities, and no escapes.
func quoted(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	return strings.NewReplacer(`"`, "#quot;", "#", "#35;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "`", "#96;").Replace(text)
}
