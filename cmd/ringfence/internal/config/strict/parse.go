package strict

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

// parse reads the only document of the file, or adds to doc why it cannot.
func parse(doc *Document, data []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	root, err := next(decoder)
	switch {
	case errors.Is(err, io.EOF):
		doc.add(Position{}, "", Invalidf("it needs at least apiVersion and kind", "the file is empty"))
		return nil
	case err != nil:
		doc.addSyntax(err)
		return nil
	}
	if further, err := next(decoder); err == nil {
		doc.add(position(further), "", Invalidf("remove what follows the second ---", "the file holds more than one document"))
	} else if !errors.Is(err, io.EOF) {
		doc.addSyntax(err)
	}
	return root
}

// next reads one document's root node. The YAML library turns its own panics
// into errors; the recover here is for those that it overlooks, since a file
// that is only being read must never end the daemon.
func next(decoder *yaml.Decoder) (root *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, fmt.Errorf("the YAML parser gave up: %v", r)
		}
	}()
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return nil, err
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		return nil, io.EOF
	}
	if root := document.Content[0]; root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil, io.EOF
	}
	return document.Content[0], nil
}

var lineOfError = regexp.MustCompile(`^line (\d+): `)

// addSyntax adds an error of the YAML library, at the line that its message names.
func (d *Document) addSyntax(err error) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	var at Position
	if m := lineOfError.FindStringSubmatch(message); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	if strings.Contains(message, "cannot start any token") {
		d.add(at, "", Invalidf("indent with spaces, not tabs, and quote values that start with a special character", "not valid YAML: %s", message))
		return
	}
	d.add(at, "", Invalidf("", "not valid YAML: %s", message))
}

func position(node *yaml.Node) Position { return Position{Line: node.Line, Column: node.Column} }
