// Package enforcer finds out what enforces network policies in a cluster: policies are only objects, and
// where no engine acts on them every fence is air.
//
// It guarantees that an engine is named only where its DaemonSet stands in a namespace in which it is
// installed, so that nobody pretends to be one from a tenant's namespace, and that what cannot be seen
// is unknown and neither none nor all.
//
// It never asks nodes or the engine itself, and never asks twice: it watches DaemonSets.
//
// Limitations: it knows the engines of [Known] under the names and in the namespaces of their own manifests;
// another one is taken for none. Nodes are those on which the DaemonSet wants a pod: one that it leaves out
// (a taint, a virtual node) is not counted. While the API server does not answer, what was known last stands.
//
// Rejected: polling (a steady cluster costs nothing), and sending packets (a daemon that may only write policies
// should not run pods).
package enforcer
