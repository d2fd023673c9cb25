// Package felix is a reference evaluator of policies that is made of Calico's own parts (v3.31.0), and the tests that run
// random worlds through it and through drift/reach.
//
// An object takes the way that it takes in a cluster: the API servers' defaults (decode.go), the conversion of Kubernetes'
// objects and the syncer's update processors (convert.go: libcalico-go/lib/backend/k8s/conversion and
// libcalico-go/lib/backend/syncersv1/updateprocessors), Felix's validation filter and calculation graph (graph.go:
// felix/calc), whose messages to the data plane fill the store that Calico's checker reads (reference.go:
// app-policy/policystore and app-policy/checker). No line of drift/reach is in it, and none of our reading of the API but
// what is named below.
//
// # What is ours
//
// The checker serves a service mesh and flow logs; the packet filter is Felix's. Where the two differ, the reference does
// what Felix does, and a test in differences_test.go shows each difference in Calico's own code:
//
//   - IP sets are looked up as the kernel does: TestCheckerLosesNets, TestCheckerLosesNamedPorts, TestCheckerLosesSCTP.
//   - Rules are those of the packet's version of IP, by Felix's own function: TestCheckerMixesVersions.
//   - ICMP types and codes count: TestCheckerLeavesOutICMP.
//   - A tier that does not exist ends with Deny: TestCheckerFailsWithoutTier.
//   - Staged policies are left out, unless they are asked for: TestCheckerTripsOverStaged.
//
// # Guarantees
//
//   - What the checker would quietly leave out (a policy, a profile or an IP set that the store lacks) is an error.
//   - The worlds are the same in each run: the seed is fixed. A world that fails is made small and printed as YAML.
//   - Nothing is compared that Calico refuses, and what Calico refuses drift/reach reports: malformed_test.go.
//
// # Never
//
// The reference never asks drift/reach, and a world is never left out because the two differ.
//
// # Limitations
//
//   - Of Calico's two ways to sort policies of equal order, this version has the older. Worlds of 3.32 are compared with
//     the order written out by what 3.32 says of it: TestWorldsOfBareNames.
//   - ClusterNetworkPolicy came with 3.32 and is not compared here; its predecessors are.
//   - Source ports are unknown to drift/reach on purpose, since a connection chooses them as it likes, and are not in the
//     worlds.
//
// # Alternatives rejected
//
//   - Felix's rendered iptables rules and an interpreter for them: the interpreter would be ours.
//   - A cluster with Calico: no kernel to load rules into, and seconds for each world instead of milliseconds.
package felix
