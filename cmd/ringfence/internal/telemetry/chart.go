package telemetry

import "strings"

// look is how a chart is drawn.
type look int

const (
	number   look = iota // one number, the last
	bars                 // a bar for each series, the last value
	lines                // over time
	stack                // over time, one upon the other
	counts               // over time, as bars one upon the other
	timeline             // states over time, a row for each series
	table                // a row for each series, the last value
)

// query is one expression and what its series are called. SCOPE in the expression stands for what the
// variables of the dashboard choose.
type query struct{ expr, legend string }

// chart is one panel: what it shows, and how.
type chart struct {
	look          look
	title, about  string // about says how to read it
	unit          string // Grafana's name of a unit; "" for plain numbers
	width, height uint32 // of a grid 24 wide; one unit of height is 30 pixels
	queries       []query
	// nothing is shown where there is no data; "" is Grafana's own "No data".
	nothing string
	// bad is from where on a value is bad, and how bad.
	bad []step
	// states are the names and colours of values, for a timeline.
	states []state
	// column is the name of a table's value, and keys those of its labels, in order; others are hidden.
	column string
	keys   []string
}

// step colours a number from a value on.
type step struct {
	from  float64
	color string
}

// state names and colours one value.
type state struct {
	value, name, color string
}

// section is a row of a dashboard with its charts.
type section struct {
	title  string
	charts []chart
}

// board is a dashboard.
type board struct {
	uid, title, about string
	sections          []section
	perTenant         bool
}

// one is the only query of a chart.
func one(expr string) []query { return []query{{expr: expr}} }

// each is the only query of a chart, whose series have names.
func each(legend, expr string) []query { return []query{{expr, legend}} }

// quantiles are the median and the 99th percentile of a histogram.
func quantiles(histogram string) []query {
	bucket := `sum by (le) (rate(` + histogram + `_bucket{SCOPE}[$__rate_interval]))`
	return []query{
		{`histogram_quantile(0.5, ` + bucket + `)`, "half are faster than"},
		{`histogram_quantile(0.99, ` + bucket + `)`, "99 of 100 are faster than"},
	}
}

// scoped puts what the dashboard's variables choose into an expression.
func scoped(expr string) string {
	return strings.ReplaceAll(expr, "SCOPE", `cluster=~"$cluster", job=~"$job", instance=~"$target"`)
}

// ofLeader narrows a selection to the process that leads: a standby counts the same tenants again.
func ofLeader(selection string) string {
	return selection + ` and on (cluster, namespace, job, instance) ringfence_leader{SCOPE} == 1`
}

var (
	anyIsRed    = []step{{1, "red"}}
	anyIsOrange = []step{{1, "orange"}}
	minutes     = []step{{60, "orange"}, {300, "red"}}
)
