package telemetry

// tenant shows one tenant's life.
func tenant() board {
	return board{
		uid: "ringfence-tenant", title: "Ringfence / Tenant", perTenant: true,
		about: "One tenant's life: when its fence stood as Git says, when it did not, and for how long.",
		sections: []section{
			{"$tenant", tenantNow()},
			{"Over time", tenantLife()},
		},
	}
}

// known is 0 where an expression has nothing to say of a tenant that Ringfence knows: no answer then means
// that nobody has looked, and not that all is well.
func known(expr string) string {
	return expr + ` or 0 * ringfence_sync_last_success_timestamp_seconds{SCOPE, tenant="$tenant"}`
}

func tenantNow() []chart {
	return []chart{
		{
			look: number, title: "Open against Git", width: 4, height: 4, bad: anyIsRed, nothing: "nobody knows",
			about:   "Connections that the cluster allows and Git does not.",
			queries: one(`sum(` + known(`ringfence_exposure_connections{SCOPE, tenant="$tenant", effect="opens"}`) + `)`),
		},
		{
			look: number, title: "Cut against Git", width: 4, height: 4, bad: anyIsOrange, nothing: "nobody knows",
			about:   "Connections that Git allows and the cluster does not.",
			queries: one(`sum(` + known(`ringfence_exposure_connections{SCOPE, tenant="$tenant", effect="closes"}`) + `)`),
		},
		{
			look: number, title: "Objects that differ", width: 4, height: 4, bad: anyIsOrange, nothing: "nobody knows",
			about:   "Missing, modified or extra.",
			queries: one(`sum(` + known(`ringfence_drift_objects{SCOPE, tenant="$tenant"}`) + `)`),
		},
		{
			look: number, title: "Oldest difference", unit: "s", width: 4, height: 4, bad: minutes, nothing: "nobody knows",
			about:   "How long it has stood; 0 if there is none.",
			queries: one(`max(` + known(`time() - (ringfence_drift_oldest_timestamp_seconds{SCOPE, tenant="$tenant"} > 0)`) + `)`),
		},
		{
			look: number, title: "Last equal to Git", unit: "dateTimeFromNow", width: 4, height: 4, nothing: "never",
			about:   "When the tenant was last found or made equal to Git.",
			queries: one(`max(ringfence_sync_last_success_timestamp_seconds{SCOPE, tenant="$tenant"} > 0) * 1000`),
		},
		{
			look: number, title: "Glass is broken until", unit: "dateTimeFromNow", width: 4, height: 4, nothing: "none is known",
			about:   "Until when drift is not corrected on purpose.",
			queries: one(`max(ringfence_break_glass_until_timestamp_seconds{SCOPE, tenant="$tenant"} > 0) * 1000`),
		},
	}
}

func tenantLife() []chart {
	return []chart{
		{
			look: timeline, title: "The fence", width: 24, height: 4, nothing: "nobody knows",
			about:  "As Git says, different in what does not open anything, or open. Gaps: nobody looked.",
			states: []state{{"0", "as in Git", "green"}, {"1", "differs", "orange"}, {"2", "open", "red"}},
			queries: each("{{tenant}}", `max by (tenant) (
  2 * (ringfence_exposure_connections{SCOPE, tenant="$tenant", effect="opens"} > bool 0)
  or `+known(`(ringfence_drift_objects{SCOPE, tenant="$tenant"} > bool 0)`)+`
)`),
		},
		{
			look: lines, title: "Connections against Git", width: 12, height: 8, nothing: "none is known",
			about:   "opens: allowed by the cluster and not by Git; closes: the reverse.",
			queries: each("{{effect}}", `sum by (effect) (ringfence_exposure_connections{SCOPE, tenant="$tenant"})`),
		},
		{
			look: stack, title: "Objects that differ", width: 12, height: 8, nothing: "none is known",
			about:   "By type and effect.",
			queries: each("{{type}}, {{effect}}", `sum by (type, effect) (ringfence_drift_objects{SCOPE, tenant="$tenant"})`),
		},
		{
			look: table, title: "What differs now", width: 12, height: 8, nothing: "none is known",
			about:   "Click the tenant for who changed what.",
			queries: one(`sum by (cluster, tenant, kind, type, effect) (ringfence_drift_objects{SCOPE, tenant="$tenant"}) > 0`),
			column:  "objects", keys: []string{"cluster", "tenant", "kind", "type", "effect"},
		},
		{
			look: lines, title: "Since the last drift was detected", unit: "s", width: 12, height: 8, nothing: "none is known",
			about:   "A saw-tooth: each fall is a difference, also one that was mended at once.",
			queries: each("{{cluster}}", `time() - max by (cluster) (ringfence_drift_last_detected_timestamp_seconds{SCOPE, tenant="$tenant"} > 0)`),
		},
	}
}
