package api

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
)

// EffectWords says what a difference does to traffic.
func EffectWords(effect drift.Effect) string {
	switch effect {
	case drift.Both:
		return "opens and closes"
	case drift.None:
		return "changes no connection"
	case drift.EffectUnknown:
		return "effect unknown"
	}
	return string(effect)
}

// HeldWords says that a difference which stands is not corrected, and why: "held: ignored (the operator's)"; "" if it is corrected.
func (d Difference) HeldWords() string {
	switch {
	case d.Corrected != nil || d.Held == nil:
		return ""
	case d.Reason == "":
		return "held: " + string(*d.Held)
	}
	return "held: " + string(*d.Held) + " (" + d.Reason + ")"
}

// HeldMeaning says in a sentence what it means that a difference is held; "" if it is not.
func (d Difference) HeldMeaning() string {
	if d.HeldWords() == "" {
		return ""
	}
	switch *d.Held {
	case drift.Report:
		return "It is told and not corrected: drift.extra, drift.mode or the tenant's mode says so."
	case drift.Ignore:
		return "drift.ignore names it: it does not count as drift."
	case drift.BreakGlass:
		return "The tenant's fence was opened on purpose, for a while."
	case drift.Fight:
		return "Something keeps changing it back: the next correction waits."
	}
	return ""
}

// ValueWords says one side of a field in a line, as JSON.
func ValueWords(value any) string {
	if value == nil {
		return "nothing"
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSpace(b.String())
}

// Move is what a difference does to some connections, or did.
type Move struct {
	Effect drift.Effect // opens, closes or unknown
	Verb   string       // "opens", or "opened" of a difference that was corrected
	// Connections are the widest, gathered for people as [reach.Gather] and [reach.Widest] do.
	Connections []reach.Connection
}

// Moves returns what a difference does to connections, what it opens first.
func (d Difference) Moves() (out []Move) {
	e := d.Exposed()
	for _, part := range []struct {
		effect      drift.Effect
		now, then   string
		connections []reach.Connection
	}{{drift.Opens, "opens", "opened", e.Opens}, {drift.Closes, "closes", "closed", e.Closes}, {drift.EffectUnknown, "may change", "may have changed", e.Unsure}} {
		if len(part.connections) == 0 {
			continue
		}
		m := Move{part.effect, part.now, reach.Widest(reach.Gather(part.connections))}
		if d.Corrected != nil {
			m.Verb = part.then
		}
		out = append(out, m)
	}
	return out
}
