package main

import (
	"time"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/sync"
)

// The JSON of a report.
type (
	diffJSON struct {
		From      diffSide         `json:"from"`
		To        diffSide         `json:"to"`
		Outcome   string           `json:"outcome"` // equal, differs or unknown
		Unknown   []string         `json:"unknown"` // why not everything can be told
		Refused   string           `json:"refused"` // why nothing of the revision would be applied
		PruneHeld string           `json:"pruneHeld"`
		Problems  []api.Error      `json:"problems"` // of overlays that belong to no tenant
		Tenants   []diffTenantJSON `json:"tenants"`
		Plan      []diffWriteJSON  `json:"plan"`
	}
	diffTenantJSON struct {
		Name    string             `json:"name"` // "" is the cluster overlay
		Overlay string             `json:"overlay"`
		New     bool               `json:"new"`
		State   sync.State         `json:"state"` // when all was done that can be done now
		Reason  string             `json:"reason"`
		Until   *time.Time         `json:"until"`
		Errors  []api.Error        `json:"errors"`
		Objects []diffObjectJSON   `json:"objects"`
		Opens   []reach.Connection `json:"opens"` // of a new tenant: all that it allows
		Closes  []reach.Connection `json:"closes"`
		Unsure  []reach.Connection `json:"unsure"`
		Beyond  []reach.Connection `json:"beyond"` // let through in the end, since something is held back
	}
	diffObjectJSON struct {
		APIVersion string             `json:"apiVersion"`
		Kind       string             `json:"kind"`
		Namespace  string             `json:"namespace"`
		Name       string             `json:"name"`
		Type       drift.Type         `json:"type"`
		Drift      bool               `json:"drift"` // it was as Git says before
		Fields     []drift.Field      `json:"fields"`
		Managers   []drift.Writer     `json:"managers"`
		Origin     *diffOrigin        `json:"origin"`
		Opens      []reach.Connection `json:"opens"` // if it becomes what Git says, as the next two
		Closes     []reach.Connection `json:"closes"`
		Unsure     []reach.Connection `json:"unsure"`
		Stays      string             `json:"stays"` // why it does not; "" if it does
		Reason     string             `json:"reason"`
		Unknown    string             `json:"unknown"`
		SpecHash   string             `json:"specHash"` // of what there is, for drift.ignore
	}
	diffOrigin struct {
		File string `json:"file"`
		Line int    `json:"line"`
	}
	diffWriteJSON struct {
		Tenant     string             `json:"tenant"`
		Turn       string             `json:"turn"`  // cluster-closes, tenants-close, tenants-open, all-open
		Phase      string             `json:"phase"` // closing or opening
		Action     string             `json:"action"`
		APIVersion string             `json:"apiVersion"`
		Kind       string             `json:"kind"`
		Namespace  string             `json:"namespace"`
		Name       string             `json:"name"`
		Between    map[string]any     `json:"between"` // what is written on the way; null if it is what Git says
		Drift      bool               `json:"drift"`
		Opens      []reach.Connection `json:"opens"`
		Cuts       []reach.Connection `json:"cuts"`
	}
)

func (r *diffReport) json() diffJSON {
	out := diffJSON{
		From: r.From, To: r.To, Outcome: r.outcome(), Unknown: listed(r.Unknown), Refused: r.plan.Refused, PruneHeld: r.plan.PruneHeld,
		Problems: api.ErrorsOf(r.problems()), Tenants: []diffTenantJSON{}, Plan: []diffWriteJSON{},
	}
	for _, u := range r.plan.Units {
		out.Tenants = append(out.Tenants, tenantJSON(u))
	}
	for _, w := range r.plan.Writes {
		row := diffWriteJSON{
			Tenant: w.Unit, Turn: turnWord(w.Turn), Phase: w.Phase.String(), Action: w.Action, APIVersion: w.ID.Kind.GroupVersion().String(), Kind: w.ID.Kind.Kind,
			Namespace: w.ID.Namespace, Name: w.ID.Name, Drift: w.Drift, Opens: listed(w.Opens), Cuts: listed(w.Cuts),
		}
		if w.Between != nil {
			row.Between = w.Between.Object
		}
		out.Plan = append(out.Plan, row)
	}
	return out
}

func tenantJSON(u sync.Unit) diffTenantJSON {
	out := diffTenantJSON{
		Name: u.Name, Overlay: u.Overlay, New: u.New, State: u.State, Reason: u.Reason, Errors: api.ErrorsOf(u.Problems), Objects: []diffObjectJSON{},
		Opens: listed(u.Opens), Closes: listed(u.Closes), Unsure: listed(u.Unsure), Beyond: listed(u.Beyond),
	}
	if !u.Until.IsZero() {
		out.Until = &u.Until
	}
	for _, c := range u.Changes {
		row := diffObjectJSON{
			APIVersion: c.ID.Kind.GroupVersion().String(), Kind: c.ID.Kind.Kind, Namespace: c.ID.Namespace, Name: c.ID.Name, Type: c.Type, Drift: c.Drift,
			Opens: listed(c.Exposure.Closes), Closes: listed(c.Exposure.Opens), Unsure: listed(c.Exposure.Unsure), Fields: listed(c.Fields), Managers: listed(c.Writers), Stays: c.Stays, Reason: c.Reason, Unknown: c.Unknown,
		}
		if c.Got != nil {
			row.SpecHash = drift.SpecHash(c.Got)
		}
		if c.Want != nil {
			row.Origin = &diffOrigin{c.Want.Origin.File, c.Want.Origin.Line}
		}
		out.Objects = append(out.Objects, row)
	}
	return out
}

// listed makes nothing an empty list, which JSON tells from null.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func turnWord(t sync.Turn) string {
	return map[sync.Turn]string{
		sync.ClusterCloses: "cluster-closes", sync.TenantsClose: "tenants-close", sync.TenantsOpen: "tenants-open", sync.AllOpen: "all-open",
	}[t]
}
