package web

import (
	"net/http"
	"time"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sync"
)

// The JSON of SPEC §5. Fields are a contract.
type (
	statusJSON struct {
		Instance  string             `json:"instance"`
		Leader    bool               `json:"leader"`
		Ready     bool               `json:"ready"`
		Revision  string             `json:"revision"`
		Waiting   string             `json:"waiting"`
		PruneHeld string             `json:"pruneHeld"`
		Source    sourceJSON         `json:"source"`
		Tenants   map[sync.State]int `json:"tenants"`
		Refused   []errorJSON        `json:"refused"`
		Blind     []string           `json:"blind"`
		Enforcer  *struct{}          `json:"enforcer"` // not looked for yet
	}
	sourceJSON struct {
		URL      string       `json:"url"`
		Ref      string       `json:"ref"`
		Revision string       `json:"revision"`
		Checked  *time.Time   `json:"checked"`
		Refused  *refusedJSON `json:"refused"`
		Error    string       `json:"error"`
	}
	refusedJSON struct {
		Revision string `json:"revision"`
		Reason   string `json:"reason"`
	}
	tenantJSON struct {
		Name      string       `json:"name"`
		Namespace string       `json:"namespace"`
		Overlay   string       `json:"overlay"`
		State     sync.State   `json:"state"`
		Revision  revisionJSON `json:"revision"`
		Objects   int          `json:"objects"`
		Drift     int          `json:"drift"`
		Error     *errorJSON   `json:"error"`
		Errors    []errorJSON  `json:"errors"`
		Until     *time.Time   `json:"until"`
	}
	revisionJSON struct {
		Applied string `json:"applied"`
		Wanted  string `json:"wanted"`
	}
	errorJSON struct {
		File    string `json:"file"`
		Line    int    `json:"line"`
		Column  int    `json:"column"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
	}
	driftJSON struct {
		Tenant     string         `json:"tenant"`
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Namespace  string         `json:"namespace"`
		Name       string         `json:"name"`
		Type       drift.Type     `json:"type"`
		Effect     drift.Effect   `json:"effect"`
		Since      time.Time      `json:"since"`
		Fields     []drift.Field  `json:"fields"`
		Managers   []drift.Writer `json:"managers"`
		Origin     *originJSON    `json:"origin"`
		Corrected  *time.Time     `json:"corrected"`
		Held       *drift.Hold    `json:"held"`
		Exposure   []exposureJSON `json:"exposure"`
		SpecHash   string         `json:"specHash"` // of the live object, for drift.ignore
	}
	exposureJSON struct {
		Effect drift.Effect    `json:"effect"` // opens, closes or unknown
		From   reach.Place     `json:"from"`
		To     reach.Place     `json:"to"`
		Ports  []reach.PortRow `json:"ports"`
	}
	originJSON struct {
		File     string `json:"file"`
		Line     int    `json:"line"`
		Revision string `json:"revision"`
	}
)

func (h *Handler) status() statusJSON {
	s := h.config.Engine.Status()
	return statusJSON{
		Instance: h.config.Instance, Leader: true, Ready: s.Ready, Revision: s.Revision,
		Waiting: s.Waiting, PruneHeld: s.PruneHeld,
		Source: h.source(), Tenants: s.Tenants, Refused: errorsOf(s.Refused), Blind: listed(s.Blind),
	}
}

func (h *Handler) source() sourceJSON {
	s := h.config.Source.Status()
	out := sourceJSON{URL: h.config.Source.URL(), Ref: s.Revision.Ref, Revision: s.Revision.Commit}
	if !s.Checked.IsZero() {
		out.Checked = &s.Checked
	}
	if s.Refused != nil {
		out.Refused = &refusedJSON{Revision: s.Refused.Revision.Commit, Reason: s.Refused.Reason}
	}
	if s.Err != nil {
		out.Error = s.Err.Error()
	}
	return out
}

// tenants leaves out the cluster overlay, which is no tenant; what is wrong with
// it shows in drift (tenant "") and at /api/v1/tenants/_cluster.
func (h *Handler) tenants() []tenantJSON {
	out := []tenantJSON{}
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

func tenantOf(t sync.Tenant) tenantJSON {
	out := tenantJSON{
		Name: t.Name, Namespace: t.Name, Overlay: t.Overlay, State: t.State,
		Revision: revisionJSON{Applied: t.Applied, Wanted: t.Wanted},
		Objects:  t.Objects, Drift: t.Drift, Errors: errorsOf(t.Problems),
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

func errorsOf(problems []kustomize.Problem) []errorJSON {
	out := make([]errorJSON, 0, len(problems))
	for _, p := range problems {
		out = append(out, errorJSON{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message, Hint: p.Hint})
	}
	return out
}

func (h *Handler) drift() []driftJSON {
	revisions := map[string]string{}
	for _, t := range h.config.Engine.Tenants() {
		revisions[t.Name] = t.Applied
	}
	out := []driftJSON{}
	for _, e := range h.config.Engine.Drift() {
		out = append(out, driftOf(e, revisions[e.Tenant]))
	}
	return out
}

func driftOf(e drift.Entry, revision string) driftJSON {
	out := driftJSON{
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
		out.Origin = &originJSON{File: e.Want.Origin.File, Line: e.Want.Origin.Line, Revision: revision}
	}
	if !e.Corrected.IsZero() {
		at := e.Corrected.UTC()
		out.Corrected = &at
	}
	if e.Held != drift.NotHeld {
		out.Held = &e.Held
	}
	return out
}

// exposureOf lists the connections as reach does, what is opened first.
func exposureOf(e drift.Exposure) []exposureJSON {
	out := []exposureJSON{}
	for _, part := range []struct {
		effect      drift.Effect
		connections []reach.Connection
	}{{drift.Opens, e.Opens}, {drift.Closes, e.Closes}, {drift.EffectUnknown, e.Unsure}} {
		for _, c := range part.connections {
			out = append(out, exposureJSON{part.effect, c.From, c.To, c.Ports})
		}
	}
	return out
}
