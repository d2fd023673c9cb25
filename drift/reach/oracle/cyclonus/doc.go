// Package cyclonus compares drift/reach with Cyclonus (github.com/mattfenwick/cyclonus v0.5.6), the conformance suite of
// Kubernetes NetworkPolicy: its generator makes the cases when the test runs, its own matcher says what must hold.
//
// # Guarantees
//
// All 230 cases, in all 256 steps that they have, between every two of the 9 pods (8 or 10 after some steps), on the 6
// ports that each pod serves (80 and 81 of TCP, UDP and SCTP): 124,884 verdicts, all equal. Three steps name a single
// port to probe; they too are probed on all six, which is where the figure comes from: 256 steps × 81 pairs × 6 ports =
// 124,416; five steps have a pod more (19 pairs, 570 verdicts) and one has a pod less (17 pairs, 102 verdicts).
//
// A case's steps are applied to one World as changes, so that the incremental engine is compared as well, and the
// connectivity of each step is compared beside the single verdicts.
//
// # Never
//
// A case is never changed, left out or judged by drift/reach alone.
//
// # Limitations
//
// Cyclonus judges a pod's connection to itself as any other, because it makes it through a Service. So does the test, by
// a twin of each pod; TestPodReachesItself holds what drift/reach says of a pod that reaches itself by its own address.
//
// # Alternatives rejected
//
// Cyclonus' own interpreter of cases: it needs a cluster for its second opinion, sleeps between steps and prints.
package cyclonus
