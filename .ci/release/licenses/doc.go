// Package licenses lists under which licences the daemon's dependencies stand, from the files that come with them.
//
// It guarantees that every module of which a package is compiled into the daemon is listed, and the standard library;
// that each has a licence that the classifier of pkg.go.dev (google/licensecheck) recognises in a file at the root of the module
// or on the way to the package; and that every licence is one of those that the project accepts: another is an error until somebody has
// thought about it.
//
// It never asks a network: modules are in Go's cache, or go list fetches them.
//
// Limitations: licences in comments of single source files are not seen, nor are tests and tools, which are not shipped.
// The list has no versions (those are in go.mod and in the SBOM of a release), lest every upgrade change it.
//
// Alternatives rejected: go-licenses (it takes a module without a licence file for a warning, and fetches from hosts of
// repositories to make links).
package licenses
