// Package permissions is the one table of what Ringfence may do in a cluster: who needs which verb on
// which resource, what for, and what is lost without it.
//
// It guarantees that base/ringfence's RBAC, the table in cmd/ringfence/docs/rbac.md and what
// `ringfence doctor` asks for are the same: a test compares them, verb by verb, and another takes
// some of them away from a daemon, one at a time, and sees that it says so.
//
// It never asks a cluster, and never holds a wildcard, a Secret or a subresource that runs
// something in a pod.
//
// Limitations: of the deletes, of tiers and of what people need, no test shows yet that they are missed. What the API server grants to everybody who is authenticated is not in it: discovery and
// schemas (ClusterRole system:discovery) and asking for one's own rights (system:basic-user). Kinds of
// layout.allowedKinds need a Role of the user's own.
//
// Alternatives rejected: RBAC generated from the table (people read and review the YAML file, with
// its comments) and the table read from the YAML file (it says nothing of why).
package permissions
