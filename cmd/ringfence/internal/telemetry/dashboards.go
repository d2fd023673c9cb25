package telemetry

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// Runbook is where the alerts and dashboards lead for more.
const Runbook = "https://github.com/ringfence/ringfence/blob/main/cmd/ringfence/docs/runbook.md"

// Dashboards returns Grafana's dashboards as JSON, by the name of their file without its ending:
// fleet, tenant and daemon. They can be imported as they are.
func Dashboards() (map[string][]byte, error) {
	out := map[string][]byte{}
	for name, b := range map[string]board{"fleet": fleet(), "tenant": tenant(), "daemon": daemon()} {
		text, err := json.MarshalIndent(b.dashboard(), "", "  ")
		if err != nil {
			return nil, fmt.Errorf("writing dashboard %q: %w", name, err)
		}
		out[name] = append(readable(text), '\n')
	}
	return out, nil
}

// readable undoes the escapes that are for JSON inside HTML; no text here has them by itself.
func readable(text []byte) []byte {
	return []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text)))
}

func (b board) dashboard() *dashboard.Dashboard { //nolint:staticcheck // its successor is not what every Grafana imports
	d := dashboard.NewDashboard()
	d.Uid, d.Title, d.Description = &b.uid, &b.title, &b.about
	d.Tags, d.Timezone, d.Editable = []string{"ringfence"}, new("browser"), new(true)
	d.GraphTooltip = new(dashboard.DashboardCursorSyncCrosshair)
	d.Time = &dashboard.DashboardDashboardTime{From: "now-6h", To: "now"}
	d.Refresh = new("30s")
	d.Templating.List = b.variables()
	d.Annotations.List = b.annotations()
	d.Links = b.links()
	d.Panels = b.panels()
	return d
}

// panels puts the charts on the grid, from left to right, a section below the other.
func (b board) panels() (panels []dashboard.PanelOrRowPanel) {
	var id, x, y, tall uint32
	place := func(w, h uint32) *dashboard.GridPos {
		if x+w > 24 {
			x, y, tall = 0, y+tall, 0
		}
		at := &dashboard.GridPos{X: x, Y: y, W: w, H: h}
		x, tall = x+w, max(tall, h)
		return at
	}
	for _, s := range b.sections {
		id++
		x, y, tall = 0, y+tall, 0
		panels = append(panels, dashboard.PanelOrRowPanel{RowPanel: &dashboard.RowPanel{
			Type: "row", Title: &s.title, Id: id, GridPos: place(24, 1), Panels: []dashboard.Panel{},
		}})
		for _, c := range s.charts {
			id++
			p := c.panel(id)
			p.GridPos = place(c.width, c.height)
			panels = append(panels, dashboard.PanelOrRowPanel{Panel: &p})
		}
	}
	return panels
}

// ofInstance narrows to what is chosen before: which cluster and which of Ringfence's instances.
const ofInstance = `ringfence_build_info{cluster=~"$cluster", exported_instance=~"$instance"}`

