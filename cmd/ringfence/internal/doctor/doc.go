// Package doctor looks at a cluster, a configuration and a policy repository, and says what keeps fences from standing: whether anything
// enforces policies and on which nodes, who serves Calico's kinds, what may not be done, what cannot be fetched.
//
// It guarantees that it writes nothing (reviews of rights apart, which leave nothing), that what it could not see is told as
// unknown or not looked at and never as in order, and that each finding says what is wrong, why that matters and what to do.
//
// It never sends a packet, and never asks a node.
//
// Limitations: engines are known by their DaemonSets (package enforcer); those inside other programs are only suspected, by the
// nodes' labels and versions. Of Felix' settings it knows those that are said to let packets pass unseen, as FelixConfiguration or
// in calico-node's environment; files on the nodes are not seen. Rights are those of one user, and admission is not asked.
//
// Rejected: a test with pods that try to connect (a doctor that only reads may be run by anybody and at any time).
package doctor
