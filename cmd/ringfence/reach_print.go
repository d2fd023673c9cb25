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
	w.Explain(report.Unknown)
	if err := r.write(w, report, out); err != nil {
		return err
	}
	if w.Concerns(r.concerned(report.Unknown)...) {
		return &exitError{code: exitUnknown}
	}
	return nil
}

// concerned returns the namespaces that were asked about, and those of what is unknown about them; none means all.
func (r *reachRequest) concerned(unknown []reach.Connection) []string {
	out := slices.Clone(r.tenants)
	if len(out) == 0 {
		return nil
	}
	for _, c := range unknown {
		for _, place := range []reach.Place{c.From, c.To} {
			if place.Any == "pod" {
				return nil
			}
			if place.Namespace != "" {
				out = append(out, place.Namespace)
			}
		}
	}
	return out
}

func (r *reachRequest) write(w *world.World, report reach.Report, out io.Writer) error {
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
	out, is := []reach.Connection{}, setOf(tenants)
	for _, c := range list {
		for _, place := range []reach.Place{c.From, c.To} {
			if place.Any == "pod" || is[place.Namespace] {
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
	is := setOf(about)
	return func(namespace string) bool { return is[namespace] }
}

func setOf(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, name := range names {
		out[name] = true
	}
	return out
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
	writeUnknown(&b, report.Unknown)
	_, err := io.WriteString(out, printable(b.String()))
	return err
}

// writeUnknown adds a section for each reason why connections are unknown.
func writeUnknown(b *strings.Builder, unknown []reach.Connection) {
	byReason := slices.Clone(unknown)
	slices.SortStableFunc(byReason, func(x, y reach.Connection) int { return strings.Compare(x.Reason, y.Reason) })
	reason := ""
	for _, c := range byReason {
		if c.Reason != reason {
			reason = c.Reason
			fmt.Fprintf(b, "\nunknown: %s\n", reason)
		}
		c.Reason = ""
		fmt.Fprintf(b, "  %s\n", c)
	}
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
func (r *reachRequest) decide(w *world.World, ports reach.Ports, out io.Writer) error {
	answer, err := w.Ask(r.question, ports)
	if err != nil {
		return err
	}
	if r.output.value == "json" {
		err = writeJSON(out, answer)
	} else {
		_, err = io.WriteString(out, printable(answer.String()))
	}
	if err != nil {
		return err
	}
	switch answer.Outcome {
	case reach.Allowed:
		return nil
	case reach.Unknown:
		return &exitError{code: exitUnknown}
	}
	return &exitError{code: exitFindings}
}
