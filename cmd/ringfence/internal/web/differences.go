package web

import (
	"slices"
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
	HeldWords  string
	Moves      []move   // what it opens and closes
	Changes    []change // fields
	Text       string   // the object that is missing, or that should not be there
	TextWords  string
}

// change is one field that differs.
type change struct{ Path, Want, Got string }

// move is one connection that a difference opens or closes.
type move struct{ Tone, Word, Text string }

// mostMoves bounds the connections that one difference lists.
const mostMoves = 12

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
	d := difference{Difference: driftOf(e, revision), Moves: movesOf(e.Exposure, !e.Corrected.IsZero())}
	d.Tone, d.HeldWords, d.Who = toneOf(d.Difference), heldWords(d.Difference), d.Managers
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

func heldWords(d api.Difference) string {
	if d.Corrected != nil || d.Held == nil {
		return ""
	}
	words := "left standing: " + string(*d.Held)
	if d.Reason != "" {
		words += " (" + d.Reason + ")"
	}
	return words
}

// movesOf lists what a difference does to traffic, or did.
func movesOf(e drift.Exposure, past bool) (out []move) {
	for _, part := range []struct {
		tone, now, then string
		list            []reach.Connection
	}{{"bad", "opens", "opened", e.Opens}, {"warn", "closes", "closed", e.Closes}, {"unknown", "unknown", "unknown", e.Unsure}} {
		list, tone, word := reach.Gather(reach.Widest(part.list)), part.tone, part.now
		if past {
			tone, word = "past", part.then
		}
		for i, c := range list {
			if i == mostMoves {
				out = append(out, move{tone, "and", counted(len(list)-i, "more connection")})
				break
			}
			out = append(out, move{tone, word, c.String()})
		}
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
