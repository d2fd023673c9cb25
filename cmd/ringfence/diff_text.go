package main

import (
	"cmp"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/sync"
	"github.com/ringfence/ringfence/sync/order"
)

// text writes a report for people.
func (r *diffReport) text(out io.Writer) error {
	l := &lines{}
	l.add("from %s to %s: %s", r.From, r.To, r.summary())
	r.warnings(l)
	for _, g := range r.groups() {
		l.add("")
		l.add("%s", g.heading())
		l.b.WriteString(g.text)
	}
	if len(r.plan.Writes) > 0 {
		l.add("")
		l.add("the plan: %s", counted(len(r.plan.Writes), "write"))
		r.turns(l)
	}
	return l.write(out)
}

// summary says in one line what it comes to.
func (r *diffReport) summary() string {
	var differ, opens, closes int
	cluster := false
	for _, u := range r.plan.Units {
		if !differs(u) {
			continue
		}
		if u.Name == "" {
			cluster = true
		} else {
			differ++
		}
		if len(u.Opens) > 0 {
			opens++
		}
		if len(u.Closes) > 0 {
			closes++
		}
	}
	var text string
	switch {
	case r.plan.Refused != "", len(r.Unknown) > 0 && r.tenants == 0:
		return "it cannot be told"
	case differ == 0 && !cluster && r.outcome() == outcomeUnknown:
		return "no difference is known, and not everything can be told"
	case differ == 0 && !cluster && r.tenant != "":
		return "no difference"
	case differ == 0 && !cluster:
		return "no difference in " + counted(r.tenants, "tenant")
	case r.tenant != "":
		text = r.tenant + " differs"
	case differ == 0:
		text = "the cluster overlay differs"
	default:
		text = fmt.Sprintf("%d of %s", differ, counted(r.tenants, "tenant"))
		if cluster {
			text += " and the cluster overlay"
		}
		text += " " + map[bool]string{true: "differs", false: "differ"}[differ == 1 && !cluster]
	}
	var parts []string
	if opens > 0 {
		parts = append(parts, fmt.Sprintf("open in %d", opens))
	}
	if closes > 0 {
		parts = append(parts, fmt.Sprintf("close in %d", closes))
	}
	if len(parts) > 0 {
		text += "; connections " + strings.Join(parts, " and ")
	}
	return text + fmt.Sprintf("; %s", counted(len(r.plan.Writes), "write"))
}

// warnings tells what concerns the whole.
func (r *diffReport) warnings(l *lines) {
	for _, text := range r.Unknown {
		l.add("unknown: %s", text)
	}
	if r.plan.Refused != "" {
		l.add("refused: %s", r.plan.Refused)
	}
	if r.plan.PruneHeld != "" {
		l.add("held: %s", r.plan.PruneHeld)
	}
	for _, p := range r.problems() {
		l.add("refused: %s", p.Error())
	}
}

// alike are units of which the same is to be told.
type alike struct {
	units []sync.Unit
	text  string // about the first
}

// heading names the units.
func (g alike) heading() string {
	first := g.units[0]
	text := cmp.Or(first.Name, api.ClusterOverlay)
	if first.Overlay != "" {
		text += " (" + first.Overlay + ")"
	}
	if first.New {
		text += ", a new tenant"
	}
	if n := len(g.units) - 1; n > 0 {
		text += fmt.Sprintf(", and %d alike: %s", n, g.others())
	}
	return text
}

// others names those beside the first, a few of many.
func (g alike) others() string {
	const most = 5
	var names []string
	for _, u := range g.units[1:] {
		names = append(names, u.Name)
	}
	if n := len(names); n > most {
		return fmt.Sprintf("%s … %s", strings.Join(names[:most-1], ", "), names[n-1])
	}
	return strings.Join(names, ", ")
}

// groups puts units together of which the same is to be told, but for their own name and folder.
func (r *diffReport) groups() []alike { return grouped(r.plan.Units, unitText) }

