package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/sync"
)

// daemon answers as a running one would, with what a test wrote into it.
type daemon struct {
	status   api.Status
	tenants  []api.Tenant
	drift    []api.Difference
	unfenced []string
}

func orderly() *daemon {
	return &daemon{
		status: api.Status{Instance: "default", Leader: true, Ready: true, Source: api.Source{URL: "https://git.example.com/p.git"}},
		tenants: []api.Tenant{
			{Name: "caas-acme", State: sync.Synced}, {Name: "caas-globex", State: sync.Synced},
		},
		drift: []api.Difference{}, unfenced: []string{},
	}
}

// ask runs a command against the daemon.
func (d *daemon) ask(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, json.NewEncoder(w).Encode(map[string]any{
			api.StatusPath: d.status, api.TenantsPath: d.tenants, api.DriftPath: d.drift, api.UnfencedPath: d.unfenced,
		}[r.URL.Path]))
	}))
	defer server.Close()
	var out, err bytes.Buffer
	code = run(t.Context(), environment{Args: append(args, "--server", server.URL), Stdout: &out, Stderr: &err})
	return out.String(), err.String(), code
}

// Only where every tenant is synced and everything is seen is it all well; the text says what is not.
func TestStatusCodes(t *testing.T) {
	_, _, code := orderly().ask(t, "status")
	require.Equal(t, exitClean, code)
	until := time.Date(2026, 3, 1, 18, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		change func(*daemon)
		code   int
		says   string
	}{
		"quarantined": {func(d *daemon) { d.tenants[0].State = sync.Quarantined }, exitFindings, "caas-acme  quarantined  -        -       its overlay left Git"},
		"drifted":     {func(d *daemon) { d.tenants[0].State, d.tenants[0].Drift = sync.Drifted, 2 }, exitFindings, "2 differences: see `ringfence drift`"},
		"suspended":   {func(d *daemon) { d.tenants[0].State, d.tenants[0].Until = sync.Suspended, &until }, exitFindings, "until 2026-03-01T18:00:00Z"},
		"pending":     {func(d *daemon) { d.tenants[0].State = sync.Pending }, exitFindings, "[############------------] 1 of 2 synced"},
		"failed": {func(d *daemon) {
			d.tenants[0].State = sync.Failed
			d.tenants[0].Errors = []api.Error{{File: "a.yaml", Line: 3, Message: "bad\nvery", Hint: "mend it"}, {Message: "worse"}}
		}, exitFindings, "a.yaml:3: bad; very (hint: mend it), and 1 more"},
		"one fault": {func(d *daemon) {
			d.tenants[0].State, d.tenants[0].Error = sync.Failed, &api.Error{Message: "\x1b[31mred"}
		}, exitFindings, "\ufffd[31mred"},
		"refused overlay": {func(d *daemon) { d.status.Refused = []api.Error{{File: "x.yaml", Message: "no namespace"}} }, exitFindings, "refused  x.yaml: no namespace"},
		"refused revision": {func(d *daemon) {
			d.status.Source.Refused, d.status.Source.Error = &api.Refused{Revision: "0123456789abcdef", Reason: "rewind"}, "history was rewound"
		}, exitFindings, "0123456789ab is refused: rewind"},
		"removals held": {func(d *daemon) { d.status.PruneHeld = "21 objects" }, exitFindings, "nothing is removed: 21 objects"},
		"unfenced":      {func(d *daemon) { d.unfenced = []string{"caas-nobody"} }, exitFindings, "unfenced  caas-nobody: layout.expect"},
		"unknown":       {func(d *daemon) { d.tenants[0].State = sync.Unknown }, exitUnknown, "its live state cannot be seen"},
		"blind": {func(d *daemon) {
			d.status.Blind = []string{"Tier.projectcalico.org: forbidden", "b", "c"}
		}, exitUnknown, "not ready: Tier.projectcalico.org and 2 more kinds cannot be seen"},
		"not ready":   {func(d *daemon) { d.status.Ready = false }, exitUnknown, "not ready: it is not ready"},
		"waiting":     {func(d *daemon) { d.status.Ready, d.status.Waiting = false, "the API server" }, exitUnknown, "not ready: it waits: the API server"},
		"Git is away": {func(d *daemon) { d.status.Source.Error = "timeout" }, exitUnknown, "the last look failed: timeout"},
		"blind and drifted": {func(d *daemon) {
			d.tenants[0].State, d.status.Blind = sync.Drifted, []string{"Tier: x"}
		}, exitUnknown, "Tier cannot be seen"},
	} {
		d := orderly()
		tt.change(d)
		stdout, stderr, code := d.ask(t, "status")
		assert.Equal(t, tt.code, code, name)
		assert.Contains(t, stdout, tt.says, name)
		assert.Empty(t, stderr, name)
		asJSON, _, code := d.ask(t, "status", "-o", "json")
		assert.Equal(t, tt.code, code, "%s: the same in every format", name)
		var r statusReport
		require.NoError(t, json.Unmarshal([]byte(asJSON), &r), name)
		assert.Equal(t, d.status.Instance, r.Status.Instance)
	}
}

func hold(h drift.Hold) *drift.Hold { return &h }

