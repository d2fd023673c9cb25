// Package valid says of Calico's objects what Calico's own API server would
// refuse them for, without one.
//
// It is needed because little else says it: a dry run against that server
// validates nothing, definitions of projectcalico.org/v3 check a schema only, and
// what got past both is read by Felix in its own way: a selector that cannot be
// parsed as all(), a rule whose only CIDR is broken as one without any, and an
// unknown action makes it crash.
//
// # Guarantees
//
//   - [Calico] refuses exactly what Calico v3.31 refuses
//     (libcalico-go/lib/validator/v3 and lib/names, which its API server calls
//     after the schema), except that it also refuses an empty text among the
//     nets of a set, which Calico's syncer crashes on, and a catch-all among
//     notNets however it is written. drift/reach/oracle holds this on random
//     objects against Calico's own code.
//   - All faults of an object are found at once, each with the path of its value.
//
// It never asks anything but the object, and never changes it.
//
// # Limitations
//
// The syntax of selectors is the caller's to know ([Config]): the parser belongs
// to drift/reach, which this package must not import. Whether a tier exists is
// not asked. The Kubernetes part of a StagedKubernetesNetworkPolicy is not looked
// at; package kustomize does it as it does a NetworkPolicy's.
//
// # Alternatives rejected
//
// Calico's validator itself would bring Calico's module and the Kubernetes that
// it is made for into the daemon's go.mod. Schemas with CEL rules say a part of
// it, in some versions.
package valid
