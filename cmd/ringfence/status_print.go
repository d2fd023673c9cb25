package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/sync"
)

// lines gathers text that is printed at once. Nothing that is told can break out of its line.
type lines struct{ b strings.Builder }

func (l *lines) add(format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")
	l.b.WriteString(strings.TrimRight(printable(text), " ") + "\n")
}

func (l *lines) problem(e api.Error) {
	for text := range strings.SplitSeq(e.String(), "\n") {
		l.add("  %s", text)
	}
}

func (l *lines) write(out io.Writer) error {
	_, err := io.WriteString(out, l.b.String())
	return err
}

// writeStatus prints an overview for people: the whole, the tenants, the counts.
func writeStatus(out io.Writer, o api.Overview, all bool) error {
	l := &lines{}
	l.add("%s", whole(o.Status))
	writeHeld(l, o.Status.Held)
	rows := o.NotSynced()
	if all {
		rows = o.All()
	}
	writeTenants(l, rows)
	for _, p := range o.Status.Refused {
		l.add("refused, and its tenant cannot be known:")
		l.problem(p)
	}
	if len(o.Unfenced) > 0 {
		l.add("unfenced, by layout.expect: %s", strings.Join(o.Unfenced, ", "))
	}
	l.add("%s", tenantCounts(o.Status.Tenants))
	return l.write(out)
}

// whole says everything that is no tenant's in one line.
func whole(s api.Status) string {
	ready, leader, revision := "not ready", "standby", "no revision yet"
	if s.Ready {
		ready = "ready"
	}
	if s.Leader {
		leader = "leader"
	}
	if s.Revision != "" {
		revision = "revision " + short(s.Revision)
	}
	parts := []string{ready + ", " + leader, revision + " of " + strings.TrimSpace(s.Source.URL+" "+s.Source.Ref)}
	add := func(what, text string) {
		if text != "" {
			parts = append(parts, what+text)
		}
	}
	if s.Source.Revision != s.Revision {
		add("the newest is ", short(s.Source.Revision))
	}
	add("waiting: ", s.Waiting)
	add("blind: ", s.BlindWords())
	if len(s.Held) == 0 { // what is held has lines of its own
		add("removals are held: ", s.PruneHeld)
	}
	add("source: ", s.Source.Error)
	if refused := s.Source.Refused; refused != nil {
		add("refused: ", short(refused.Revision)+" ("+refused.Reason+")")
	}
	return strings.Join(parts, "; ")
}

// writeHeld says what is held back: why in one line, and what in one line for each kind.
func writeHeld(l *lines, held []api.Held) {
	for _, h := range held {
		l.add("held by %s: %s", h.Reason, h.Message)
		verb := "waits: "
		if h.Reason == sync.HeldByPrune {
			verb = "would be quarantined: "
		}
		if len(h.Tenants) > 0 {
			l.add("  %s%s", verb, strings.Join(h.Tenants, ", "))
		}
		for _, o := range h.Objects {
			l.add("  would be removed: %s", o)
		}
	}
}

// writeTenants prints a line for each tenant, in columns, with what is wrong below.
func writeTenants(l *lines, tenants []api.Tenant) {
	name, state := 0, 0
	for _, t := range tenants {
		name, state = max(name, len(tenantName(t))), max(state, len(t.State))
	}
	for _, t := range tenants {
		l.add("%-*s  %-*s  %s", name, tenantName(t), state, t.State, whereabouts(t))
		for _, p := range t.Problems() {
			l.problem(p)
		}
	}
}

func tenantName(t api.Tenant) string {
	if t.Name == "" {
		return api.ClusterOverlay
	}
	return t.Name
}

// whereabouts says at which revision a tenant is, and what its state means where no fault says it.
func whereabouts(t api.Tenant) string {
	text := short(t.Revision.Applied)
	switch {
	case t.Revision.Applied == "":
		text = "nothing applied yet"
	case t.Revision.Applied != t.Revision.Wanted:
		text += " → " + short(t.Revision.Wanted)
	}
	if t.Drift > 0 {
		text += ", " + counted(t.Drift, "difference")
	}
	if t.Until != nil {
		text += ", until " + stamp(*t.Until)
	}
	why := t.Reason
	if why == "" {
		why = meaning[t.State]
	}
	if why != "" && len(t.Problems()) == 0 {
		text += ": " + why
	}
	return text
}

// meaning says what is to be known of states that explain themselves less than others.
var meaning = map[sync.State]string{
	sync.Quarantined: "its overlay left Git, it is held at deny-all",
	sync.Unknown:     "its live state cannot be seen",
	sync.Drifted:     "see ringfence drift",
	sync.Suspended:   "its settings or a freeze hold new revisions back",
	sync.Pending:     "not applied yet, or its namespace does not exist",
}

func tenantCounts(states map[sync.State]int) string {
	all := 0
	for _, n := range states {
		all += n
	}
	if all == 0 {
		return "no tenants"
	}
	return counted(all, "tenant") + ": " + stateCounts(states)
}

// stateCounts says how many tenants are in each state, the synced ones first; what a newer daemon has beside these comes last.
func stateCounts(states map[sync.State]int) string {
	order := sync.States()
	slices.Reverse(order)
	for _, s := range slices.Sorted(maps.Keys(states)) {
		if !slices.Contains(order, s) {
			order = append(order, s)
		}
	}
	var parts []string
	for _, s := range order {
		if states[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", states[s], s))
		}
	}
	return strings.Join(parts, ", ")
}
