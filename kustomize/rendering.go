package kustomize

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Rendering is what a whole tree renders to. It and all that it points to must
// not be changed: later renderings share parts of it.
type Rendering struct {
	// Tenants are sorted by name. Each namespace that an overlay claims has one entry,
	// whether it rendered or not.
	Tenants []*Tenant
	// Cluster is the cluster overlay, nil if there is none.
	Cluster *Tenant
	// Problems are those of overlays that have no entry of their own: their namespace
	// cannot be known, or may not be fenced, or belongs to another overlay.
	Problems []Problem
	// Overlays are the folders of all tenant overlays of the tree, sorted.
	Overlays []string
	// Unplaced are the folders among Overlays that are in no Tenant's Overlay, sorted: each
	// has a Problem. A tenant that such a folder owned has not left Git; it is broken.
	Unplaced []string
}

// Tenant is what one tenant overlay (or the cluster overlay) and the guard render
// to.
type Tenant struct {
	// Name is the namespace; "" for the cluster overlay.
	Name string
	// Overlay is the overlay's folder. Where several overlays claim a namespace that none
	// owned before, it is the first of them by name.
	Overlay string
	// Objects are all objects to apply, the guard's included, with Ringfence's labels, sorted
	// by kind (Namespace first, then in the order of kinds.Guarded), name and namespace.
	// If Problems is not empty, they are the guard's only, or none if that does not render.
	Objects []Object
	// Settings are the objects of ringfence.dev/v1, which are never applied, in the same order.
	Settings []Object
	// Problems, if not empty, say why the overlay is refused, sorted by place.
	Problems []Problem
	// Files are the repository's files that were read for it, sorted.
	Files []string
}

// Object is one rendered object. It must never be changed after Render: deep-copy
// it first.
type Object struct {
	*unstructured.Unstructured
	// Kind is the entry of the table of kinds; for settings, only its
	// GroupVersionKind and Namespaced are set.
	Kind kinds.Kind
	// Origin is where the object is written in the repository.
	Origin Origin
	// Guard is true for the guard's objects.
	Guard bool
	// Pattern is what others have too that are equal but for their namespace; nil if that is not known. Who changes a copy of
	// the object must take it off.
	Pattern *Pattern
}

// Origin is a place in the repository.
type Origin struct {
	// File is the path in the repository, with slashes.
	File string
	// Line is the 1-based line of the first key of the object's document (or of its
	// item in a List).
	Line int
}
