package telemetry

// daemon shows whether Ringfence itself is well.
func daemon() board {
	return board{
		uid: "ringfence-daemon", title: "Ringfence / Daemon",
		about: "Is Ringfence itself well: Git, rendering, writing, watches, the API server, leader and resources.",
		sections: []section{
			{"Git", git()},
			{"Render and sync", work()},
			{"Watches and audit", watches()},
			{"API server", requests()},
			{"Leader and resources", resources()},
		},
	}
}

func git() []chart {
	return []chart{
		{
			look: number, title: "Last read", unit: "s", width: 4, height: 8, bad: []step{{300, "orange"}, {900, "red"}}, nothing: "nobody knows",
			about:   "How long ago the policy repository was last read, whether or not it had something new.",
			queries: one(`time() - min(ringfence_source_last_success_timestamp_seconds{SCOPE})`),
		},
		{
			look: counts, title: "Polls", width: 8, height: 8, about: "By result.",
			queries: each("{{result}}", `sum by (result) (increase(ringfence_source_polls_total{SCOPE}[$__rate_interval]))`),
		},
		{
			look: lines, title: "Time to fetch", unit: "s", width: 6, height: 8,
			about: "Of polls that found a new revision.", queries: quantiles("ringfence_source_fetch_seconds"),
		},
		{
			look: counts, title: "Revisions refused", width: 6, height: 8, about: "Each once, by reason.",
			queries: each("{{reason}}", `sum by (reason) (increase(ringfence_source_refused_total{SCOPE}[$__rate_interval]))`),
		},
	}
}

func work() []chart {
	return []chart{
		{
			look: counts, title: "Overlays", width: 8, height: 8, about: "Rendered anew, reused since nothing that they read had changed, or refused.",
			queries: each("{{result}}", `sum by (result) (increase(ringfence_render_overlays_total{SCOPE}[$__rate_interval]))`),
		},
		{
			look: lines, title: "Time to render", unit: "s", width: 8, height: 8,
			about: "Of a whole tree.", queries: quantiles("ringfence_render_seconds"),
		},
		{
			look: lines, title: "Time to sync", unit: "s", width: 8, height: 8,
			about: "From the adoption of a revision until every tenant that it touches was tried.", queries: quantiles("ringfence_sync_seconds"),
		},
		{
			look: counts, title: "Objects written", width: 8, height: 8, about: "By what was done.",
			queries: each("{{action}}", `sum by (action) (increase(ringfence_sync_objects_total{SCOPE}[$__rate_interval]))`),
		},
		{
			look: lines, title: "Tenants that are held back", width: 8, height: 8, about: "Not at the newest revision, by what holds them back.",
			queries: each("{{reason}}", `sum by (reason) (ringfence_sync_held_tenants{SCOPE})`),
		},
		{
			look: table, title: "Longest not equal to Git", unit: "dateTimeFromNow", width: 8, height: 8,
			about:   "When each tenant was last found or made equal to Git; the ten that have waited longest.",
			queries: one(`bottomk(10, max by (cluster, tenant) (ringfence_sync_last_success_timestamp_seconds{SCOPE, tenant!=""} > 0)) * 1000`),
			column:  "last equal", keys: []string{"cluster", "tenant"},
		},
	}
}

func watches() []chart {
	return []chart{
		{
			look: timeline, title: "Watches", width: 12, height: 9, about: "Whether the watch of each kind stands on a whole list.",
			states:  []state{{"0", "blind", "red"}, {"1", "sees", "green"}},
			queries: each("{{instance}} {{kind}}", `min by (instance, kind) (ringfence_watch_synced{SCOPE})`),
		},
		{
			look: lines, title: "Since the last audit", unit: "s", width: 6, height: 9, nothing: "there was none yet",
			about:   "How long ago the watches were last compared with a fresh list.",
			queries: each("{{instance}}", `time() - max by (instance) (ringfence_audit_last_success_timestamp_seconds{SCOPE} > 0)`),
		},
		{
			look: counts, title: "Disagreements", width: 6, height: 9, about: "Objects on which a watch and a fresh list disagreed.",
			queries: each("{{instance}}", `sum by (instance) (increase(ringfence_audit_disagreements_total{SCOPE}[$__rate_interval]))`),
		},
	}
}

func requests() []chart {
	return []chart{
		{
			look: stack, title: "Requests, by verb", unit: "reqps", width: 12, height: 8, about: "A steady cluster costs none for each object; watches are counted as they begin.",
			queries: each("{{verb}}", `sum by (verb) (rate(ringfence_api_requests_total{SCOPE}[$__rate_interval]))`),
		},
		{
			look: stack, title: "Requests, by answer", unit: "reqps", width: 12, height: 8, about: "By status code; error: no answer came back.",
			queries: each("{{code}}", `sum by (code) (rate(ringfence_api_requests_total{SCOPE}[$__rate_interval]))`),
		},
		{
			look: lines, title: "Writes that wait", width: 12, height: 8, about: "For Calico's own API server, which is slower than the cluster's: waiting for their turn, or on their way.",
			queries: each("{{instance}}", `sum by (instance) (ringfence_sync_queued_writes{SCOPE})`),
		},
		{
			look: counts, title: "Writes that were lost", width: 12, height: 8, about: "Calico's own API server called them done and they were not; each was made again.",
			queries: each("{{instance}}", `sum by (instance) (increase(ringfence_sync_lost_writes_total{SCOPE}[$__rate_interval]))`),
		},
	}
}

func resources() []chart {
	return []chart{
		{
			look: timeline, title: "Who writes", width: 12, height: 8, about: "One of the replicas leads, the others stand by.",
			states:  []state{{"0", "stands by", "blue"}, {"1", "leads", "green"}},
			queries: each("{{instance}}", `max by (instance) (ringfence_leader{SCOPE})`),
		},
		{
			look: table, title: "Builds", width: 12, height: 8, about: "What runs where. The column instance is the process that was scraped, exported_instance Ringfence's own name.",
			queries: one(`max by (cluster, instance, exported_instance, version, revision, goversion) (ringfence_build_info{SCOPE})`),
			column:  "runs", keys: []string{"cluster", "instance", "exported_instance", "version", "revision", "goversion"},
		},
		{
			look: lines, title: "Memory", unit: "bytes", width: 8, height: 8, about: "Resident.",
			queries: each("{{instance}}", `process_resident_memory_bytes{SCOPE}`),
		},
		{
			look: lines, title: "CPU", unit: "none", width: 8, height: 8, about: "Cores.",
			queries: each("{{instance}}", `rate(process_cpu_seconds_total{SCOPE}[$__rate_interval])`),
		},
		{
			look: lines, title: "Goroutines and open files", width: 8, height: 8, about: "What rises and never falls is a leak.",
			queries: []query{{`go_goroutines{SCOPE}`, "{{instance}} goroutines"}, {`process_open_fds{SCOPE}`, "{{instance}} files"}},
		},
	}
}
