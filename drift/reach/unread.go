package reach

import (
	"cmp"
	"slices"
)

// Unread says that there are policies, or may be, that could not be read: whatever they may concern is unknown.
type Unread struct {
	// Namespace is the one that they are in; "" where they may be anywhere, or concern everything.
	Namespace string
	// Except are the namespaces that they are surely not in, where Namespace is "".
	Except []string
	// Origin is where they would have been read; zero where that says nothing.
	Origin Origin
	// Reason says why they could not be, in a sentence without a capital and a stop.
	Reason string
}

// policy is the broken policy that stands for them.
func (u Unread) policy() *policy {
	p := &policy{ref: Ref{Namespace: u.Namespace}, origin: u.Origin, unread: cmp.Or(u.Reason, "policies could not be read")}
	p.brokenIf(fault("", "", "%s", p.unread))
	if u.Namespace == "" && len(u.Except) > 0 {
		p.subject = newClause("", &expression{op: opNotIn, key: labelNamespace, values: slices.Compact(slices.Sorted(slices.Values(u.Except)))})
	}
	return p
}

// headless is the policy of an object whose header alone is wrong; nil if it is no policy.
func headless(h header, origin Origin, err error) *policy {
	switch h.group {
	case groupNetwork, groupPolicy, groupCalico, groupCalicoCRD:
	default:
		return nil
	}
	switch h.kind {
	case "NetworkPolicy", "GlobalNetworkPolicy", "ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy":
		p := &policy{ref: h.ref(), origin: origin}
		p.brokenIf(fault("", "", "%v", err))
		return p
	}
	return nil
}

// doubt says why it is unknown what a policy does; "" if it can be read, and so can its tier.
func (w *World) doubt(p *policy) string {
	switch {
	case p.unread != "":
		return "unknown: " + p.unread
	case p.broken != nil && p.broken.Field == "":
		return "malformed: " + p.broken.Message
	case p.broken != nil:
		return "malformed: " + p.broken.Field + ": " + p.broken.Message
	case w.tierOf(p.tier).broken:
		return "the tier " + p.tier + " is malformed"
	}
	return ""
}
