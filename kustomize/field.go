package kustomize

import (
	"io/fs"
)

// Field returns where a field of a rendered object is written, as a Problem without a message: in the object's own file, or
// in a patch; or the place of as much of the way to it as is written anywhere. The way is keys (string) and indices (int).
// fsys is the tree that the object was rendered from, overlay its tenant's folder. It reads the overlay's files again, and is
// for what goes wrong after rendering.
func (r *Renderer) Field(fsys fs.FS, overlay string, o Object, way ...any) Problem {
	folder := overlay
	if o.Guard {
		folder = r.cfg.Guard
	}
	p := Problem{File: o.Origin.File, Line: o.Origin.Line}
	if o.Origin.File != "" { // Ringfence's own objects are in no file
		f := newPreflight(newTree(fsys, r.cfg.Limits))
		f.overlay(folder, "")
		for _, m := range f.objects {
			if m.file == o.Origin.File && m.node.Line == o.Origin.Line && m.kind == o.GetKind() {
				written := place{origins: &origins{objects: f.objects, patches: f.patches}, found: true, manifest: m}
				p = written.problem(fieldPath(way))
				break
			}
		}
	}
	p.Overlay = overlay
	return p
}
