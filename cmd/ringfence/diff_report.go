package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sync"
)

// What a comparison comes to.
const (
	outcomeEqual   = "equal"
	outcomeDiffers = "differs"
	outcomeUnknown = "unknown"
)

// diffSide is one of the two that are compared.
type diffSide struct {
	Cluster  string `json:"cluster,omitempty"`  // the API server's address
	Folder   string `json:"folder,omitempty"`   // as it is
	Revision string `json:"revision,omitempty"` // as it was asked for
	Commit   string `json:"commit,omitempty"`
}

// String names the side for people.
func (s diffSide) String() string {
	switch {
	case s.Revision == "":
		return cmp.Or(map[bool]string{true: "the cluster"}[s.Cluster != ""], "the working tree")
	case s.Commit == s.Revision:
		return s.Commit[:12]
	}
	return fmt.Sprintf("%s (%s)", s.Revision, s.Commit[:12])
}

// diffReport is what is told.
type diffReport struct {
	From, To diffSide
	Unknown  []string // why not everything can be told
	plan     sync.Plan
	tenant   string // if only one was asked for
	tenants  int    // that there are
}

// take takes in what was found out, as far as it was asked for.
func (r *diffReport) take(plan *sync.Plan) error {
	r.plan = *plan
	var names []string
	for _, u := range plan.Units {
		if u.Name != "" {
			r.tenants++
			names = append(names, u.Name)
		}
	}
	asked := func(unit string) bool { return r.tenant == "" || cmp.Or(unit, api.ClusterOverlay) == r.tenant }
	if r.tenant != "" && r.tenant != api.ClusterOverlay && plan.Refused == "" && !slices.ContainsFunc(plan.Units, func(u sync.Unit) bool { return asked(u.Name) }) {
		text := fmt.Sprintf("there is no tenant %q", r.tenant)
		if near := strict.Nearest(r.tenant, names); near != "" {
			text += fmt.Sprintf(" (did you mean %s?)", near)
		}
		for _, p := range plan.Problems {
			text += "\n" + p.Error()
		}
		return fmt.Errorf("%s", text)
	}
	r.plan.Units = slices.DeleteFunc(slices.Clone(plan.Units), func(u sync.Unit) bool { return !asked(u.Name) || !told(u) })
	r.plan.Writes = slices.DeleteFunc(slices.Clone(plan.Writes), func(w sync.Write) bool { return !asked(w.Unit) })
	return nil
}

// told says whether there is anything to tell of a unit.
func told(u sync.Unit) bool {
	return len(u.Changes) > 0 || len(u.Problems) > 0 || len(u.Beyond) > 0 || u.State == sync.Pending || u.State == sync.Unknown
}

// differs says whether a unit differs, other than in what is ignored.
func differs(u sync.Unit) bool {
	return slices.ContainsFunc(u.Changes, func(c sync.Change) bool { return c.Stays != string(drift.Ignore) }) || u.State == sync.Pending
}

// untold says whether something of a unit cannot be told.
func untold(u sync.Unit) bool {
	return len(u.Problems) > 0 || slices.ContainsFunc(u.Changes, func(c sync.Change) bool { return c.Unknown != "" })
}

func (r *diffReport) outcome() string {
	switch {
	case len(r.Unknown) > 0 || r.plan.Refused != "" || slices.ContainsFunc(r.plan.Units, untold) || len(r.plan.Problems) > 0 && r.tenant == "":
		return outcomeUnknown
	case slices.ContainsFunc(r.plan.Units, differs):
		return outcomeDiffers
	}
	return outcomeEqual
}

// problems are those of overlays that belong to no tenant, unless one was asked for.
func (r *diffReport) problems() []kustomize.Problem {
	if r.tenant != "" {
		return nil
	}
	return r.plan.Problems
}

func (r *diffReport) write(out io.Writer, format string) error {
	switch format {
	case "json":
		return writeJSON(out, r.json())
	case "markdown":
		return r.markdown(out)
	}
	return r.text(out)
}
