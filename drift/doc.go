// Package drift compares what Git says with what the cluster holds.
//
// It guarantees a closed world for the guarded kinds (package kinds): a
// guarded object that is live is either exactly what Git says of it, field for
// field after the API server's own defaulting and whoever wrote the field, or
// it is a [Difference]: missing, modified or extra. Fields that another field
// manager added count, which is where tools that compare only the fields they
// own are blind.
//
// [Cluster] holds the live side: one unfiltered watch per served kind, kept in
// memory, so that a steady cluster costs no request per object. It says when a
// kind cannot be seen ([Cluster.Blind]): a watch that is refused, or whose renewal
// takes longer than a second; one that tells nothing, not even a bookmark; a group
// that does not answer; a tier whose policies Calico's API server hides from us. What
// cannot be seen is never called missing. [Compare] is a pure function of the two sides.
// [Ledger] remembers since when each difference stands and which ones were corrected lately.
//
// It never writes to the cluster and knows nothing of how that is done.
//
// Calico's kinds are served in ways that differ in more than their names: [Flavour] says
// which a cluster has ([Cluster.Flavour], found out anew while it changes), [Dialect] what
// follows from it, [Complete] how an object is best sent, [Lost] whether a write was answered
// and lost, and [RefusalOf] what an error means.
//
// Where Calico's own API server serves its kinds, what it keeps (crd.projectcalico.org) is
// watched beside what it shows: somebody may write there without it, under names that it
// would refuse, in a tier that does not exist, or under the name of another. [Cluster.In]
// returns such objects as what they are stored as, and they are no part of what is shown.
//
// What a difference does to traffic is said by package exposure.
//
// Limitations: kinds whose Go types are not linked in
// (policy.networking.k8s.io) are compared as they were sent, without defaulting.
//
// Rejected: comparing by server-side dry-run (a request per object, and blind
// to fields that others added); comparing by managedFields (they can be wiped,
// and Calico's older API hides writes from them); shared informers (their store
// cannot be told of our own writes, so that a round would act on stale state).
package drift
