// Package reach answers who can reach whom: from namespaces, workloads and policies, written in Git or read from a
// cluster, to verdicts with their reasons, to the whole connectivity, to the difference of two connectivities. It knows
// neither Git nor clusters.
//
// # The model
//
// A connection is its first packet. It is allowed if the egress policies of its source and the ingress policies of its
// destination both let it pass; replies follow it. One side is judged as Calico judges it: tiers by order, in each the
// policies that apply by order, the first rule that matches decides, Pass goes on to the next tier, a tier of which a
// policy applies ends with its default action, and what no tier decides is allowed. A Kubernetes NetworkPolicy is a policy
// of the tier default with only Allow rules, which is exactly what its API says. AdminNetworkPolicy,
// BaselineAdminNetworkPolicy and ClusterNetworkPolicy are policies of tiers of their own. Sources: the Go
// documentation of k8s.io/api/networking/v1, the reference pages of docs.tigera.io, and Calico's code where those are
// silent (updateprocessors/rules.go, felix/calc, felix/rules).
//
// # Guarantees
//
//   - A verdict is a function of the objects alone: their order, and the order of changes, never matter.
//   - What is not known is unknown with a reason: labels of namespaces that were not given, addresses of pods where
//     a rule asks for a part of the pods' range, source ports, Services without endpoints, host endpoints. Ports are
//     kept as "may be allowed" and "may be denied"; only what is in one of the two is certain.
//   - A malformed policy is a Problem with its file and line, and makes unknown whatever it may concern. That holds for
//     what the API server would accept and Calico would drop or read as matching everything as well, for one that is
//     defined twice, for the policies of a malformed tier, and for those that could not be read at all (Config.Unread).
//   - What Calico's API server refuses although Felix could take it, and what Calico's conversion makes something else of,
//     is a Problem too, and is judged as Felix judges it.
//   - An object in both of Calico's API groups counts once.
//
// # How it scales
//
// A row is what one endpoint's policies in one direction make of every peer: a table of all addresses, which is also what
// they make of every pod of which they ask nothing else, and the exceptions: the pods that a selector, a Service or the name
// of a port may mean. Rows depend on no other row, and a pod is an exception of few. All else is known from two tables, so
// that the whole is as large as what is open, not as the number of pairs.
//
// A change indexes the namespace of its object anew and computes again:
//
//   - for a policy, the rows of those that it judged or judges;
//   - for a network set, those of policies with a clause that selects it, before or after, and changed its mind if only
//     labels changed; for a Service or EndpointSlice, those of policies with a rule about it;
//   - for a tier, the rows of those that a policy of the tier judges;
//   - for a workload, its own rows, and of rows that may see it as an exception only that exception;
//   - for labels of a namespace or service account, the own rows of those of which a subject changed its mind, and in others
//     the exceptions of those of which a clause did;
//   - for policies about hosts and for a Node, nothing, and the rows of the hostNetwork pods on it.
//
// Endpoints have numbers that stay; one that goes leaves its number to one that comes. What was computed is shared: With
// makes a world that differs in what changes touch, Effect says what they would do, and Diff of two connectivities of one
// world looks at the rows that differ alone. Of worlds that have nothing in common it compares every row.
//
// With Config.Implied a change of a namespace's policies also finds anew what their clauses about the own namespace imply.
// What cluster-wide clauses imply is found anew, from all workloads, only if those clauses, a given workload or a namespace
// changed: some 15 ms at 5,000 tenants.
//
// At 5,000 tenants of three workloads and five policies: some 0.7 s of processor time to read them, 0.2 s for all rows, 0.6 s
// to say them in 255,000 connections, and 120 MB; a changed policy 0.3 ms, its effect 5 ms. The benchmarks print it.
//
// # Never
//
// The package never reads a file, a clock, a network or the environment, never starts a goroutine, never changes the
// objects that it is given, and never answers allow or deny for what it does not model.
//
// # Limitations
//
//   - Host endpoints are not modelled: where there may be policies for them, what would be allowed is unknown. The way
//     from a pod to its own node depends on Felix's defaultEndpointToHostAction: Decide says so, the whole connectivity
//     leaves it aside, as it leaves out what nodes open and what a pod opens to itself.
//   - The whole connectivity judges its two sides apart. Where addresses are not known and both sides ask for the same
//     one, it may say unknown where Decide knows.
//   - Address translation is not modelled: a connection to a Service is one to its pods on their target ports; a source
//     behind SNAT is the address that the packet has on arrival.
//   - The http match of a rule is reported as a note: packets do not show it.
//   - The whole connectivity does not tell the versions of IP apart: what only one of them allows between two pods is
//     unknown there, where Decide says that it is allowed in part.
//   - A Tier without an order counts as 1,000,000, as Calico's API server writes it down. Where Calico runs without that
//     server, on its definitions alone, such a tier comes last.
//   - ClusterNetworkPolicy is evaluated whatever the Calico version, although Calico itself enforces it from 3.32 on.
//
// # Alternatives rejected
//
//   - Calico's own calculation graph (felix/calc): it is right, but brings hundreds of packages, has no unknown and no
//     reasons, and knows only the pods of one node.
//   - Judging every pair of pods (as the known analysers do): 225 million pairs at 5,000 tenants.
//   - Computing tenants that are templates of each other once, with the namespace's name left open. Equal tables, outcomes and
//     address cuts are shared; all 30,000 rows of 5,000 tenants take a sixth of the time until they are told, so that sharing
//     whole programs could save at most that, at the price of a second notion of what a row depends on.
//   - Adding up incremental changes in the rows themselves, without computing a touched row anew: a row is microseconds.
//   - Binary decision diagrams or a solver: exact over all label sets, but slower here by orders of magnitude, and their
//     answers name no rule.
package reach
