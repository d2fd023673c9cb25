package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
)

// effectRank orders differences: what opens, or may, comes first.
var effectRank = map[drift.Effect]int{drift.Opens: 0, drift.Both: 1, drift.EffectUnknown: 2, drift.Closes: 3, drift.None: 4}

// driftText says differences for people: those that stand in full, those that were corrected in a line each.
func driftText(rows []api.Difference) string {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b api.Difference) int {
		return cmp.Or(cmp.Compare(effectRank[a.Effect], effectRank[b.Effect]), a.Since.Compare(b.Since))
	})
	var standing, corrected strings.Builder
	for _, d := range rows {
		if d.Corrected == nil {
			writeDifference(&standing, d)
		} else {
			fmt.Fprintf(&corrected, "  %s %s\n", d.Corrected.Format(time.RFC3339), correctedLine(d))
		}
	}
	if standing.Len() == 0 {
		standing.WriteString("no difference stands\n")
	}
	if corrected.Len() > 0 {
		standing.WriteString("\ncorrected within the last 15 minutes:\n" + corrected.String())
	}
	return standing.String()
}

func writeDifference(b *strings.Builder, d api.Difference) {
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "%s: %s %s\n", d.Effect, d.Type, objectName(d))
	line := func(name, format string, args ...any) {
		fmt.Fprintf(b, "  %-7s %s\n", name, fmt.Sprintf(format, args...))
	}
	since := age(time.Since(d.Since)) + " (" + d.Since.Format(time.RFC3339) + ")"
	if who := managers(d); who != "" {
		since += ", by " + who
	}
	line("since", "%s", since)
	for _, f := range d.Fields {
		line("field", "%s is %s, Git says %s", f.Path, value(f.Got), value(f.Want))
	}
	for _, part := range connectionsOf(d) {
		for _, c := range part.connections {
			line(part.verb, "%s", c)
		}
	}
	if d.Origin != nil {
		line("Git", "%s:%d at %s", d.Origin.File, d.Origin.Line, short(d.Origin.Revision))
	}
	if d.Held != nil {
		line("held", "%s", held(*d.Held))
	}
}

// held says why a difference is not corrected.
func held(h drift.Hold) string {
	switch h {
	case drift.Report:
		return "report: it is only reported"
	case drift.Ignore:
		return "ignored: a rule of drift.ignore says so"
	case drift.BreakGlass:
		return "break-glass: corrections wait for it to end"
	case drift.Fight:
		return "fight: someone keeps changing it back, the next correction waits"
	}
	return string(h)
}

func objectName(d api.Difference) string {
	name := d.Kind
	if group, _, found := strings.Cut(d.APIVersion, "/"); found && group != "networking.k8s.io" {
		name += "." + group
	}
	if d.Namespace != "" {
		return name + " " + d.Namespace + "/" + d.Name
	}
	return name + " " + d.Name
}

// managers names who stands behind a difference.
func managers(d api.Difference) string {
	names := make([]string, 0, len(d.Managers))
	for _, m := range d.Managers {
		names = append(names, fmt.Sprintf("%s (%s)", m.Name, m.Operation))
	}
	return strings.Join(names, ", ")
}

// value says the value of a field in one line.
func value(v any) string {
	const most = 80
	if v == nil {
		return "nothing"
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if text := []rune(string(data)); len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(data)
}

type exposedPart struct {
	verb        string
	connections []reach.Connection
}

// connectionsOf returns what a difference opens, closes and may change, in connections that people can read.
func connectionsOf(d api.Difference) []exposedPart {
	e := d.Exposed()
	parts := []exposedPart{{"opens", e.Opens}, {"closes", e.Closes}, {"may be", e.Unsure}}
	for i := range parts {
		parts[i].connections = reach.Widest(reach.Gather(parts[i].connections))
	}
	return parts
}

// summary says a difference in one line.
func summary(d api.Difference) string {
	text := fmt.Sprintf("%s: %s %s", d.Effect, d.Type, objectName(d))
	if len(d.Fields) > 0 {
		paths := make([]string, 0, len(d.Fields))
		for _, f := range d.Fields {
			paths = append(paths, f.Path)
		}
		text += " (" + strings.Join(paths, ", ") + ")"
	}
	if who := managers(d); who != "" {
		text += " by " + who
	}
	if words := d.Exposed().Words(); words != "" {
		text += "; " + words
	}
	if d.Held != nil {
		text += "; held: " + string(*d.Held)
	}
	return text
}

// correctedLine says what was corrected, and how fast.
func correctedLine(d api.Difference) string {
	return fmt.Sprintf("%s, corrected after %s", summary(d), d.Corrected.Sub(d.Since).Round(time.Millisecond))
}
