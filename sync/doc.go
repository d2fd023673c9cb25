// Package sync brings the cluster to what Git says and keeps it there.
//
// The unit of work is the tenant. Three things make a tenant due: a revision
// that touches it, a change of a guarded object in its namespace, the audit.
// Each puts its name on one queue; a round ([Engine].round) takes the newest
// target, compares it with the live side (package drift) and writes what
// differs. Start-up, steady state and recovery run the same code.
//
// It guarantees:
//   - One way to write: server-side apply with force; an answer that is not
//     equal to what was rendered is mended by one replacement that leaves a
//     single Apply entry of ours. See [writer].
//   - Calico's own API server (before 3.32) is written to like any other: no write that
//     it lost goes unnoticed, what it would fill in is sent, and of what it is slow to
//     take a queue shows the length. See package drift's Dialect.
//   - What left Git is the render of the last applied revision minus the new
//     one, both from Git; no label of a live object is ever read for it.
//   - No open window: what a revision changes is written in two phases, over all
//     tenants that it touches and the cluster overlay. First whatever closes; what
//     opens comes when every closing was made, and waits for those that were not
//     if it needs them. See package order and [barrier].
//   - Isolation is never taken from a namespace that exists, but where an
//     Offboarding in Git lets go of it by name; a namespace is never
//     deleted. A tenant that left Git is quarantined.
//   - Whose something is follows from Git and the state. What a live object says of
//     itself is looked at once, for a refusal: a Namespace that another GitOps tool
//     keeps is not written before the tenant's first revision is applied.
//   - A tenant that does not render or cannot be written keeps its last good
//     state, and never stops another.
//   - Nothing of a target is written before every object in it that is new is known
//     to be acceptable: see package validate. While that is not known, or if one is
//     refused, the last good target stands and is corrected; what is refused is
//     validated again from time to time, and with every commit that changes it. What
//     was applied before, and what is live already, is not validated again.
//   - What would be done can be shown without doing it: [Preview] lets an engine do it to a
//     copy of the cluster, so that what is shown and what is done come from the same code.
//   - While a watch is blind nothing is concluded or removed, and nothing written but
//     Kubernetes policies, if they and Namespaces are seen, that were deleted or changed in
//     the cluster and that open nothing, whatever the kinds hold that are not seen: isolation
//     that was taken away, and rules that were added.
//   - A steady cluster and an unchanged repository cost no request per object.
//
// It never decides from a partial view what depends on the rest, and knows nothing of HTTP and flags.
//
// Crash notes. A new revision is adopted in this order; if we crash after
//  1. pending revision saved in the state: the next start renders the applied
//     and the pending revisions, so that all that may have been written is known;
//  2. some tenants written, closings only or some openings too: the same, and what is right already is not written
//     again, since it is compared first;
//  3. all tenants written, state not saved: the same, with nothing to write;
//  4. state saved: the start finds the revision applied.
//
// A start at a revision that is refused as a whole adopts the applied one. Who
// owns which namespace is in the state where it does not follow from the applied
// revision alone, so that a newcomer's claim is not judged anew at each start.
//
// A crash while a target is validated, or before what follows from the verdict, has
// written nothing of it: the next start validates it again. That a tenant is refused
// is in the state, so that its objects are not taken for ours: they never were.
//
// What is removed within the hour, and what is held back from removal, is in the
// state from step 1 on: a crash after it counts a removal that may not have been
// done, and the next start does it without counting it again.
//
// A namespace that is let go is quarantined in the state until all that was
// written into it is gone: a crash before that does the rest again, and one before
// the state is saved finds nothing left to do and forgets it then.
//
// A revision that a freeze holds back is not adopted, and nothing of it is in the
// state: a start within the window adopts what was adopted last, which may be one
// whose application a crash cut off, and finishes it.
//
// Limitations: if the state is lost, every tenant is at its first contact again,
// and removals of the last hour are not counted. Of a tenant that could not be
// written for several revisions, a restart knows the last that was reached and the newest two, not those between:
// an object that only these had is then reported as extra, and not removed.
// A copy that stands in while an object is made anew, if others change it and the
// process dies then, is taken for theirs: it is told, and removed by hand.
// Objects of a kind that is not served yet are passed over, and validated and written
// when it is; if one is refused then, the tenant goes back to its last good state.
// Objects that were made through Calico's own API server have a
// metadata.deletionGracePeriodSeconds, which it keeps and nobody heeds: see [createOnly].
//
// Leaders. With a [Lease] several processes run and one writes; see [Replica]. A
// request that changes something passes a [Fence], which sends it only within the
// lease, and carries what it was decided from: uid and resourceVersion of the live
// object, or that there was none. So what a leader still sends that was stopped
// between the check and the request is refused wherever the next leader, or anybody,
// has written since. If a leader ends
//  1. before the state names a revision, nothing of it is written; the next leader
//     adopts what Git has then, judged from the floor of the state;
//  2. after, the next leader renders it too, as after a crash;
//  3. while it holds a request, that arrives at some time: an update or a removal
//     of an object that the next leader has written is refused; a creation of what
//     that one has removed is not, and is taken back at once, see [former].
//
// A lease that is lost ends the term and not the process: restarting would cost the
// warm watches just when the API server is in trouble, and a term leaves nothing
// behind that the next one reads.
//
// What remains: a held request passes if the object is still, or again, as it was
// when it was compared, since the next leader has not come to it yet, or found it
// right and had no reason to write. Whatever of it that leader does not want it then
// undoes at once, as what is yet to be done or as drift. And a
// creation is told as an extra where no process that runs has seen the object in Git.
// While standing by, what was corrected is not listed, since only the leader knows
// what it did.
//
// A preview begins as a start would, from the state: what the API server would refuse,
// break-glass, freeze windows and fights of this moment are not in it.
//
// Rejected: an inventory object per tenant (it can be edited, and grows);
// ownership by label (anyone can write it); a work queue keyed by object (the
// order within a namespace is what keeps it closed).
package sync
