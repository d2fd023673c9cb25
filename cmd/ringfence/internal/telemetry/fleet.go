package telemetry

// fleet answers: are the fences standing?
func fleet() board {
	return board{
		uid: "ringfence-fleet", title: "Ringfence / Fleet",
		about: "Are the fences standing? Tenants by state, what is open or cut against Git, and how fast it is seen and mended.",
		sections: []section{
			{"Are the fences standing?", standing()},
			{"Exposure and drift", exposure()},
			{"Is anything enforcing?", enforcement()},
			{"How fast", speed()},
			{"Held back, on purpose or not", heldBack()},
		},
	}
}

func standing() []chart {
	byState := each("{{state}}", `sum by (state) (`+ofLeader(`ringfence_tenants{SCOPE}`)+`)`)
	return []chart{
		{
			look: number, title: "Open tenants", width: 4, height: 4, bad: anyIsRed, nothing: "nobody knows",
			about:   "Tenants, and the cluster's own policies as one, that let through a connection which Git does not. Anything but 0 pages.",
			queries: one(`sum(sum by (cluster, job, tenant) (ringfence_exposure_connections{SCOPE, effect="opens"}) > bool 0)`),
		},
		{
			look: number, title: "Connections open against Git", width: 4, height: 4, bad: anyIsRed, nothing: "nobody knows",
			about:   "Who may reach whom, and may not by Git; groups of ends are counted as one.",
			queries: one(`sum(ringfence_exposure_connections{SCOPE, effect="opens"})`),
		},
		{
			look: number, title: "Objects that differ", width: 4, height: 4, bad: anyIsOrange, nothing: "nobody knows",
			about:   "Missing, modified or extra, whatever they do to traffic.",
			queries: one(`sum(ringfence_drift_objects{SCOPE})`),
		},
		{
			look: number, title: "Oldest difference", unit: "s", width: 4, height: 4, bad: minutes, nothing: "nobody knows",
			about:   "How long the oldest difference has stood; 0 if there is none. Corrections take milliseconds.",
			queries: one(`max((time() - ringfence_drift_oldest_timestamp_seconds{SCOPE}) * (ringfence_drift_oldest_timestamp_seconds{SCOPE} > bool 0))`),
		},
		{
			look: number, title: "Unfenced namespaces", width: 4, height: 4, bad: anyIsOrange, nothing: "nobody knows",
			about:   "Namespaces that layout.expect names and no overlay fences.",
			queries: one(`sum(max by (cluster, namespace, job) (ringfence_unfenced_namespaces{SCOPE}))`),
		},
		{
			look: number, title: "Blind watches", width: 4, height: 4, bad: anyIsRed, nothing: "nobody knows",
			about:   "Kinds that a process cannot see. While there is one, zeros elsewhere prove nothing.",
			queries: one(`sum(ringfence_watch_synced{SCOPE} == bool 0)`),
		},
		{look: bars, title: "Tenants by state", width: 8, height: 8, queries: byState, about: "The first state that holds, as the leader sees it."},
		{look: stack, title: "Tenants by state, over time", width: 16, height: 8, queries: byState, about: "The first state that holds, as the leader sees it."},
	}
}

func exposure() []chart {
	return []chart{
		{
			look: lines, title: "Open against Git, by tenant", width: 12, height: 8,
			about:   "Connections that the cluster allows and Git does not; the ten worst. Without a tenant: the cluster's own policies.",
			queries: each("{{cluster}} {{tenant}}", `topk(10, sum by (cluster, tenant) (ringfence_exposure_connections{SCOPE, effect="opens"}))`),
		},
		{
			look: lines, title: "Cut against Git, by tenant", width: 12, height: 8,
			about:   "Connections that Git allows and the cluster does not: outages; the ten worst.",
			queries: each("{{cluster}} {{tenant}}", `topk(10, sum by (cluster, tenant) (ringfence_exposure_connections{SCOPE, effect="closes"}))`),
		},
		{
			look: stack, title: "Objects that differ, by effect", width: 12, height: 8,
			about:   "What the differences that stand do to traffic.",
			queries: each("{{effect}}", `sum by (effect) (ringfence_drift_objects{SCOPE})`),
		},
		{
			look: lines, title: "Age of the oldest difference, by tenant", unit: "s", width: 12, height: 8, nothing: "none is known",
			about:   "The ten oldest. A line that goes on rising is one that nobody mends.",
			queries: each("{{cluster}} {{tenant}}", `topk(10, time() - min by (cluster, tenant) (ringfence_drift_oldest_timestamp_seconds{SCOPE} > 0))`),
		},
		{
			look: table, title: "What differs now", width: 14, height: 9, nothing: "none is known",
			about:   "Click a tenant for its life, or for who changed what: metrics have no names of people and objects, Ringfence's own answer has.",
			queries: one(`sum by (cluster, tenant, kind, type, effect) (ringfence_drift_objects{SCOPE}) > 0`),
			column:  "objects", keys: []string{"cluster", "tenant", "kind", "type", "effect"},
		},
		{
			look: table, title: "Last drift, by tenant", unit: "dateTimeFromNow", width: 10, height: 9, nothing: "none is known",
			about:   "When a difference was last detected, also one that was mended at once; the twenty latest.",
			queries: one(`topk(20, max by (cluster, tenant) (ringfence_drift_last_detected_timestamp_seconds{SCOPE} > 0)) * 1000`),
			column:  "last detected", keys: []string{"cluster", "tenant"},
		},
	}
}

