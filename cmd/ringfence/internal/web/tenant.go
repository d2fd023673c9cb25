package web

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/sync"
)

// tenantView is the view of one tenant, or of the cluster overlay.
type tenantView struct {
	Tenant   api.Tenant
	Verdict  headline
	Drift    []difference
	Revision string // of Objects
	Objects  []object
	Fence    *fence // nil for the cluster overlay, and where nothing is known
	// FenceError says why there is none, if that is an error.
	FenceError string
}

// object is one object as Git says it.
type object struct {
	Anchor, Kind, Name, File string
	Line                     int
	Guard                    bool
	Difference               *difference // what stands of it, if anything
	Text                     string
}

func (h *Handler) tenantPage(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if name == clusterOverlay {
		name = ""
	}
	tenants := h.config.Engine.Tenants()
	i := slices.IndexFunc(tenants, func(t sync.Tenant) bool { return t.Name == name })
	if i < 0 {
		h.absent(w, "No such tenant", "There is no tenant "+r.PathValue("name")+".")
		return
	}
	v := tenantView{Tenant: tenantOf(tenants[i]), Drift: h.differences(name, false)}
	if view := h.config.Engine.View(); view != nil {
		if d, ok := view.Tenant(name); ok {
			v.Revision, v.Objects = d.Revision, objectsOf(d, v.Drift)
		}
	}
	if name != "" {
		var err error
		if v.Fence, err = h.fenceOf(name); err != nil {
			v.FenceError = err.Error()
		}
	}
	v.Verdict = verdictOf(h.status(), tenants[i], v.Drift, v.Fence)
	title := v.Tenant.Name
	if title == "" {
		title = "Cluster overlay"
	}
	h.show(w, http.StatusOK, "tenant", frame{View: "tenants", Title: title, Content: v})
}

func objectsOf(d sync.Desired, differences []difference) []object {
	out := make([]object, 0, len(d.Objects))
	for i, w := range d.Objects {
		o := object{
			Anchor: fmt.Sprintf("object-%d", i), Kind: w.ID.Kind.Kind, Name: w.ID.Name,
			File: w.Origin.File, Line: w.Origin.Line, Guard: w.Guard, Text: asText(w.Object.Object),
		}
		if group := w.ID.Kind.Group; group != "" {
			o.Kind += "." + group
		}
		for j := range differences {
			if differences[j].isOf(w.ID) && differences[j].Corrected == nil {
				o.Difference = &differences[j]
			}
		}
		out = append(out, o)
	}
	return out
}

// isOf says whether the difference is about that object.
func (d difference) isOf(id drift.ID) bool {
	return d.APIVersion == id.Kind.GroupVersion().String() && d.Kind == id.Kind.Kind && d.Namespace == id.Namespace && d.Name == id.Name
}