// oddities are one difference of every sort, in no useful order.
func oddities() []api.Difference {
	since := time.Now().Add(-3 * time.Minute).UTC()
	corrected := since.Add(12 * time.Millisecond)
	ports, err := reach.ParsePorts("5432/TCP")
	if err != nil {
		panic(err)
	}
	row := func(name string, typ drift.Type, effect drift.Effect) api.Difference {
		return api.Difference{
			Tenant: "a", APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy", Namespace: "a", Name: name, Type: typ, Effect: effect, Since: since,
			Exposure: []api.Exposure{{Effect: effect, From: reach.Place{Any: "pod"}, To: reach.Place{Namespace: "a", Workload: "db"}, Ports: ports.Rows()}},
		}
	}
	none := row("same", drift.Modified, drift.None)
	none.Exposure, none.Held = nil, hold(drift.Ignore)
	tier := row("tier", drift.Extra, drift.EffectUnknown)
	tier.APIVersion, tier.Kind, tier.Namespace, tier.Held = "projectcalico.org/v3", "Tier", "", hold(drift.Report)
	mended := row("mended", drift.Modified, drift.Opens)
	mended.Corrected = &corrected
	open := row("open", drift.Modified, drift.Opens)
	open.Fields = []drift.Field{{Path: "spec.ingress", Got: []any{map[string]any{"from": "\x1b[2J"}}}}
	open.Managers = []drift.Writer{{Name: "rogue", Operation: "Update"}}
	open.Origin = &api.Origin{File: "base/open.yaml", Line: 4, Revision: "0123456789abcdef"}
	return []api.Difference{none, row("shut", drift.Missing, drift.Closes), tier, mended, open}
}

func TestDriftText(t *testing.T) {
	d := orderly()
	d.drift = oddities()
	stdout, stderr, code := d.ask(t, "drift")
	require.Equal(t, exitFindings, code)
	require.Empty(t, stderr)
	since := d.drift[0].Since.Format(time.RFC3339)
	require.Equal(t, `opens: modified NetworkPolicy a/open
  since   3m (`+since+`), by rogue (Update)
  field   spec.ingress is [{"from":"\u001b[2J"}], Git says nothing
  opens   any pod of any namespace → a/db 5432/TCP
  Git     base/open.yaml:4 at 0123456789ab

unknown: extra Tier.projectcalico.org tier
  since   3m (`+since+`)
  may be  any pod of any namespace → a/db 5432/TCP
  held    report: it is only reported

closes: missing NetworkPolicy a/shut
  since   3m (`+since+`)
  closes  any pod of any namespace → a/db 5432/TCP

none: modified NetworkPolicy a/same
  since   3m (`+since+`)
  held    ignored: a rule of drift.ignore says so

corrected within the last 15 minutes:
  `+d.drift[3].Corrected.Format(time.RFC3339)+` opens: modified NetworkPolicy a/mended; opens any pod of any namespace → a/db 5432/TCP, corrected after 12ms
`, stdout)
}

func TestDriftCodes(t *testing.T) {
	d := orderly()
	d.drift = oddities()[:1]
	_, _, code := d.ask(t, "drift")
	assert.Equal(t, exitClean, code, "what is ignored does not count")
	d.drift = oddities()[3:4]
	stdout, _, code := d.ask(t, "drift")
	assert.Equal(t, exitClean, code, "nor does what was corrected")
	assert.Contains(t, stdout, "no difference stands\n")
	d.status.Blind = []string{"Tier.projectcalico.org: forbidden"}
	_, stderr, code := d.ask(t, "drift")
	assert.Equal(t, exitUnknown, code)
	assert.Equal(t, "not the whole picture: Tier.projectcalico.org cannot be seen\n", stderr)
	asJSON, _, code := d.ask(t, "drift", "-o", "json")
	assert.Equal(t, exitUnknown, code)
	var rows []api.Difference
	require.NoError(t, json.Unmarshal([]byte(asJSON), &rows))
	assert.Equal(t, d.drift[0].Name, rows[0].Name)
}

// changesOf says what a watch tells.
func changesOf(w *driftWatch, now time.Time, whole bool, rows ...api.Difference) []string {
	out := []string{}
	for _, c := range w.changes(now, rows, whole) {
		out = append(out, c.Change+" "+c.Difference.Name)
	}
	return out
}

func TestWatchTellsChangesAlone(t *testing.T) {
	rows := oddities()
	mended, open := rows[3], rows[4]
	now := time.Now().UTC()
	w := &driftWatch{}
	assert.Equal(t, []string{"appeared open"}, changesOf(w, now, true, mended, open), "what was corrected before is history")
	assert.Empty(t, changesOf(w, now, true, mended, open))
	held := open
	held.Held = hold(drift.Fight)
	assert.Equal(t, []string{"changed open"}, changesOf(w, now, true, mended, held))
	assert.Empty(t, changesOf(w, now, false, mended), "what cannot be seen is not gone")
	assert.Equal(t, []string{"gone open"}, changesOf(w, now, true, mended))
	assert.Empty(t, changesOf(w, now, true), "what was corrected goes without a word")
	again := mended
	again.Since = now
	at := now.Add(time.Millisecond)
	again.Corrected = &at
	assert.Equal(t, []string{"appeared mended", "corrected mended"}, changesOf(w, now, true, again), "between two looks")
	standing := open
	standing.Since = now
	assert.Equal(t, []string{"appeared open"}, changesOf(w, now, true, again, standing))
	standing.Corrected = &at
	assert.Equal(t, []string{"corrected open"}, changesOf(w, now, true, again, standing))
}

func TestAge(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": -time.Second, "119s": 119 * time.Second, "2m": 2 * time.Minute, "119m": 119 * time.Minute, "2h": 2 * time.Hour, "47h": 47 * time.Hour, "2d": 48 * time.Hour,
	} {
		assert.Equal(t, want, age(d))
	}
}
