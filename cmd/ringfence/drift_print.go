package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
)

// print writes differences for people, in the order given. sure says that the daemon sees all of them.
func (r *driftRequest) print(out io.Writer, rows []api.Difference, sure bool) error {
	l := &lines{}
	l.add("%s", driftCounts(rows, sure))
	for _, d := range rows {
		l.add("")
		r.difference(l, d)
	}
	return l.write(out)
}

// driftCounts says how many differences there are of each sort.
func driftCounts(rows []api.Difference, sure bool) string {
	var stand, open, ignored, corrected int
	for _, d := range rows {
		switch {
		case d.Corrected != nil:
			corrected++
		case d.Ignored():
			ignored++
		default:
			stand++
			if d.Effect == drift.Opens || d.Effect == drift.Both {
				open++
			}
		}
	}
	text := counted(stand, "difference") + " " + verb(stand, "stand")
	switch {
	case stand == 0 && !sure:
		text = "no difference is known to stand"
	case stand == 0:
		text = "no difference stands"
	case open > 0:
		text += fmt.Sprintf(", %d %s", open, verb(open, "open"))
	}
	if ignored > 0 {
		text += fmt.Sprintf("; %d ignored", ignored)
	}
	if corrected > 0 {
		text += fmt.Sprintf("; %d corrected within the last 15 minutes", corrected)
	}
	return text
}

// difference prints one difference.
func (r *driftRequest) difference(l *lines, d api.Difference) {
	tenant := d.Tenant
	if tenant == "" {
		tenant = api.ClusterOverlay
	}
	mark := ""
	if d.Corrected != nil {
		mark = "corrected: "
	}
	l.add("%s%s %s %s, %s", mark, tenant, d.Type, d.Object(), api.EffectWords(d.Effect))
	l.add("  %s", r.history(d))
	for _, m := range d.Managers {
		l.add("  by %s", managerWords(m))
	}
	for _, f := range d.Fields {
		l.add("  %s: %s → %s", f.Path, valueWords(f.Want), valueWords(f.Got))
	}
	for _, text := range exposureLines(d) {
		l.add("  %s", text)
	}
	if o := d.Origin; o != nil {
		at := ""
		if o.Revision != "" { // nothing was applied yet
			at = " at revision " + short(o.Revision)
		}
		l.add("  %s:%d%s", o.File, o.Line, at)
	}
}

// history says since when a difference stands, and what came or comes of it.
func (r *driftRequest) history(d api.Difference) string {
	since := "since " + stamp(d.Since)
	if d.Corrected != nil {
		return since + ", corrected after " + took(d)
	}
	return since + " (" + age(r.now().Sub(d.Since)) + ")" + heldWords(d)
}

// heldWords says why a difference is not corrected, if there is a reason, where it follows other words.
func heldWords(d api.Difference) string {
	if words := d.HeldWords(); words != "" {
		return ", " + words
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func took(d api.Difference) string {
	after := d.Corrected.Sub(d.Since)
	if after < time.Second {
		return max(after.Round(time.Millisecond), time.Millisecond).String()
	}
	return after.Round(time.Second).String()
}

func managerWords(m drift.Writer) string {
	text := m.Name + " (" + m.Operation
	if !m.Time.IsZero() {
		text += " at " + stamp(m.Time)
	}
	return text + ")"
}

// valueWords prints one side of a field; a long one is cut, since -o json has all of it.
func valueWords(value any) string {
	const most = 160
	runes := []rune(api.ValueWords(value))
	if len(runes) > most {
		return string(runes[:most]) + " …"
	}
	return string(runes)
}

// exposureLines says what a difference opens and closes, the widest connections only.
func exposureLines(d api.Difference) (out []string) {
	const most = 8
	for _, m := range d.Moves() {
		for _, c := range m.Connections[:min(len(m.Connections), most)] {
			out = append(out, m.Verb+" "+c.String())
		}
		if more := len(m.Connections) - most; more > 0 {
			out = append(out, fmt.Sprintf("%s %d more", m.Verb, more))
		}
	}
	return out
}

// changeWords says in one line what changed.
func changeWords(c api.Change) string {
	text := fmt.Sprintf("%s %-9s ", stamp(c.Time), c.What)
	if c.Difference == nil {
		return text + c.Message
	}
	d := *c.Difference
	text += string(d.Type) + " " + d.Object()
	switch c.What {
	case api.Corrected:
		return text + ", after " + took(d)
	case api.Gone:
		return text
	}
	return text + changeDetails(d)
}

// changeDetails says what is worth knowing of a difference that appeared or changed, as Events do.
func changeDetails(d api.Difference) (text string) {
	var paths, names []string
	for _, f := range d.Fields {
		paths = append(paths, f.Path)
	}
	for _, m := range d.Managers {
		names = append(names, m.Name)
	}
	if len(paths) > 0 {
		text += " (" + strings.Join(paths, ", ") + ")"
	}
	if len(names) > 0 {
		text += " by " + strings.Join(names, ", ")
	}
	text += heldWords(d)
	if words := d.Exposed().Words(); words != "" {
		return text + "; " + words
	}
	return text + "; " + api.EffectWords(d.Effect)
}
