// Package selector compares drift/reach's reading of Calico's selector language with Calico's own parser
// (github.com/projectcalico/calico/libcalico-go/lib/selector, v3.31.0): a corpus that is written by hand, generated
// selectors, damaged ones, and whatever a fuzzer finds. Each must parse or fail alike in both, and select alike.
//
// # Guarantees
//
// The tests compare on labels that the selector itself speaks of: each of its keys absent, with each of its values,
// with a part of it, with more than it, and empty.
//
// # Never
//
// Error texts are not compared: drift/reach says where the fault is, and what to write.
//
// # Limitations
//
// The limit of 1,024 bytes is one of the schemas, not of the parser, and so not compared here.
//
// # Alternatives rejected
//
// The target in the package of the reference evaluator: a fuzzer has each package that its target needs compiled anew,
// 11 for this one and some 900 for that.
package selector
