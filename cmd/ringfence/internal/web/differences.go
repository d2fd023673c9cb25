package web

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
)

// difference is one row of drift as views show it.
type difference struct {
	api.Difference
	Tone       string
	ShowTenant bool
	Who        []drift.Writer
	Lines      []move   // what it opens and closes
	Changes    []change // fields
	Text       string   // the object that is missing, or that should not be there
	TextWords  string
}

// change is one field that differs.
type change struct{ Path, Want, Got string }

// move is what a difference opens or closes to one peer: connections that lead to the same, on the same ports, are one.
type move struct {
	Tone, Word string
	From       string
	To, Ports  string
	More       string // in place of the rest
}

// mostMoves bounds the moves that one difference lists, and mostFrom the peers of one.
const (
	mostMoves = 12
	mostFrom  = 6
)

// differences returns the drift of one tenant, or of all, the most urgent first.
func (h *Handler) differences(tenant string, all bool) []difference {
	revisions := map[string]string{}
	for _, t := range h.config.Engine.Tenants() {
		revisions[t.Name] = t.Applied
	}
	var out []difference
	for _, e := range h.config.Engine.Drift() {
		if all || e.Tenant == tenant {
			d := differenceOf(e, revisions[e.Tenant])
			d.ShowTenant = all
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b difference) int { return a.Rank() - b.Rank() })
	return out
}

func differenceOf(e drift.Entry, revision string) difference {
	d := difference{Difference: driftOf(e, revision)}
	d.Tone, d.Who, d.Lines = toneOf(d.Difference), d.Managers, linesOf(d.Difference)
	for _, f := range e.Fields {
		d.Changes = append(d.Changes, change{f.Path, value(f.Want), value(f.Got)})
	}
	switch {
	case e.Type == drift.Extra && e.Got != nil:
		d.Text, d.TextWords = asText(e.Got.Object), "What the cluster has, and Git has not"
	case e.Type == drift.Missing && e.Want != nil:
		d.Text, d.TextWords = asText(e.Want.Object.Object), "What Git has, and the cluster has not"
	}
	return d
}

// toneOf is how a difference looks: what opens is bad, and nothing that stands is good.
func toneOf(d api.Difference) string {
	switch {
	case d.Corrected != nil || d.Ignored():
		return "past"
	case d.Effect == drift.Opens || d.Effect == drift.Both:
		return "bad"
	case d.Effect == drift.Closes:
		return "warn"
	case d.Effect == drift.None:
		return "info"
	}
	return "unknown"
}

// linesOf lists what a difference does to traffic, or did.
func linesOf(d api.Difference) (out []move) {
	tones := map[drift.Effect]string{drift.Opens: "bad", drift.Closes: "warn"}
	for _, m := range d.Moves() {
		tone := cmp.Or(tones[m.Effect], "unknown")
		if d.Corrected != nil {
			tone = "past"
		}
		list := together(m.Connections)
		for i, line := range list {
			if i == mostMoves {
				out = append(out, move{Tone: tone, Word: "and", More: strconv.Itoa(len(list)-i) + " more"})
				break
			}
			line.Tone, line.Word = tone, m.Verb
			out = append(out, line)
		}
	}
	return out
}

// together makes one line of the connections that lead to the same on the same ports, in the order of the first.
func together(connections []reach.Connection) (out []move) {
	at, from := map[[2]string]int{}, [][]string{}
	for _, c := range connections {
		key := [2]string{c.To.String(), c.Set().String()}
		i, seen := at[key]
		if !seen {
			i = len(out)
			at[key], from = i, append(from, nil)
			out = append(out, move{To: key[0], Ports: key[1]})
		}
		from[i] = append(from[i], c.From.String())
	}
	for i := range out {
		names := from[i]
		if more := len(names) - mostFrom; more > 0 {
			names = append(names[:mostFrom:mostFrom], strconv.Itoa(more)+" more")
		}
		out[i].From = strings.Join(names, ", ")
	}
	return out
}

// matches says whether a search finds the difference.
func (d difference) matches(query string) bool {
	words := []string{d.Tenant, d.Object(), d.APIVersion, string(d.Type), d.Namespace}
	for _, w := range d.Managers {
		words = append(words, w.Name)
	}
	if d.Origin != nil {
		words = append(words, d.Origin.File)
	}
	return found(query, words...)
}

// found says whether every word of a query is in one of the texts, whatever the case.
func found(query string, texts ...string) bool {
	for word := range strings.FieldsSeq(strings.ToLower(query)) {
		if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(text), word) }) {
			return false
		}
	}
	return true
}