func grouped(units []sync.Unit, tell func(sync.Unit) string) (out []alike) {
	at := map[string]int{}
	for _, u := range units {
		text := tell(u)
		key := text
		for _, own := range []string{u.Overlay, u.Name} {
			if own != "" {
				key = strings.ReplaceAll(key, own, "\x00")
			}
		}
		key += fmt.Sprint(u.New, u.Name == "")
		if i, known := at[key]; known {
			out[i].units = append(out[i].units, u)
			continue
		}
		at[key] = len(out)
		out = append(out, alike{[]sync.Unit{u}, text})
	}
	return out
}

// unitText tells of one unit.
func unitText(u sync.Unit) string {
	l := &lines{}
	for _, p := range u.Problems {
		l.add("  refused: %s", p.Error())
	}
	switch {
	case u.State == sync.Quarantined:
		l.add("  its overlay left Git: the namespace is held at deny-all")
	case u.State == sync.Suspended:
		l.add("  suspended until %s: %s", u.Until.UTC().Format(time.RFC3339), u.Reason)
	case u.State == sync.Pending && u.Reason != "":
		l.add("  waits: %s", u.Reason)
	}
	for _, c := range u.Changes {
		changeText(l, u, c)
	}
	opens := "opens"
	if u.New {
		opens = "allows"
	}
	for _, part := range []struct {
		verb        string
		connections []reach.Connection
	}{{opens, u.Opens}, {"closes", u.Closes}, {"may change", u.Unsure}, {"still lets through", u.Beyond}} {
		for _, text := range connectionTexts(part.connections) {
			l.add("  %s %s", part.verb, text)
		}
	}
	return l.b.String()
}

// objectName names an object within its unit.
func objectName(id drift.ID) string {
	id.Namespace = ""
	return id.String()
}

// changeText tells of one difference.
func changeText(l *lines, u sync.Unit, c sync.Change) {
	const mostFields = 12
	sign, words := changeWord(c)
	text := sign + " " + objectName(c.ID) + words
	if c.Drift || c.Type == drift.Extra {
		var names []string
		for _, w := range c.Writers {
			if !slices.Contains(names, w.Name) {
				names = append(names, w.Name)
			}
		}
		if len(names) > 0 {
			text += ", by " + strings.Join(names, ", ")
		}
	}
	if c.Want != nil && c.Want.Origin.File != "" {
		text += fmt.Sprintf(" (%s:%d)", c.Want.Origin.File, c.Want.Origin.Line)
	}
	l.add("  %s", text)
	for _, f := range c.Fields[:min(len(c.Fields), mostFields)] {
		l.add("      %s: %s → %s", f.Path, valueWords(f.Got), valueWords(f.Want))
	}
	if more := len(c.Fields) - mostFields; more > 0 {
		l.add("      and %s more", counted(more, "field"))
	}
	if c.Stays == "" || c.Unknown != "" || u.New {
		return
	}
	for _, part := range []struct {
		verb        string
		connections []reach.Connection
	}{{"stays open:", c.Exposure.Opens}, {"stays closed:", c.Exposure.Closes}, {"may stay so:", c.Exposure.Unsure}} {
		for _, text := range connectionTexts(part.connections) {
			l.add("      %s %s", part.verb, text)
		}
	}
}

// changeWord says what comes of a difference.
func changeWord(c sync.Change) (sign, words string) {
	switch {
	case c.Unknown != "":
		return "?", ": " + c.Unknown
	case c.Stays != "":
		words = map[drift.Type]string{drift.Missing: " is missing", drift.Modified: " differs", drift.Extra: " is not in Git"}[c.Type]
		return "=", words + ", and stays so: " + stayWords(c)
	case c.Type == drift.Missing && c.Drift:
		return "+", ", gone from the cluster"
	case c.Type == drift.Missing:
		return "+", ""
	case c.Type == drift.Extra:
		return "-", ""
	case c.Drift:
		return "~", ", changed in the cluster"
	}
	return "~", ""
}

// stayWords says why a difference stays.
func stayWords(c sync.Change) string {
	text := map[string]string{
		string(drift.Report): "it is reported, and nothing more", string(drift.Ignore): "drift.ignore", sync.StaysPrune: "sync.maxPrune",
		sync.StaysSuspended: "the tenant is suspended",
	}[c.Stays]
	if c.Stays == string(drift.Ignore) && c.Reason != "" {
		text += " (" + c.Reason + ")"
	}
	return cmp.Or(text, c.Stays)
}

