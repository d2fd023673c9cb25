package reach

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Outcome is the answer to a question.
type Outcome uint8

// The outcomes. Partial is an answer only to questions about several ports, addresses or pods, or about two pods that have
// addresses of both versions of IP: some are allowed, the others denied, and nothing of it is unknown.
const (
	Unknown Outcome = iota
	Allowed
	Denied
	Partial
)

// String returns "unknown", "allow", "deny" or "partial".
func (o Outcome) String() string { return [...]string{"unknown", "allow", "deny", "partial"}[o] }

// Verdict answers who may reach whom, and why.
type Verdict struct {
	Outcome Outcome
	// Allowed, Denied and Unknown are the ports that are so for every pair of ends that was asked about. What is in none
	// of them differs from pair to pair.
	Allowed, Denied, Unknown Ports
	Reasons                  []Reason // sorted: egress first, then as the rules were tried; without doubles
}

// Reason is one thing that decided: a rule, the end of a tier, or that no policy applies.
type Reason struct {
	Direction Direction
	Action    Action
	Ports     Ports  // what of the question it decided
	Policy    Ref    // zero where no policy applies
	Tier      string // "" where no policy applies
	Field     string // of the rule in the policy, such as spec.ingress[0]; "" at a tier's end
	Origin    Origin // of the policy
	Text      string // for what no rule decided, or what is unknown about it
	Unknown   bool   // it is not certain that this decides
	Example   string // the pair of ends, where the question is about several
}

// String returns one line for people.
func (r Reason) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", r.Direction)
	switch {
	case r.Policy == (Ref{}):
		b.WriteString(r.Text)
	case r.Field == "":
		fmt.Fprintf(&b, "%s by the end of tier %s: no rule of %s matches", r.verb(), r.Tier, r.Policy)
	default:
		fmt.Fprintf(&b, "%s by %s %s", r.verb(), r.Policy, r.Field)
	}
	if at := r.Origin.String(); at != "" {
		fmt.Fprintf(&b, " (%s)", at)
	}
	if r.Policy != (Ref{}) {
		fmt.Fprintf(&b, ": %s", r.Ports)
	}
	if r.Text != "" && r.Policy != (Ref{}) {
		fmt.Fprintf(&b, "; %s", r.Text)
	}
	if r.Example != "" {
		fmt.Fprintf(&b, " [%s]", r.Example)
	}
	return b.String()
}

// verb says what was decided, and how surely.
func (r Reason) verb() string {
	action := strings.ToLower(r.Action.String())
	switch {
	case r.Unknown && r.Field == "spec": // of a policy that cannot be read
		return "unknown"
	case r.Unknown:
		return "perhaps " + action
	}
	return action
}

// reasonOf turns a step of the evaluation into a reason.
func reasonOf(dir Direction, s step, example string) Reason {
	r := Reason{Direction: dir, Action: s.action, Ports: s.ports, Text: s.unknown, Unknown: s.unknown != "", Example: example}
	if s.policy != nil && s.policy.unread != "" {
		r.Origin = s.policy.origin
		return r
	}
	if s.policy != nil {
		r.Policy, r.Tier, r.Origin = s.policy.ref, s.policy.tier, s.policy.origin
	}
	if s.rule != nil {
		r.Field = s.rule.path
		if r.Text == "" {
			r.Text = s.rule.note
		}
	}
	if s.policy != nil && s.rule == nil && s.tier == nil {
		r.Field = "spec"
	}
	if s.policy == nil && r.Text == "" {
		r.Text = "no policy decides, so it is allowed"
	}
	return r
}

// pair is the answer for one source and one destination.
type pair struct {
	outcome outcome
	reasons []Reason
	free    bool // one end is a pod that may have any labels
}

// summary joins the answers of all pairs of a question about ports.
func summary(ports Ports, pairs []pair) Verdict {
	v := Verdict{Allowed: ports, Denied: ports, Unknown: ports}
	anyAllowed, anyDenied, anyUnknown := Ports{}, Ports{}, Ports{}
	free := Ports{}
	for _, p := range pairs {
		unknown := p.outcome.allow.Intersect(p.outcome.deny)
		allowed, denied := p.outcome.allow.Minus(unknown), p.outcome.deny.Minus(unknown)
		if p.free {
			// Unknown here means that some pods may and others may not; concrete pods may show it.
			free, unknown = free.Union(unknown), Ports{}
		}
		v.Allowed, v.Denied, v.Unknown = v.Allowed.Intersect(allowed), v.Denied.Intersect(denied), v.Unknown.Intersect(unknown)
		anyAllowed, anyDenied, anyUnknown = anyAllowed.Union(allowed), anyDenied.Union(denied), anyUnknown.Union(unknown)
		v.Reasons = append(v.Reasons, p.reasons...)
	}
	shown := anyAllowed.Intersect(anyDenied)
	anyUnknown = anyUnknown.Union(free.Minus(shown))
	switch {
	case !anyUnknown.Empty() || len(pairs) == 0:
		v.Outcome = Unknown
	case anyDenied.Empty():
		v.Outcome = Allowed
	case anyAllowed.Empty():
		v.Outcome = Denied
	default:
		v.Outcome = Partial
	}
	v.Reasons = distinct(v.Reasons)
	return v
}

// distinct drops reasons that differ in their example alone, and puts egress first.
func distinct(reasons []Reason) []Reason {
	seen := map[string]bool{}
	var out []Reason
	for _, r := range reasons {
		plain := r
		plain.Example = ""
		if key := plain.String(); !seen[key] {
			seen[key] = true
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b Reason) int { return cmp.Compare(b.Direction, a.Direction) })
	return out
}
