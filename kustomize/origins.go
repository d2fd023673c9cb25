package kustomize

import (
	"strings"
)

// origins finds where rendered objects are written.
type origins struct {
	top     string // the overlay's kustomization, or its folder
	objects []manifest
	patches []manifest
}

// place is where one object is written.
type place struct {
	origins *origins
	found   bool
	manifest
}

// of finds the manifest of a rendered object.
func (o *origins) of(b built) place {
	known := false
	for _, m := range o.objects {
		known = known || m.file == b.file
	}
	if !known {
		b.file = "" // a patch has written over kustomize's annotation
	}
	var best manifest
	score := 0
	for _, m := range o.objects {
		if s := likeness(m, b); s > score {
			best, score = m, s
		}
	}
	if score == 0 {
		file := o.top
		if known {
			file = b.file
		}
		return place{origins: o, manifest: manifest{file: file, kind: b.GetKind(), name: b.GetName()}}
	}
	return place{origins: o, found: true, manifest: best}
}

// likeness says how well a manifest fits a rendered object: 0 is not at all.
// kustomize tells the file; names may have got a prefix and a suffix since.
func likeness(m manifest, b built) int {
	if m.kind != b.GetKind() || m.apiVersion != b.GetAPIVersion() || b.file != "" && m.file != b.file {
		return 0
	}
	score := 1
	switch name := b.GetName(); {
	case m.name == name:
		score += 1 << 20
	case strings.Contains(name, m.name):
		score += 2 * len(m.name)
	}
	if m.namespace == b.GetNamespace() {
		score++
	}
	return score
}

// Origin returns the place of the object's document.
func (p place) Origin() Origin {
	if !p.found {
		return Origin{File: p.file, Line: 1}
	}
	return Origin{File: p.file, Line: p.node.Line}
}

// problem returns a problem at a field, which may have come from a patch.
func (p place) problem(at fieldPath) Problem {
	if !p.found {
		return Problem{File: p.file, Line: 1}
	}
	n, depth := locate(p.node, at)
	if depth == len(at) {
		return Problem{File: p.file, Line: n.Line, Column: n.Column}
	}
	for _, patch := range p.origins.patches {
		if patch.kind != p.kind || patch.name != p.name {
			continue
		}
		if pn, d := locate(patch.node, at); d > depth {
			return Problem{File: patch.file, Line: pn.Line}
		}
	}
	return Problem{File: p.file, Line: n.Line, Column: n.Column}
}
