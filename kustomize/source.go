package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxExpandedNodes bounds what the aliases of one file expand to, in YAML nodes: a
// few nested aliases can stand for billions.
const maxExpandedNodes = 100_000

// source is one parsed YAML file. It is not changed after parseSource, so that
// overlays can share it.
type source struct {
	name     string
	data     []byte
	docs     []*yaml.Node // the documents' roots, without empty documents
	problems []Problem
}

var yamlErrorLine = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)

// parseSource parses all documents of a file and finds what is wrong with them as
// YAML: syntax, duplicate keys, depth, aliases.
func parseSource(name string, data []byte, limits Limits) *source {
	return parseSourceAt(name, data, limits, 0)
}

// parseSourceAt parses data that stands below the first offset lines of the file.
func parseSourceAt(name string, data []byte, limits Limits, offset int) (src *source) {
	src = &source{name: name, data: data}
	defer func() {
		if p := recover(); p != nil {
			src.add(0, 0, fmt.Sprintf("the YAML parser gave up: %v", p), "")
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			src.addSyntax(err, offset)
			break
		}
		if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
			continue
		}
		if offset > 0 {
			moveDown(doc.Content[0], offset)
		}
		src.docs = append(src.docs, doc.Content[0])
	}
	check := yamlCheck{source: src, limits: limits}
	for _, doc := range src.docs {
		check.walk(doc, 1)
	}
	check.aliases()
	return src
}

func (s *source) add(line, column int, message, hint string) {
	s.problems = append(s.problems, Problem{File: s.name, Line: line, Column: column, Message: message, Hint: hint})
}

func moveDown(n *yaml.Node, lines int) {
	n.Line += lines
	for _, child := range n.Content {
		moveDown(child, lines)
	}
}

func (s *source) addSyntax(err error, offset int) {
	m := yamlErrorLine.FindStringSubmatch(err.Error())
	if m == nil {
		s.add(0, 0, "the YAML is not valid: "+err.Error(), "")
		return
	}
	line, _ := strconv.Atoi(m[1])
	if line > 0 {
		line += offset
	}
	message := m[2]
	hint := ""
	if strings.Contains(message, "character that cannot start any token") || strings.Contains(message, "tab character") {
		hint = "YAML is indented with spaces, not tabs"
	}
	s.add(line, 0, "the YAML is not valid: "+message, hint)
}

// yamlCheck walks the documents of one file.
type yamlCheck struct {
	source *source
	limits Limits
	count  int // aliases
	deep   bool
}

func (c *yamlCheck) walk(n *yaml.Node, depth int) {
	if c.limits.YAMLDepth > 0 && depth > c.limits.YAMLDepth {
		if !c.deep {
			c.deep = true
			c.source.add(n.Line, n.Column, fmt.Sprintf("the YAML is nested more than %d deep", c.limits.YAMLDepth), "flatten it, or raise limits.yamlDepth")
		}
		return
	}
	switch n.Kind {
	case yaml.AliasNode:
		c.count++
		if c.limits.YAMLAliases > 0 && c.count == c.limits.YAMLAliases+1 {
			c.source.add(n.Line, n.Column, fmt.Sprintf("the file has more than %d YAML aliases", c.limits.YAMLAliases), "write the values out, or raise limits.yamlAliases")
		}
	case yaml.MappingNode:
		c.keys(n)
		fallthrough
	default:
		for _, child := range n.Content {
			c.walk(child, depth+1)
		}
	}
}

// keys finds keys that are there twice, or are not plain.
func (c *yamlCheck) keys(n *yaml.Node) {
	first := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			c.source.add(key.Line, key.Column, "a mapping's key must be a plain word, not a collection or an alias", "")
			continue
		}
		if prev, ok := first[key.Value]; ok {
			c.source.add(key.Line, key.Column,
				fmt.Sprintf("the key %q is in this mapping twice, first in line %d and again in line %d", key.Value, prev.Line, key.Line),
				"only one of them can hold; remove the other, or begin a new list item with \"-\"")
			continue
		}
		first[key.Value] = key
	}
}

// aliases bounds what the aliases expand to. It needs the depth check to have
// passed.
func (c *yamlCheck) aliases() {
	if c.count == 0 || c.deep {
		return
	}
	e := expansion{sizes: map[*yaml.Node]int{}}
	for _, doc := range c.source.docs {
		if e.size(doc) > maxExpandedNodes {
			c.source.add(doc.Line, 0, fmt.Sprintf("the YAML aliases expand to more than %d values", maxExpandedNodes), "write the values out")
			return
		}
		if e.cycle != nil {
			c.source.add(e.cycle.Line, e.cycle.Column, "a YAML alias stands for something that contains it", "")
			return
		}
	}
}

// expansion measures nodes with all aliases expanded.
type expansion struct {
	sizes map[*yaml.Node]int
	cycle *yaml.Node
}

const measuring = -1

func (e *expansion) size(n *yaml.Node) int {
	if n.Kind == yaml.AliasNode {
		if e.sizes[n.Alias] == measuring {
			e.cycle = n
			return 0
		}
		return e.size(n.Alias)
	}
	if size, ok := e.sizes[n]; ok {
		return max(size, 0)
	}
	e.sizes[n] = measuring
	size := 1
	for _, child := range n.Content {
		size = min(size+e.size(child), maxExpandedNodes+1)
	}
	e.sizes[n] = size
	return size
}