func enforcement() []chart {
	return []chart{
		{
			look: table, title: "What enforces policies", width: 12, height: 7, nothing: "none is known",
			about:   "none: nothing that Ringfence knows, and no fence has an effect; unknown: it may not list DaemonSets.",
			queries: one(`max by (cluster, engine, version) (ringfence_enforcer_info{SCOPE})`),
			column:  "there", keys: []string{"cluster", "engine", "version"},
		},
		{
			look: stack, title: "Nodes", width: 12, height: 7, about: "On which it is ready, and on which it should be and is not: what runs there may be open.",
			queries: each("{{state}}", `sum by (state) (max by (cluster, namespace, job, state) (ringfence_enforcer_nodes{SCOPE}))`),
		},
	}
}

func speed() []chart {
	return []chart{
		{
			look: counts, title: "Differences detected", width: 12, height: 8,
			about:   "By type and effect.",
			queries: each("{{type}}, {{effect}}", `sum by (type, effect) (increase(ringfence_drift_detected_total{SCOPE}[$__rate_interval]))`),
		},
		{
			look: counts, title: "Differences corrected", width: 12, height: 8,
			about:   "By type and effect. Extras are only reported, unless drift.extra says otherwise.",
			queries: each("{{type}}, {{effect}}", `sum by (type, effect) (increase(ringfence_drift_corrected_total{SCOPE}[$__rate_interval]))`),
		},
		{
			look: lines, title: "Time to detect", unit: "s", width: 12, height: 8,
			about: "From the watch event of a change to its detection as a difference.", queries: quantiles("ringfence_drift_detection_seconds"),
		},
		{
			look: lines, title: "Time to mend", unit: "s", width: 12, height: 8,
			about: "From the detection of a difference to its correction.", queries: quantiles("ringfence_drift_correction_seconds"),
		},
	}
}

func heldBack() []chart {
	return []chart{
		{
			look: lines, title: "Tenants that are held back", width: 8, height: 8,
			about:   "Tenants that are not at the newest revision, by what holds them back.",
			queries: each("{{reason}}", `sum by (reason) (ringfence_sync_held_tenants{SCOPE})`),
		},
		{
			look: lines, title: "Fights", width: 8, height: 8,
			about:   "Objects that somebody keeps changing back.",
			queries: each("{{cluster}} objects", `sum by (cluster) (ringfence_drift_fights{SCOPE})`),
		},
		{
			look: table, title: "Broken glass", unit: "dateTimeFromNow", width: 8, height: 8, nothing: "none is known",
			about:   "Tenants whose drift is not corrected on purpose, and until when.",
			queries: one(`max by (cluster, tenant) (ringfence_break_glass_until_timestamp_seconds{SCOPE, tenant!=""}) * 1000`),
			column:  "until", keys: []string{"cluster", "tenant"},
		},
		{
			look: table, title: "Left alone on purpose", width: 12, height: 8, nothing: "none is known",
			about:   "Differences that drift.ignore covers, and objects of Calico's own, by the reason that is given.",
			queries: one(`sum by (cluster, reason) (ringfence_drift_ignored_objects{SCOPE}) > 0`),
			column:  "objects", keys: []string{"cluster", "reason"},
		},
		{
			look: table, title: "Revisions", width: 12, height: 8,
			about:   "The revision of the policy repository that each process has read last: do all clusters follow?",
			queries: one(`max by (cluster, instance, revision) (ringfence_source_revision_info{SCOPE} == 1)`),
			column:  "current", keys: []string{"cluster", "instance", "revision"},
		},
	}
}
