package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/sync"
)

// mostDrift is how many differences the overview lists.
const mostDrift = 6

// overview is the view of all tenants.
type overview struct {
	Headline   headline
	Bar        []share
	States     []stateCount
	Drift      []difference
	DriftWords string
	MoreDrift  int // all that stand, if not all of them are listed
	Corrected  int
	Unfenced   []string
	Query      string
	Found      string
	Tenants    []tenantRow
	Paging     paging
}

// tenantRow is one tenant in a list.
type tenantRow struct {
	api.Tenant
	Open bool // something live opens it
}

// headline says in a line how things stand.
type headline struct{ Tone, Text, Detail string }

// stateCount is how many tenants are in a state, and a link to them.
type stateCount struct {
	State  sync.State
	Count  int
	Href   string
	Chosen bool
}

// share is the part of a bar of 1000 that a state has.
type share struct {
	State    sync.State
	X, Width int
}

func (h *Handler) overview(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	state := sync.State(query.Get("state"))
	tenants := h.config.Engine.Tenants()
	status := h.status()
	o := overview{Query: query.Get("q"), Unfenced: h.config.Engine.Unfenced(), States: stateCounts(status, state, query)}
	o.Bar = shares(o.States)
	h.addDrift(&o)
	open, unsure := openTenants(h.config.Engine.Drift())
	o.Headline = headlineOf(status, tenants, open, unsure)
	matching := slices.DeleteFunc(slices.Clone(tenants), func(t sync.Tenant) bool {
		return state != "" && t.State != state || !found(o.Query, t.Name, t.Overlay, t.Applied, t.Wanted)
	})
	sortUrgent(matching, open)
	rows, page := paged(matching, "/", query)
	for _, t := range rows {
		o.Tenants = append(o.Tenants, tenantRow{tenantOf(t), open[t.Name]})
	}
	n := len(matching)
	if slices.ContainsFunc(matching, func(t sync.Tenant) bool { return t.Name == "" }) {
		n-- // the cluster overlay is none
	}
	o.Paging, o.Found = page, foundWords(n, o.Query != "" || state != "")
	h.show(w, http.StatusOK, "overview", frame{View: "tenants", Title: "Tenants", Content: o})
}

// addDrift adds what stands, as far as there is room.
func (h *Handler) addDrift(o *overview) {
	for _, d := range h.differences("", true) {
		switch {
		case d.Corrected != nil:
			o.Corrected++
		case d.Stands():
			o.Drift = append(o.Drift, d)
		}
	}
	if n := len(o.Drift); n > 0 {
		o.DriftWords = counted(n, "difference")
		if n > mostDrift {
			o.MoreDrift, o.Drift = n, o.Drift[:mostDrift]
		}
	}
}

// openTenants returns the tenants, and "" for what is cluster-scoped, of which a difference that stands opens something, and
// those of which that is not known.
func openTenants(entries []drift.Entry) (open, unsure map[string]bool) {
	open, unsure = map[string]bool{}, map[string]bool{}
	for _, e := range entries {
		d := driftOf(e, "")
		switch {
		case !d.Stands():
		case e.Effect == drift.Opens || e.Effect == drift.Both:
			open[e.Tenant] = true
		case e.Effect != drift.Closes && e.Effect != drift.None:
			unsure[e.Tenant] = true
		}
	}
	for name := range open {
		delete(unsure, name)
	}
	return open, unsure
}

// openOverlay is what is open where that is no tenant's.
const openOverlay = "The cluster's own policies let through what Git does not"

// headlineOf is never good where something cannot be seen.
func headlineOf(status api.Status, tenants []sync.Tenant, open, unsure map[string]bool) headline {
	all := len(tenants)
	if all > 0 && tenants[0].Name == "" {
		all--
	}
	synced := status.Tenants[sync.Synced]
	rest := fmt.Sprintf("%d of %s %s as Git says.", synced, counted(all, "tenant"), are(synced))
	for _, t := range tenants {
		if t.Name == "" && t.State != sync.Synced {
			rest += " The cluster overlay is " + string(t.State) + "."
		}
	}
	switch {
	case open[""] && len(open) == 1:
		return headline{"bad", openOverlay, rest}
	case open[""]:
		return headline{"bad", counted(len(open)-1, "fence") + " " + are(len(open)-1) + " open", openOverlay + ". " + rest}
	case len(open) > 0:
		return headline{"bad", counted(len(open), "fence") + " " + are(len(open)) + " open", rest}
	case status.Unsure() != "":
		return headline{"unknown", "It cannot be told whether the fences stand", rest}
	case len(unsure) > 0:
		return headline{"unknown", "Of " + counted(len(unsure), "fence") + " it cannot be told whether it stands", rest}
	case all == 0:
		return headline{"info", "There is no tenant yet", "A folder with a kustomization in the policy repository is one."}
	case status.Tenants[sync.Unknown] > 0:
		return headline{"unknown", counted(status.Tenants[sync.Unknown], "tenant") + " cannot be seen", rest}
	case synced < all || strings.Contains(rest, "cluster overlay") || len(status.Refused) > 0:
		return headline{"warn", counted(max(1, all-synced), "tenant") + " " + are(max(1, all-synced)) + " not as Git says", rest}
	}
	switch e := status.Enforcer; {
	case e.Engine == "none":
		return headline{"warn", "All fences are as Git says, and nothing known enforces them", rest}
	case e.Engine == "unknown":
		return headline{"unknown", "All fences are as Git says; whether they are enforced cannot be seen", rest}
	case e.Missing > 0:
		return headline{"warn", "All fences are as Git says, and not enforced on every node", rest}
	}
	return headline{"good", "All fences stand", rest}
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// stateCounts lists every state, with a link to the tenants that are in it; the one of the state that is chosen leads back.
func stateCounts(status api.Status, chosen sync.State, query url.Values) []stateCount {
	var out []stateCount
	for _, s := range sync.States() {
		link := url.Values{"state": {string(s)}}
		if q := query.Get("q"); q != "" {
			link.Set("q", q)
		}
		if s == chosen {
			link.Del("state")
		}
		out = append(out, stateCount{s, status.Tenants[s], "/?" + link.Encode(), s == chosen})
	}
	return out
}

// shares divides a bar: a state that some tenant is in can be seen.
func shares(states []stateCount) (out []share) {
	total, least := 0, 0
	for _, s := range states {
		total += s.Count
		if s.Count > 0 {
			least++
		}
	}
	x := 0
	for _, s := range states {
		if s.Count == 0 {
			continue
		}
		width := 8 + s.Count*(1000-8*least)/total
		out = append(out, share{s.State, x, width})
		x += width
	}
	return out
}

// sortUrgent sorts tenants: those that are open first, then by state, in the order of precedence, what is synced last; of one
// state the order stays.
func sortUrgent(tenants []sync.Tenant, open map[string]bool) {
	states := sync.States()
	rank := func(t sync.Tenant) int {
		if open[t.Name] {
			return -1
		}
		return slices.Index(states, t.State)
	}
	slices.SortStableFunc(tenants, func(a, b sync.Tenant) int { return rank(a) - rank(b) })
}

func foundWords(n int, filtered bool) string {
	switch {
	case !filtered:
		return counted(n, "tenant")
	case n == 1:
		return "1 tenant matches"
	}
	return fmt.Sprintf("%d tenants match", n)
}