// connectionTexts says connections, the widest only and of those a few.
func connectionTexts(connections []reach.Connection) (out []string) {
	const most = 8
	all := widest(connections)
	for _, c := range all[:min(len(all), most)] {
		out = append(out, c.String())
	}
	if more := len(all) - most; more > 0 {
		out = append(out, fmt.Sprintf("%d more", more))
	}
	return out
}

// widest are the connections that are told: the others are said by them too.
func widest(connections []reach.Connection) []reach.Connection {
	return reach.Widest(reach.Gather(plainest(connections)))
}

// plainest leaves out connections of pods that two selectors select where the same is said of pods that one of them does: they
// matter to the order of writes, and not to whoever reads it.
func plainest(connections []reach.Connection) []reach.Connection {
	return slices.DeleteFunc(slices.Clone(connections), func(c reach.Connection) bool {
		if !strings.Contains(c.From.Workload+c.To.Workload, ",") {
			return false
		}
		return slices.ContainsFunc(connections, func(d reach.Connection) bool {
			return (d.From != c.From || d.To != c.To) && plainer(d.From, c.From) && plainer(d.To, c.To) && reflect.DeepEqual(d.Ports, c.Ports)
		})
	})
}

// plainer says whether a pod of one place is selected by no more than one of another.
func plainer(a, b reach.Place) bool {
	labels := strings.Split(b.Workload, ",")
	b.Workload = a.Workload
	return a == b && !slices.ContainsFunc(strings.Split(a.Workload, ","), func(label string) bool { return !slices.Contains(labels, label) })
}

// turns tells the plan.
func (r *diffReport) turns(l *lines) {
	units := map[string]sync.Unit{}
	for _, u := range r.plan.Units {
		units[u.Name] = u
	}
	alone := !slices.ContainsFunc(r.plan.Writes, func(w sync.Write) bool {
		first := r.plan.Writes[0]
		return w.Unit != first.Unit || w.Turn != first.Turn
	})
	n := 0
	for turn := sync.ClusterCloses; turn <= sync.AllOpen; turn++ {
		var due []sync.Unit
		writes := map[string][]sync.Write{}
		for _, w := range r.plan.Writes {
			if w.Turn != turn {
				continue
			}
			if writes[w.Unit] == nil {
				due = append(due, units[w.Unit])
			}
			writes[w.Unit] = append(writes[w.Unit], w)
		}
		if len(due) == 0 {
			continue
		}
		if n++; !alone {
			l.add("%d. %s", n, turnTitle(turn))
		}
		for _, g := range grouped(due, func(u sync.Unit) string { return writesText(writes[u.Name]) }) {
			l.add("   %s", planHeading(g))
			l.b.WriteString(g.text)
		}
	}
}

func planHeading(g alike) string {
	text := cmp.Or(g.units[0].Name, api.ClusterOverlay)
	if n := len(g.units) - 1; n > 0 {
		text += fmt.Sprintf(", and %d alike: %s", n, g.others())
	}
	return text
}

func turnTitle(t sync.Turn) string {
	return map[sync.Turn]string{
		sync.ClusterCloses: "the cluster overlay closes", sync.TenantsClose: "the tenants close", sync.TenantsOpen: "the tenants open",
		sync.AllOpen: "the cluster overlay opens, and whatever had to wait",
	}[t]
}

// writesText tells what one unit writes in one turn, in order.
func writesText(writes []sync.Write) string {
	l := &lines{}
	for _, w := range writes {
		verb := map[string]string{"created": "create", "updated": "update", "pruned": "remove"}[w.Action]
		text := verb + " " + objectName(w.ID)
		switch {
		case w.Between != nil && w.Phase == order.Closing:
			text += ", for now as what both sides allow"
		case w.Between != nil:
			text += ", for now as something in between"
		}
		if w.Drift {
			text += ", back to what it was"
		}
		l.add("     %s (%s)", text, w.Phase)
		for _, c := range connectionTexts(w.Opens) {
			l.add("       opens %s", c)
		}
		for _, c := range connectionTexts(w.Cuts) {
			l.add("       cuts until a later write %s", c)
		}
	}
	return l.b.String()
}
