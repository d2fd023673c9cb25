// Package register makes a kube-apiserver hand projectcalico.org/v3 to another
// API server on this machine.
//
// It guarantees that after [Registration.Put] the group is registered as on a
// cluster with Calico v3.31 (the same names, rank and verified certificate), and
// that after [Registration.Served] a client finds its resources and Calico's
// own tiers.
//
// It never touches the group's definitions: who has them decides who serves.
//
// Rejected: a Service with an Endpoints object, which may not hold a loopback
// address; an ExternalName Service, which Calico's manifests do not have, is
// resolved by kube-apiserver itself.
package register
