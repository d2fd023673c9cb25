// Package kinds is the table of the kinds that Ringfence knows: the guarded
// kinds, whose every object in a tenant's namespace (and cluster-wide for the
// cluster-scoped ones) must come from Git, and the Namespace.
//
// It guarantees that scope is decided by this table and never by an object's
// metadata.namespace: kustomize stamps a namespace on cluster-scoped objects
// too, and the API server drops it silently.
//
// It never asks a cluster. Which of the kinds a cluster serves is found out by
// package drift.
//
// Sources: k8s.io/api/networking/v1; projectcalico/api
// pkg/apis/projectcalico/v3; sigs.k8s.io/network-policy-api v1alpha1 and
// v1alpha2.
package kinds
