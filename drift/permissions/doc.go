// Package permissions is the one table of what Ringfence may do in a cluster: who needs which verb on
// which resource, what for, and what is lost without it; and what it makes of an API server's refusal.
//
// It guarantees that base/ringfence's RBAC, the table in cmd/ringfence/docs/rbac.md and what
// `ringfence doctor` asks for are the same: a test compares them, verb by verb. Others take
// every one of them away from a daemon, and from people's commands, on both ways of serving Calico's kinds, and see that what is
// missing is named: none is spare.
//
// It never asks a cluster, and never holds a wildcard, a Secret or a subresource that runs
// something in a pod.
//
// Limitations: those tests take away together what one occasion needs, and each by itself with RINGFENCE_SCALE=full. Of what Calico's own
// API server refuses in every tier at once it does not say which permission is missing: all that it may be are named. What the API server grants to everybody who is authenticated is not in it: discovery and
// schemas (ClusterRole system:discovery) and asking for one's own rights (system:basic-user). Kinds of
// layout.allowedKinds need a Role of the user's own.
//
// Alternatives rejected: RBAC generated from the table (people read and review the YAML file, with
// its comments) and the table read from the YAML file (it says nothing of why).
package permissions
