// Package calico makes Kubernetes serve Calico's resources as Calico v3.31
// names and shapes them, without Calico: all of them, or those that Calico's
// own API server stands upon.
//
// It guarantees that after [Install] every resource of [CRDs] is served and,
// with [Native], the tiers that each Calico cluster has by itself exist.
// Installing again changes nothing.
//
// It never invents a schema, and removes nothing but the definitions that
// would stand in the way of Calico's API server.
//
// crd.projectcalico.org/v1 and policy.networking.k8s.io/v1alpha1 are the
// published definitions, embedded in Calico's own module. projectcalico.org/v3
// is derived from them: the same schemas under the other group, version and,
// where it differs, name. The two groups are two stores: what is written to
// one is not seen in the other, as it would be with Calico's API server.
//
// # Limitations
//
// A schema is all that is checked: Calico's validator (selectors, ports and
// protocols, name prefixes) and its defaulting (spec.types, spec.tier, the
// tier label) belong to its API server. Profiles, which no definition
// describes, and block affinities, blocks and handles of IPAM, which are
// Calico's own bookkeeping, are not served under v3.
//
// Rejected: copies of the definitions in this repository, which would age.
package calico
