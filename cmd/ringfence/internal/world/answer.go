package world

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/drift/reach"
)

// Answer is the verdict about a question. Its JSON is what `ringfence reach --from X --to Y -o json` prints.
type Answer struct {
	// From and To are the two ends as they were understood.
	From, To reach.Peer
	// Ports are those that were asked about.
	Ports reach.Ports
	reach.Verdict
}

// String says the answer for people: the verdict, then what decided, a line for each.
func (a Answer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s → %s %s\n", a.Outcome, a.From, a.To, a.Ports)
	for _, r := range a.Reasons {
		fmt.Fprintf(&b, "  %s\n", r)
	}
	return b.String()
}

type answerJSON struct {
	Verdict string          `json:"verdict"` // allow, deny, partial or unknown
	From    string          `json:"from"`
	To      string          `json:"to"`
	Ports   []reach.PortRow `json:"ports"`
	// Allowed, Denied and Unknown are the ports that are so for every pair of ends.
	Allowed []reach.PortRow `json:"allowed"`
	Denied  []reach.PortRow `json:"denied"`
	Unknown []reach.PortRow `json:"unknown"`
	Reasons []reasonJSON    `json:"reasons"`
}

type reasonJSON struct {
	Direction string          `json:"direction"`
	Action    string          `json:"action"`
	Ports     []reach.PortRow `json:"ports"`
	Policy    *policyJSON     `json:"policy"` // null where no policy decided
	Tier      string          `json:"tier"`
	Field     string          `json:"field"` // of the rule; "" at the end of a tier
	File      string          `json:"file"`
	Line      int             `json:"line"`
	Live      bool            `json:"live"`
	Text      string          `json:"text"`
	Unknown   bool            `json:"unknown"` // it is not certain that this decides
	Example   string          `json:"example"` // a pair of ends, where the question is about several
}

type policyJSON struct {
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// MarshalJSON implements json.Marshaler.
func (a Answer) MarshalJSON() ([]byte, error) {
	out := answerJSON{
		Verdict: a.Outcome.String(), From: a.From.String(), To: a.To.String(), Ports: a.Ports.Rows(),
		Allowed: a.Allowed.Rows(), Denied: a.Denied.Rows(), Unknown: a.Unknown.Rows(), Reasons: []reasonJSON{},
	}
	for _, r := range a.Reasons {
		row := reasonJSON{
			Direction: r.Direction.String(), Action: r.Action.String(), Ports: r.Ports.Rows(), Tier: r.Tier, Field: r.Field,
			File: r.Origin.File, Line: r.Origin.Line, Live: r.Origin.Live, Text: r.Text, Unknown: r.Unknown, Example: r.Example,
		}
		if r.Policy != (reach.Ref{}) {
			row.Policy = &policyJSON{r.Policy.Group, r.Policy.Kind, r.Policy.Namespace, r.Policy.Name}
		}
		out.Reasons = append(out.Reasons, row)
	}
	return json.Marshal(out)
}