// variables are what can be chosen at the top. The job and target of the scrape follow from Ringfence's
// own instance, which a scrape calls exported_instance.
func (b board) variables() []dashboard.VariableModel {
	out := []dashboard.VariableModel{
		{
			Type: dashboard.VariableTypeDatasource, Name: "datasource", Label: new("Prometheus"),
			Query: &dashboard.StringOrMap{String: new("prometheus")}, Refresh: new(dashboard.VariableRefreshOnDashboardLoad),
		},
		labelValues("cluster", "Cluster", `ringfence_build_info, cluster`, dashboard.VariableHideDontHide),
		labelValues("instance", "Instance", `ringfence_build_info{cluster=~"$cluster"}, exported_instance`, dashboard.VariableHideDontHide),
		labelValues("job", "Job", ofInstance+`, job`, dashboard.VariableHideHideVariable),
		labelValues("target", "Target", ofInstance+`, instance`, dashboard.VariableHideHideVariable),
	}
	if b.perTenant {
		v := labelValues("tenant", "Tenant", scoped(`{__name__=~"ringfence_(sync_last_success|drift_oldest)_timestamp_seconds", SCOPE}, tenant`), dashboard.VariableHideDontHide)
		v.Multi, v.IncludeAll, v.AllValue, v.Current = new(false), new(false), nil, nil
		out = append(out, v)
	}
	page := "http://127.0.0.1:8080"
	return append(out, dashboard.VariableModel{
		Type: dashboard.VariableTypeTextbox, Name: "page", Label: new("Ringfence's page"),
		Description: new("Where links to Ringfence itself lead, as the browser reaches it."),
		Query:       &dashboard.StringOrMap{String: &page},
		Current:     &dashboard.VariableOption{Text: dashboard.StringOrArrayOfString{String: &page}, Value: dashboard.StringOrArrayOfString{String: &page}},
	})
}

// labelValues is a variable of all values that a label has. All of them also means series that
// have no such label: a single Prometheus knows of no cluster.
func labelValues(name, label, query string, hide dashboard.VariableHide) dashboard.VariableModel {
	query = "label_values(" + query + ")"
	v := dashboard.VariableModel{
		Type: dashboard.VariableTypeQuery, Name: name, Label: &label, Hide: &hide, Datasource: source(),
		Query:      &dashboard.StringOrMap{Map: map[string]any{"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}},
		Definition: &query,
		Refresh:    new(dashboard.VariableRefreshOnTimeRangeChanged), Sort: new(dashboard.VariableSortAlphabeticalAsc),
		Multi: new(true), IncludeAll: new(true),
		Current: &dashboard.VariableOption{
			Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
			Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
		},
	}
	if hide == dashboard.VariableHideDontHide {
		v.AllValue = new(".*")
	}
	return v
}

// annotations mark when a revision came (a step before, it was not there), and for a tenant when drift was detected.
func (b board) annotations() []dashboard.AnnotationQuery {
	mark := func(name, color, expr, title string) dashboard.AnnotationQuery {
		t := prometheus.NewDataquery()
		t.RefId, t.Expr, t.Interval = new("Anno"), scoped(expr), new("30s")
		return dashboard.AnnotationQuery{
			Name: name, Datasource: source(), Enable: true, IconColor: color, Target: t, TitleFormat: &title,
		}
	}
	out := []dashboard.AnnotationQuery{mark("Revisions", "blue",
		`max by (revision) (ringfence_source_revision_info{SCOPE} == 1) unless max by (revision) (ringfence_source_revision_info{SCOPE} offset $__interval == 1)`,
		"revision {{revision}}")}
	if b.perTenant {
		drift := mark("Drift", "red", `max by (tenant) (ringfence_drift_last_detected_timestamp_seconds{SCOPE, tenant="$tenant"} > 0) * 1000`, "drift of {{tenant}}")
		drift.UseValueForTime = new(true)
		out = append(out, drift)
	}
	return out
}

// links lead from each dashboard to the others, to Ringfence's page (a tenant's to the picture of its fence), and to what to do.
func (b board) links() []dashboard.DashboardLink {
	page := "${page}/"
	if b.perTenant {
		page += "tenants/${tenant}"
	}
	return []dashboard.DashboardLink{
		{Title: "Ringfence", Type: dashboard.DashboardLinkTypeDashboards, Tags: []string{"ringfence"}, IncludeVars: true, KeepTime: true},
		{Title: "Ringfence's page", Type: dashboard.DashboardLinkTypeLink, Icon: "external link", Url: &page, Tags: []string{}, TargetBlank: true},
		{Title: "Runbook", Type: dashboard.DashboardLinkTypeLink, Icon: "doc", Url: new(Runbook), Tags: []string{}, TargetBlank: true},
	}
}
