// Package exposure says what differences between Git and the cluster do to traffic: which connections the live state
// allows and Git does not, and the reverse.
//
// # What it guarantees
//
//   - The effect of a difference is judged twice: as the one thing that differs from Git, and as the one thing that keeps
//     the live state from being Git's. What either shows is its effect, so that two differences which open something
//     only together both open it.
//   - A tenant's fence must stand alone: the policies of other namespaces count as allow-all, those of the cluster overlay
//     (or, without one, the live cluster-scoped ones) hold. "Any pod of any namespace" therefore means that nothing in
//     this tenant keeps it out.
//   - The answer does not depend on which pods happen to run. Each namespace is judged by the workloads that its policies'
//     own selectors imply, those of both sides, the ones that policy tests name, and a pod without labels.
//   - What package reach cannot tell is [drift.EffectUnknown], never a guess.
//
// # What it never does
//
// It never reads the cluster or Git, never writes, and never holds on to what it is given but for hashes.
//
// # Limitations
//
//   - Namespaces that no selector in question tells apart from one another are listed by at most eight of them. Of tenants
//     whose policies are equal but for the namespace, two stand for all where the cluster overlay or the labels of a
//     Namespace are judged: one pair shows what they can do to each other. Where there are more than 200 kinds of tenants, the rest is
//     not looked at, and what then seems to open nothing is unknown.
//   - A difference about the labels of a tenant's Namespace is judged with the policies of those tenants that select by
//     the labels in question.
//
// # Alternatives rejected
//
// One world of the whole cluster, changed for each difference: exact about the peers' own policies, which is not what a
// fence is asked (a tenant that anyone may call is open even while the others' egress is closed), and seconds of work for
// the first question. Effects from the fields alone ("a rule was added, so it opens"): wrong for tiers, orders, sets and
// anything that another policy allows already.
package exposure
