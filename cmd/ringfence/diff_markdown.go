package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/sync"
)

// commentMost bounds what is written, in bytes: GitHub takes 65,536 characters for a comment.
const commentMost = 60_000

// markdown writes a report as a comment on a pull request: what is opened comes first, and details can be unfolded.
func (r *diffReport) markdown(out io.Writer) error {
	l := &lines{}
	l.add("### Ringfence: %s", escaped(r.summary()))
	l.add("")
	l.add("From %s to %s.", escaped(r.From.String()), escaped(r.To.String()))
	warned := &lines{}
	r.warnings(warned)
	for text := range strings.Lines(warned.b.String()) {
		l.add("")
		l.add("> **%s**", escaped(strings.TrimSpace(text)))
	}
	groups := r.groups()
	r.opened(l, groups)
	r.table(l, groups)
	r.folded(l, "Connections that close", func(d *lines) {
		for _, g := range groups {
			for _, text := range connectionTexts(g.units[0].Closes) {
				d.add("%s: %s", g.short(), text)
			}
		}
	})
	r.folded(l, "Objects", func(d *lines) {
		for i, g := range groups {
			if i > 0 {
				d.add("")
			}
			d.add("%s", g.heading())
			d.b.WriteString(g.text)
		}
	})
	r.folded(l, fmt.Sprintf("The plan: %s", counted(len(r.plan.Writes), "write")), r.turns)
	return l.write(out)
}

// opened lists what is opened, and what stays open that Git closes.
func (r *diffReport) opened(l *lines, groups []alike) {
	var rows [][2]string
	add := func(g alike, note string, connections []reach.Connection) {
		for _, text := range connectionTexts(connections) {
			rows = append(rows, [2]string{g.short(), text + note})
		}
	}
	for _, g := range groups {
		u := g.units[0]
		note := ""
		if u.New {
			note = " (new tenant)"
		}
		add(g, note, u.Opens)
		add(g, " (perhaps)", u.Unsure)
		add(g, " (still let through)", u.Beyond)
		for _, c := range u.Changes {
			if c.Stays != "" && c.Stays != string(drift.Ignore) {
				add(g, " (stays open)", c.Exposure.Opens)
			}
		}
	}
	if len(rows) == 0 {
		return
	}
	l.add("")
	l.add("#### Connections that open")
	l.add("")
	l.add("| tenant | connection |")
	l.add("|---|---|")
	for _, row := range rows {
		l.add("| %s | %s |", escaped(row[0]), escaped(row[1]))
	}
}

// table has a line for each tenant, those that are alike in one.
func (r *diffReport) table(l *lines, groups []alike) {
	if len(groups) == 0 {
		return
	}
	l.add("")
	l.add("| tenant | objects | opens | closes | |")
	l.add("|---|---|---|---|---|")
	for _, g := range groups {
		u := g.units[0]
		l.add("| %s | %s | %d | %d | %s |", escaped(g.short()), escaped(changeCounts(u)), len(widest(u.Opens)), len(widest(u.Closes)), escaped(stateNote(u)))
	}
}

// changeCounts counts the objects of each sign.
func changeCounts(u sync.Unit) string {
	counts := map[string]int{}
	for _, c := range u.Changes {
		sign, _ := changeWord(c)
		counts[sign]++
	}
	var parts []string
	for _, sign := range []string{"+", "~", "-", "=", "?"} {
		if n := counts[sign]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s%d", sign, n))
		}
	}
	return strings.Join(parts, " ")
}

// stateNote says what else is to be known of a unit.
func stateNote(u sync.Unit) string {
	switch {
	case len(u.Problems) > 0:
		return "refused: " + u.Problems[0].Error()
	case u.State == sync.Quarantined:
		return "left Git, held at deny-all"
	case u.State == sync.Suspended:
		return "suspended"
	case u.State == sync.Pending:
		return "waits: " + u.Reason
	case u.New:
		return "new"
	}
	return ""
}

// short names the units in few words.
func (g alike) short() string {
	name := cmp.Or(g.units[0].Name, api.ClusterOverlay)
	if n := len(g.units) - 1; n > 0 {
		return fmt.Sprintf("%s and %d alike", name, n)
	}
	return name
}

// folded adds details that can be unfolded, if there are any. Of more than a comment can hold the rest is left out.
func (r *diffReport) folded(l *lines, title string, tell func(*lines)) {
	d := &lines{}
	tell(d)
	text := d.b.String()
	if text == "" {
		return
	}
	if room := commentMost - l.b.Len(); len(text) > room {
		kept := strings.ToValidUTF8(text[:max(room, 0)], "")
		text = kept[:strings.LastIndexByte(kept, '\n')+1] + "… and more, which ringfence diff tells\n"
	}
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	l.add("")
	l.add("<details><summary>%s</summary>", escaped(title))
	l.add("")
	l.add("%s", fence)
	l.b.WriteString(text)
	l.add("%s", fence)
	l.add("")
	l.add("</details>")
}

// escaped makes text of Markdown: nothing in it is more than text.
func escaped(text string) string {
	special := []rune("\\`*_{}[]<>#|~@&")
	var b strings.Builder
	for _, r := range text {
		if slices.Contains(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
