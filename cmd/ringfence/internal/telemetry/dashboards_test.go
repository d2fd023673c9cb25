package telemetry

import (
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const folder = root + "/base/ringfence/dashboards"

// What stands in base/ringfence/dashboards is what this package describes.
func TestDashboards(t *testing.T) {
	all, err := Dashboards()
	require.NoError(t, err)
	for name, text := range all {
		compareGolden(t, folder+"/"+name+".json", text)
	}
}

// file returns a dashboard as it stands in the repository.
func file(t *testing.T, name string) []byte {
	t.Helper()
	return read(t, folder+"/"+name+".json")
}

// expressions returns every expression of a dashboard: of panels, annotations and variables.
func expressions(t *testing.T, text []byte) (out []string) {
	t.Helper()
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if expr, ok := v["expr"].(string); ok {
				out = append(out, expr)
			}
			if values, ok := v["definition"].(string); ok {
				m := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(values)
				require.NotNil(t, m, values)
				out = append(out, "group by ("+m[2]+") ("+m[1]+")")
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	var tree any
	require.NoError(t, json.Unmarshal(text, &tree))
	walk(tree)
	require.NotEmpty(t, out)
	return out
}

// substitute does what Grafana does before it asks.
func substitute(expr string) string {
	return strings.NewReplacer("$__rate_interval", "4m", "$__interval", "1m", "$cluster", ".*", "$job", ".*", "$instance", ".*", "$target", ".*", "$tenant", "caas-acme").Replace(expr)
}

// ofTheProcess are metrics that every Go program has.
var ofTheProcess = []string{"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "go_goroutines"}

// Every metric and label that a panel, a variable or an annotation names exists, every expression
// parses, and no metric that the daemon exports goes unseen.
func TestDashboardsNameWhatThereIs(t *testing.T) {
	series := families(t)
	unseen := maps.Clone(series)
	for _, name := range ofTheProcess {
		series[name] = nil
	}
	all, err := Dashboards()
	require.NoError(t, err)
	for board := range all {
		for _, expr := range expressions(t, file(t, board)) {
			assert.NotContains(t, substitute(expr), "$", "%s: a variable that nothing has", board)
			for _, name := range checkNames(t, parse(t, substitute(expr)), series) {
				delete(unseen, name)
			}
		}
	}
	for name := range unseen { // of a histogram the buckets say it all
		histogram := strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count")
		if _, seen := unseen[histogram+"_bucket"]; histogram == name || seen {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// Grafana's own schema takes every field, and its panels are each in a place of their own.
func TestDashboardsFitTheSchema(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	all, err := Dashboards()
	require.NoError(t, err)
	uids := map[string]bool{}
	for name := range all {
		var d, strict dashboard.Dashboard //nolint:staticcheck // its successor is not what every Grafana imports
		var faults cog.BuildErrors        // an empty one is returned, and not nil, where there is no fault
		if err := strict.UnmarshalJSONStrict(file(t, name)); !errors.As(err, &faults) {
			require.NoError(t, err, name)
		}
		require.Empty(t, faults, name)
		require.NoError(t, json.Unmarshal(file(t, name), &d))
		require.NoError(t, d.Validate(), name)
		assert.Equal(t, "ringfence-"+name, *d.Uid)
		assert.GreaterOrEqual(t, d.SchemaVersion, uint16(42))
		uids[*d.Uid] = true
		ids, taken := map[uint32]bool{}, map[[2]uint32]string{}
		for _, p := range d.Panels {
			if p.RowPanel != nil {
				assert.False(t, ids[p.RowPanel.Id])
				ids[p.RowPanel.Id] = true
				continue
			}
			assert.False(t, ids[*p.Panel.Id])
			ids[*p.Panel.Id] = true
			assert.NotEmpty(t, *p.Panel.Description, "%s: %s", name, *p.Panel.Title)
			at := p.Panel.GridPos
			assert.LessOrEqual(t, at.X+at.W, uint32(24))
			for x := at.X; x < at.X+at.W; x++ {
				for y := at.Y; y < at.Y+at.H; y++ {
					assert.Empty(t, taken[[2]uint32{x, y}], "%s: %s lies upon it", name, *p.Panel.Title)
					taken[[2]uint32{x, y}] = *p.Panel.Title
				}
			}
		}
		for y := range uint32(100) { // no holes: a line is full, or empty
			n := 0
			for x := range uint32(24) {
				if taken[[2]uint32{x, y}] != "" {
					n++
				}
			}
			assert.Contains(t, []int{0, 24}, n, "%s: line %d of the grid", name, y)
		}
	}
	for name := range all {
		for _, m := range regexp.MustCompile(`/d/([\w-]+)`).FindAllStringSubmatch(string(file(t, name)), -1) {
			assert.True(t, uids[m[1]], "%s links to %s", name, m[1])
		}
		led := map[string]bool{} // to the page: package web of cmd/ringfence has these views
		for _, m := range regexp.MustCompile(`\$\{page\}([^"]*)"`).FindAllStringSubmatch(string(file(t, name)), -1) {
			assert.Contains(t, []string{"/", "/tenants/${tenant}", "/drift?q=${__value.raw}"}, m[1], name)
			led[m[1]] = true
		}
		assert.NotEmpty(t, led, "%s leads to Ringfence's page", name)
	}
}

// A label by which a chart names its series, or a table its columns, is one that the expression leaves.
func TestLegendsNameLabels(t *testing.T) {
	used := regexp.MustCompile(`\{\{(\w+)\}\}`)
	by := regexp.MustCompile(`by \(([\w, ]+)\)`)
	for _, b := range []board{fleet(), tenant(), daemon()} {
		for _, s := range b.sections {
			for _, c := range s.charts {
				for _, q := range c.queries {
					var left []string
					if m := by.FindStringSubmatch(q.expr); m != nil {
						left = strings.Split(m[1], ", ")
					} else {
						left = slices.Clone(ofTheScrape)
					}
					for _, m := range used.FindAllStringSubmatch(q.legend, -1) {
						assert.Contains(t, left, m[1], "%s: %s", b.title, c.title)
					}
					if c.look == table {
						assert.Equal(t, left, c.keys, "%s: %s", b.title, c.title)
					}
				}
			}
		}
	}
}
