package telemetry

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// families are the metrics that the daemon exports, with their labels: the README's table, which a
// test of package main holds equal to a scrape.
func families(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	row := regexp.MustCompile("(?m)^\\| `(ringfence_[a-z_]+)` \\| ([a-z]+) \\| ([a-z, ]*)\\|$")
	for _, m := range row.FindAllStringSubmatch(string(read(t, root+"/README.md")), -1) {
		names := strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' || r == ' ' })
		for i, name := range names {
			if name == "instance" {
				names[i] = "exported_instance" // the scrape has an instance of its own
			}
		}
		if m[2] != "histogram" {
			out[m[1]] = names
			continue
		}
		out[m[1]+"_bucket"], out[m[1]+"_sum"], out[m[1]+"_count"] = append(slices.Clone(names), "le"), names, names
	}
	require.NotEmpty(t, out)
	return out
}

// ofTheScrape are labels that Prometheus, or whoever configures it, adds.
var ofTheScrape = []string{"cluster", "namespace", "job", "instance"}

// recorded returns the series that rules record, with the labels by which they are.
func recorded(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, r := range loadRules(t) {
		if r.Record != "" {
			_, by, _ := strings.Cut(r.Expr, "by (")
			by, _, _ = strings.Cut(by, ")")
			out[r.Record] = strings.Split(strings.ReplaceAll(by, " ", ""), ",")
		}
	}
	return out
}

// parse parses an expression as Prometheus does and returns what it selects.
func parse(t *testing.T, expr string) (selected []*parser.VectorSelector) {
	t.Helper()
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	require.NoError(t, err, "%s", expr)
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			selected = append(selected, s)
		}
		return nil
	})
	return selected
}

// checkNames checks that what an expression selects are series that there are, by labels that they
// have, and returns their names.
func checkNames(t assert.TestingT, selected []*parser.VectorSelector, series map[string][]string) (names []string) {
	for _, s := range selected {
		selected := named(s, series)
		assert.NotEmpty(t, selected, "nothing exports %s", s)
		names = append(names, selected...)
		for _, name := range selected {
			for _, m := range s.LabelMatchers {
				if m.Name != model.MetricNameLabel {
					assert.Contains(t, slices.Concat(series[name], ofTheScrape), m.Name, "%s has no such label", name)
				}
			}
		}
	}
	return names
}

// named returns the names of the series that a selector may choose.
func named(s *parser.VectorSelector, series map[string][]string) (names []string) {
	for name := range series {
		if s.Name == name || s.Name == "" && slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
			return m.Name == model.MetricNameLabel && m.Matches(name)
		}) {
			names = append(names, name)
		}
	}
	return names
}

// Every metric and label that a rule names exists, also those that rules are grouped by.
func TestRulesNameWhatThereIs(t *testing.T) {
	series := families(t)
	maps.Copy(series, recorded(t))
	for _, r := range loadRules(t) {
		var known []string
		for _, name := range checkNames(t, parse(t, r.Expr), series) {
			known = append(known, series[name]...)
		}
		tree, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
		require.NoError(t, err)
		parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
			if by, ok := node.(*parser.AggregateExpr); ok {
				assert.Subset(t, slices.Concat(known, ofTheScrape), by.Grouping, r.Expr)
			}
			return nil
		})
		for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(strings.Join(slices.Collect(maps.Values(r.Annotations)), "\n"), -1) {
			assert.Contains(t, slices.Concat(known, ofTheScrape), m[1], "%s: an annotation", r.Alert)
		}
	}
}

// The checks themselves, on expressions that are wrong.
func TestWrongNamesAreSeen(t *testing.T) {
	series := map[string][]string{"ringfence_leader": nil}
	for _, expr := range []string{`ringfence_boss == 1`, `sum(ringfence_leader{tenant="a"})`} {
		faults := &recorder{}
		checkNames(faults, parse(t, expr), series)
		assert.Equal(t, 1, faults.count, expr)
	}
}

// recorder counts failed assertions.
type recorder struct{ count int }

// Errorf implements assert.TestingT.
func (r *recorder) Errorf(string, ...any) { r.count++ }
