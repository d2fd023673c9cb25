package telemetry

import (
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	grafanatable "github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// source is the Prometheus that is chosen at the top of the dashboard.
func source() *common.DataSourceRef {
	return &common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}
}

// panel makes Grafana's panel of a chart, without its place.
func (c chart) panel(id uint32) dashboard.Panel {
	p := dashboard.Panel{
		Id: &id, Title: &c.title, Description: &c.about, Datasource: source(), Targets: c.targets(),
		FieldConfig: &dashboard.FieldConfigSource{Defaults: c.field(), Overrides: []dashboard.DashboardFieldConfigSourceOverrides{}},
	}
	switch c.look {
	case number:
		o := stat.NewOptions()
		o.GraphMode, o.ColorMode = common.BigValueGraphModeNone, common.BigValueColorModeBackground
		o.Orientation = common.VizOrientationAuto
		o.ReduceOptions.Calcs = []string{"lastNotNull"}
		p.Type, p.Options = "stat", o
	case bars:
		o := bargauge.NewOptions()
		o.Orientation, o.DisplayMode = common.VizOrientationHorizontal, common.BarGaugeDisplayModeBasic
		o.ReduceOptions.Calcs = []string{"lastNotNull"}
		p.Type, p.Options = "bargauge", o
	case lines, stack, counts:
		o := timeseries.NewOptions()
		o.Legend.ShowLegend, o.Tooltip.Mode, o.Tooltip.Sort = true, common.TooltipDisplayModeMulti, common.SortOrderDescending
		p.Type, p.Options, p.FieldConfig.Defaults.Custom = "timeseries", o, c.drawn()
	case timeline:
		o := statetimeline.NewOptions()
		o.Legend.ShowLegend, o.Legend.Calcs = true, []string{}
		o.Legend.DisplayMode, o.Legend.Placement = common.LegendDisplayModeList, common.LegendPlacementBottom
		p.Type, p.Options = "state-timeline", o
	case table:
		o := grafanatable.NewOptions()
		o.Footer = nil
		p.Type, p.Options = "table", o
		p.Transformations, p.FieldConfig.Overrides = c.columns(), c.overrides()
	}
	return p
}

func (c chart) targets() (targets []variants.Dataquery) {
	for i, q := range c.queries {
		t := prometheus.NewDataquery()
		t.RefId, t.Expr, t.Datasource = new(string(rune('A'+i))), scoped(q.expr), source()
		t.EditorMode = new(prometheus.QueryEditorModeCode)
		last := c.look == number || c.look == bars || c.look == table
		t.Instant, t.Range = &last, new(!last)
		t.LegendFormat = new("__auto")
		if q.legend != "" {
			t.LegendFormat = &q.legend
		}
		if c.look == table {
			t.Format = new(prometheus.PromQueryFormatTable)
		}
		targets = append(targets, t)
	}
	return targets
}

// field says how values are written and coloured.
func (c chart) field() dashboard.FieldConfig {
	steps := []dashboard.Threshold{{Color: "green"}}
	for _, s := range c.bad {
		steps = append(steps, dashboard.Threshold{Value: &s.from, Color: s.color})
	}
	f := dashboard.FieldConfig{
		Thresholds: &dashboard.ThresholdsConfig{Mode: dashboard.ThresholdsModeAbsolute, Steps: steps},
		Color:      &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdPaletteClassicByName},
	}
	if c.look == number || c.look == timeline || c.look == table {
		f.Color.Mode = dashboard.FieldColorModeIdThresholds
	}
	if c.unit != "" && c.look != table {
		f.Unit = &c.unit
	}
	if c.nothing != "" {
		f.NoValue = &c.nothing
	}
	if c.look != number && c.look != table {
		f.Min = new(0.0)
	}
	if len(c.states) > 0 {
		names := map[string]dashboard.ValueMappingResult{}
		for i, s := range c.states {
			names[s.value] = dashboard.ValueMappingResult{Text: &s.name, Color: &s.color, Index: new(int32(i))}
		}
		f.Mappings = []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: names}}}
	}
	return f
}

// drawn says how a chart over time is drawn.
func (c chart) drawn() *timeseries.FieldConfig {
	f := &timeseries.FieldConfig{
		DrawStyle: new(common.GraphDrawStyleLine), LineWidth: new(1.0), FillOpacity: new(10.0),
		ShowPoints: new(common.VisibilityModeAuto),
	}
	if c.look == counts {
		f.DrawStyle, f.FillOpacity = new(common.GraphDrawStyleBars), new(80.0)
	}
	if c.look == stack || c.look == counts {
		f.Stacking = &common.StackingConfig{Mode: new(common.StackingModeNormal), Group: new("A")}
	}
	if c.look == stack {
		f.FillOpacity = new(40.0)
	}
	return f
}

// columns orders a table's columns and hides the rest.
func (c chart) columns() []dashboard.DataTransformerConfig {
	order := map[string]int{}
	for i, key := range append(c.keys, "Value") {
		order[key] = i
	}
	return []dashboard.DataTransformerConfig{{Id: "organize", Options: map[string]any{
		"excludeByName": map[string]bool{"Time": true},
		"indexByName":   order,
		"renameByName":  map[string]string{"Value": c.column},
	}}}
}

// overrides write the value in its unit, and lead from a tenant to its life and to who changed what.
func (c chart) overrides() []dashboard.DashboardFieldConfigSourceOverrides {
	links := []map[string]any{
		{"title": "The life of ${__value.raw}", "url": "/d/" + tenant().uid + "?var-tenant=${__value.raw}&${datasource:queryparam}&${cluster:queryparam}&${instance:queryparam}&${page:queryparam}&${__url_time_range}"},
		{"title": "Who changed what, as Ringfence says", "url": "${page}/drift?q=${__value.raw}", "targetBlank": true},
	}
	byName := func(name, property string, value any) dashboard.DashboardFieldConfigSourceOverrides {
		return dashboard.DashboardFieldConfigSourceOverrides{
			Matcher:    dashboard.MatcherConfig{Id: "byName", Options: name},
			Properties: []dashboard.DynamicConfigValue{{Id: property, Value: value}},
		}
	}
	out := []dashboard.DashboardFieldConfigSourceOverrides{byName("tenant", "links", links)}
	if c.unit != "" {
		out = append(out, byName(c.column, "unit", c.unit))
	}
	return out
}
