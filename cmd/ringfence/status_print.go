package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/sync"
)

// text says the report for people: what is well in a line each, and what is not in full.
func (r statusReport) text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	s := r.Status
	state := "ready"
	if !s.Leader {
		state += ", standby"
	}
	if blind := blindness(s); blind != "" {
		state = "not ready: " + blind
	}
	line("daemon", "%s: %s", s.Instance, state)
	line("Git", "%s", gitLine(s.Source))
	for _, kind := range s.Blind {
		line("blind", "%s", kind)
	}
	if s.Waiting != "" && s.Ready {
		line("waits", "%s", s.Waiting)
	}
	if s.PruneHeld != "" {
		line("held", "nothing is removed: %s", s.PruneHeld)
	}
	for _, e := range s.Refused {
		line("refused", "%s", place(e))
	}
	for _, namespace := range r.Unfenced {
		line("unfenced", "%s: layout.expect names it, and no overlay fences it", namespace)
	}
	line("tenants", "%s", r.progress())
	_ = w.Flush() // to a strings.Builder
	r.writeTenants(&b)
	return b.String()
}

func gitLine(s api.Source) string {
	text := s.URL
	if s.Ref != "" {
		text += " " + s.Ref
	}
	if s.Revision != "" {
		text += " at " + short(s.Revision)
	}
	if s.Checked != nil {
		text += ", looked at " + age(time.Since(*s.Checked)) + " ago"
	}
	switch {
	case s.Refused != nil:
		text += fmt.Sprintf("; %s is refused: %s", short(s.Refused.Revision), s.Refused.Reason)
	case s.Error != "":
		text += "; the last look failed: " + s.Error
	}
	return text
}

// progress says how many tenants are synced, with a bar until all are.
func (r statusReport) progress() string {
	synced, total := 0, len(r.Tenants)
	for _, t := range r.Tenants {
		if t.State == sync.Synced {
			synced++
		}
	}
	text := fmt.Sprintf("%d of %d synced", synced, total)
	if synced == total {
		return text
	}
	const width = 24
	filled := synced * width / total
	return fmt.Sprintf("[%s%s] %s", strings.Repeat("#", filled), strings.Repeat("-", width-filled), text)
}

// writeTenants lists the tenants that are not synced.
func (r statusReport) writeTenants(b *strings.Builder) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	heading := "\nTENANT\tSTATE\tAPPLIED\tWANTED\tWHY\n"
	for _, t := range r.Tenants {
		if t.State == sync.Synced {
			continue
		}
		fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\t%s\n", heading, t.Name, t.State, dash(short(t.Revision.Applied)), dash(short(t.Revision.Wanted)), why(t))
		heading = ""
	}
	_ = w.Flush() // to a strings.Builder
}

// why says why a tenant is not synced.
func why(t api.Tenant) string {
	until := ""
	if t.Until != nil {
		until = " until " + t.Until.Format(time.RFC3339)
	}
	switch {
	case len(t.Errors) > 1:
		return fmt.Sprintf("%s, and %d more", place(t.Errors[0]), len(t.Errors)-1)
	case t.Error != nil:
		return place(*t.Error)
	case t.State == sync.Quarantined:
		return "its overlay left Git: it is held at deny-all"
	case t.State == sync.Unknown:
		return "its live state cannot be seen"
	case t.State == sync.Suspended:
		return "its settings hold new revisions back" + until
	case t.State == sync.Drifted:
		return counted(t.Drift, "difference") + ": see `ringfence drift`"
	case t.State == sync.Pending:
		return "not applied yet, or its namespace does not exist"
	}
	return "-"
}

// place returns a fault in one line, as kustomize's problems are printed.
func place(e api.Error) string {
	text := e.Message
	if e.File != "" {
		at := e.File
		if e.Line > 0 {
			at += fmt.Sprintf(":%d", e.Line)
		}
		text = at + ": " + text
	}
	if e.Hint != "" {
		text += fmt.Sprintf(" (hint: %s)", e.Hint)
	}
	return strings.ReplaceAll(text, "\n", "; ")
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
