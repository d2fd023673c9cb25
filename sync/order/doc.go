// Package order puts the changes that bring one tenant, or the cluster overlay, from what is live to what Git says into
// an order in which no state on the way lets through what neither end does.
//
// # What it guarantees
//
//   - Every state of the order was looked at with package reach, in every context that it was given (the rest of the
//     cluster as it is and as it will be): it opens nothing that both ends deny. A change for which no such state was found
//     is not made, and the order says so.
//   - Closings come first. After them the unit lets through nothing that its target does not, but for what the order calls
//     Beyond. What comes then only opens. So if every unit of a revision has made its closings before any makes an
//     opening, no connection between two of them is ever allowed by half of the old revision and half of the new: each
//     side of it is at most what both revisions allow, and then at most what the new one does.
//   - An object that does both is first written as the intersection of both, as far as that can be said in its kind, and
//     otherwise as something that allows less: rules that allow are dropped, rules that deny are kept.
//   - What both ends allow is not cut where some order of the unit's own changes keeps it: before anything is cut, an order of
//     whole writes is looked for that cuts nothing. If there is one, what is left is made with the openings, and the unit is
//     Beyond its target until then. What nothing keeps from being cut is told in the step. In a namespace that was made for
//     its fence there is nobody to be cut off, and what isolates comes first.
//
// The work is remembered: tenants are mostly alike, and what was found for one holds for all that differ in the
// namespace's name alone.
//
// # What it never does
//
// It never writes, never reads the cluster, and never holds back a change that stands alone: one object is replaced at
// once, whatever it does, if nothing else changes in the cluster.
//
// # Limitations
//
//   - The search for an order that cuts nothing ends after some hundred trials, and looks at one unit at a time: where only
//     the changes of several units, one between two of another, would keep a connection, it is cut for a while. In the test's
//     random revisions of three units, most of them with tiers, that happens in some 2 of 100.
//   - Two units may each be Beyond what the other one opens. Then one of them must be asked again to be Strict, and may cut.
//   - The intersection of two selectors of addresses and of pods cannot be said in a NetworkPolicy; such a connection is
//     cut until the openings.
//   - A Tier, a network set or a Namespace's labels that open and close at once, and have no state in between, are
//     changed with the openings; until then the order is Beyond its target, and whoever opens what meets it waits.
//   - What no order can bring about is closed further in a tenant's namespace, in the end under a deny of all of it for a
//     while. Policies of the whole cluster never are: it might cut off whoever writes. Some changes of tiers together with
//     their policies then have no order, and the order says that they wait: in the test's random revisions 2 in 2,500.
//
// # Alternatives rejected
//
// Ranks of kinds ("isolation, then the rest, then removals"): wrong as soon as one policy allows what another did. A
// temporary policy that denies everything: an outage for each sync, and not to be had with NetworkPolicies alone, which
// cannot deny what another allows.
package order
