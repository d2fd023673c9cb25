package web

import (
	"net/http"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/sync"
)

func (h *Handler) status() api.Status {
	s := h.config.Engine.Status()
	return api.Status{
		Instance: h.config.Instance, Leader: s.Leader, Ready: s.Ready, Revision: s.Revision,
		Waiting: s.Waiting, PruneHeld: s.PruneHeld, Held: heldOf(s.Held),
		Source: h.source(), Tenants: s.Tenants, Refused: api.ErrorsOf(s.Refused), Blind: listed(s.Blind),
		Enforcer: api.Enforcer(h.config.Enforcer()),
	}
}

func (h *Handler) source() api.Source {
	s := h.config.Source.Status()
	out := api.Source{URL: h.config.Source.URL(), Ref: s.Revision.Ref, Revision: s.Revision.Commit}
	if !s.Checked.IsZero() {
		out.Checked = &s.Checked
	}
	if s.Refused != nil {
		out.Refused = &api.Refused{Revision: s.Refused.Revision.Commit, Reason: s.Refused.Reason}
	}
	if s.Err != nil {
		out.Error = s.Err.Error()
	}
	return out
}

// tenants leaves out the cluster overlay, which is no tenant; what is wrong with
// it shows in drift (tenant "") and at /api/v1/tenants/_cluster.
func (h *Handler) tenants() []api.Tenant {
	out := []api.Tenant{}
	for _, t := range h.config.Engine.Tenants() {
		if t.Name != "" {
			out = append(out, tenantOf(t))
		}
	}
	return out
}

// clusterOverlay is the name under which the cluster overlay can be asked for.
// No namespace can have that name.
const clusterOverlay = "_cluster"

func (h *Handler) tenant(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	for _, t := range h.config.Engine.Tenants() {
		if t.Name == name || t.Name == "" && name == clusterOverlay {
			reply(w, http.StatusOK, tenantOf(t))
			return
		}
	}
	reply(w, http.StatusNotFound, map[string]string{"message": "there is no tenant " + name})
}

func tenantOf(t sync.Tenant) api.Tenant {
	out := api.Tenant{
		Name: t.Name, Namespace: t.Name, Overlay: t.Overlay, State: t.State,
		Revision: api.Revision{Applied: t.Applied, Wanted: t.Wanted},
		Objects:  t.Objects, Drift: t.Drift, Errors: api.ErrorsOf(t.Problems), Reason: t.Reason, Rounds: roundsOf(t.Rounds),
	}
	if len(out.Errors) > 0 {
		out.Error = &out.Errors[0]
	}
	if !t.Until.IsZero() {
		until := t.Until.UTC()
		out.Until = &until
	}
	return out
}

func roundsOf(rounds []sync.Round) []api.Round {
	out := make([]api.Round, 0, len(rounds))
	for _, r := range rounds {
		out = append(out, api.Round{
			Time: r.Time.UTC(), Seconds: r.Took.Seconds(), Revision: r.Revision, Why: r.Why,
			Created: r.Created, Updated: r.Updated, Removed: r.Removed, Failed: r.Failed,
			Objects: listed(r.Objects), Error: r.Error, Tries: r.Tries,
		})
	}
	return out
}

// heldOf lists what is held back; the cluster overlay goes by the name under which it can be asked for.
func heldOf(held []sync.Held) []api.Held {
	out := make([]api.Held, 0, len(held))
	for _, h := range held {
		row := api.Held{Reason: h.Reason, Revision: h.Revision, Message: h.Message, Objects: listed(h.Objects), Tenants: make([]string, len(h.Tenants))}
		for i, name := range h.Tenants {
			if row.Tenants[i] = name; name == "" {
				row.Tenants[i] = clusterOverlay
			}
		}
		if !h.Until.IsZero() {
			until := h.Until.UTC()
			row.Until = &until
		}
		out = append(out, row)
	}
	return out
}

func (h *Handler) drift() []api.Difference {
	revisions := map[string]string{}
	for _, t := range h.config.Engine.Tenants() {
		revisions[t.Name] = t.Applied
	}
	out := []api.Difference{}
	for _, e := range h.config.Engine.Drift() {
		out = append(out, driftOf(e, revisions[e.Tenant]))
	}
	return out
}

func driftOf(e drift.Entry, revision string) api.Difference {
	out := api.Difference{
		Tenant:     e.Tenant,
		APIVersion: e.ID.Kind.GroupVersion().String(), Kind: e.ID.Kind.Kind, Namespace: e.ID.Namespace, Name: e.ID.Name,
		Type: e.Type, Effect: e.Effect, Since: e.Since.UTC(),
		Fields: e.Fields, Managers: e.Writers, Exposure: exposureOf(e.Exposure),
	}
	if out.Fields == nil {
		out.Fields = []drift.Field{}
	}
	if out.Managers == nil {
		out.Managers = []drift.Writer{}
	}
	if e.Got != nil {
		out.SpecHash = drift.SpecHash(e.Got)
	}
	if e.Want != nil {
		out.Origin = &api.Origin{File: e.Want.Origin.File, Line: e.Want.Origin.Line, Revision: revision}
	}
	if !e.Corrected.IsZero() {
		at := e.Corrected.UTC()
		out.Corrected = &at
	}
	out.Reason = e.Reason
	if e.Held != drift.NotHeld {
		out.Held = &e.Held
	}
	return out
}

// exposureOf lists the connections as reach does, what is opened first.
func exposureOf(e drift.Exposure) []api.Exposure {
	out := []api.Exposure{}
	for _, part := range []struct {
		effect      drift.Effect
		connections []reach.Connection
	}{{drift.Opens, e.Opens}, {drift.Closes, e.Closes}, {drift.EffectUnknown, e.Unsure}} {
		for _, c := range part.connections {
			out = append(out, api.Exposure{Effect: part.effect, From: c.From, To: c.To, Ports: c.Ports})
		}
	}
	return out
}
