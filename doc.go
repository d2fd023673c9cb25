// Package ringfence is the root of the project: the example policy repository as a file
// system, and the tests that hold the house to its own rules.
//
// It guarantees that [Example] is the same tree that stands in the checkout: the folders
// base and overlays and the file ringfence.yaml, nothing more, as they were when the binary
// was built. The tests beside it check the rules of the house (import direction, package
// and exported docs, reasons for dependencies) and the example itself (rendered, measured
// against the ranges of the IANA registries, and applied to a real control plane).
//
// It never touches a cluster or the file system at run time, and holds no code of the
// daemon: only cmd imports it.
//
// Limitations: go:embed leaves out files whose names begin with a dot or an underscore, so
// the example has none.
//
// Alternatives rejected: an example in a folder of its own (a team copies what stands at
// the root, and the paths in ringfence.yaml are those of the copy) and reading the example
// from the checkout at run time (the demo would need one).
package ringfence
