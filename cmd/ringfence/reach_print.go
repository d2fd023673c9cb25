package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/picture"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/world"
	"github.com/ringfence/ringfence/drift/reach"
)

// print writes the whole connectivity.
func (r *reachRequest) print(w *world.World, out io.Writer) error {
	report := w.Connectivity().Report(r.expand)
	about := r.tenants
	if len(about) == 0 && r.output.value != "json" && !r.expand {
		about = w.Tenants // what goes on between the others is no tenant's, and a lot
	}
	report.Connections, report.Unknown = ofTenants(report.Connections, about), ofTenants(report.Unknown, about)
	if r.output.value == "json" {
		return writeJSON(out, report)
	}
	report.Connections, report.Unknown = reach.Gather(report.Connections), reach.Gather(report.Unknown)
	switch r.output.value {
	case "svg", "mermaid":
		p := &picture.Picture{Title: "Who can reach whom", Connections: report.Connections, Unknown: report.Unknown, Inner: r.inner(w)}
		if r.output.value == "svg" {
			return p.SVG(out)
		}
		return p.Mermaid(out)
	}
	return writeConnections(out, report)
}

// ofTenants keeps the connections of which one end may be in one of the tenants.
func ofTenants(list []reach.Connection, tenants []string) []reach.Connection {
	if len(tenants) == 0 {
		return list
	}
	out := []reach.Connection{}
	for _, c := range list {
		for _, place := range []reach.Place{c.From, c.To} {
			if place.Any == "pod" || slices.Contains(tenants, place.Namespace) {
				out = append(out, c)
				break
			}
		}
	}
	return out
}

// inner says which namespaces a picture is about.
func (r *reachRequest) inner(w *world.World) func(string) bool {
	about := w.Tenants
	if len(r.tenants) > 0 {
		about = r.tenants
	}
	if len(about) == 0 {
		return nil
	}
	return func(namespace string) bool { return slices.Contains(about, namespace) }
}

// writeConnections writes a report for people, by the namespace that is reached.
func writeConnections(out io.Writer, report reach.Report) error {
	var b strings.Builder
	if len(report.Connections) == 0 {
		b.WriteString("nothing is allowed\n")
	}
	byTarget := slices.Clone(report.Connections)
	slices.SortStableFunc(byTarget, func(a, c reach.Connection) int { return strings.Compare(target(a.To), target(c.To)) })
	heading := ""
	for _, c := range byTarget {
		if at := target(c.To); at != heading {
			if heading != "" {
				b.WriteString("\n")
			}
			heading = at
			fmt.Fprintf(&b, "into %s:\n", at)
		}
		fmt.Fprintf(&b, "  %s\n", c)
	}
	if len(report.Unknown) > 0 {
		fmt.Fprintf(&b, "\nunknown (%s):\n", report.Unknown[0].Reason)
		for _, c := range report.Unknown {
			c.Reason = ""
			fmt.Fprintf(&b, "  %s\n", c)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// target names where a connection leads, for a heading.
func target(p reach.Place) string {
	switch {
	case p.Any == "pod":
		return "any namespace"
	case p.Namespace == "*":
		return "any other namespace"
	case p.Namespace != "":
		return p.Namespace
	}
	return "addresses that are no pod's"
}

// decide answers one question.
func (r *reachRequest) decide(w *world.World, unreadable bool, out io.Writer) error {
	ports, err := r.portsAsked()
	if err != nil {
		return err
	}
	from, to, err := w.Peers(r.question)
	if err != nil {
		return err
	}
	verdict, err := w.Decide(from, to, ports)
	if err != nil {
		return err
	}
	if unreadable {
		verdict.Outcome = reach.Unknown
		verdict.Reasons = append(verdict.Reasons, reach.Reason{Unknown: true, Text: "something that may decide it cannot be read: see the errors"})
	}
	answer := answerOf(from, to, ports, verdict)
	if r.output.value == "json" {
		err = writeJSON(out, answer)
	} else {
		err = answer.write(out)
	}
	if err != nil {
		return err
	}
	switch verdict.Outcome {
	case reach.Allowed:
		return nil
	case reach.Unknown:
		return &exitError{code: exitUnknown}
	}
	return &exitError{code: exitFindings}
}

// answer is a verdict as it is printed.
type answer struct {
	Verdict string          `json:"verdict"` // allow, deny, partial or unknown
	From    string          `json:"from"`
	To      string          `json:"to"`
	Ports   []reach.PortRow `json:"ports"`
	// Allowed, Denied and Unknown are the ports that are so for every pair of ends.
	Allowed []reach.PortRow `json:"allowed"`
	Denied  []reach.PortRow `json:"denied"`
	Unknown []reach.PortRow `json:"unknown"`
	Reasons []reasonJSON    `json:"reasons"`

	asked   string
	reasons []reach.Reason
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

func answerOf(from, to reach.Peer, ports reach.Ports, v reach.Verdict) answer {
	a := answer{
		Verdict: v.Outcome.String(), From: from.String(), To: to.String(), Ports: ports.Rows(),
		Allowed: v.Allowed.Rows(), Denied: v.Denied.Rows(), Unknown: v.Unknown.Rows(), Reasons: []reasonJSON{},
		asked: ports.String(), reasons: v.Reasons,
	}
	for _, r := range v.Reasons {
		row := reasonJSON{
			Direction: r.Direction.String(), Action: r.Action.String(), Ports: r.Ports.Rows(), Tier: r.Tier, Field: r.Field,
			File: r.Origin.File, Line: r.Origin.Line, Live: r.Origin.Live, Text: r.Text, Unknown: r.Unknown, Example: r.Example,
		}
		if r.Policy != (reach.Ref{}) {
			row.Policy = &policyJSON{r.Policy.Group, r.Policy.Kind, r.Policy.Namespace, r.Policy.Name}
		}
		a.Reasons = append(a.Reasons, row)
	}
	return a
}

// write prints the answer for people: the verdict, then what decided, side by side.
func (a answer) write(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s → %s %s\n", a.Verdict, a.From, a.To, a.asked)
	for _, r := range a.reasons {
		fmt.Fprintf(&b, "  %s\n", r)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
