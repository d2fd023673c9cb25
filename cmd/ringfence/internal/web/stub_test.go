package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/enforcer"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/web"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync"
)

// commit is the revision of everything here, older the one before.
const (
	commit = "0123456789abcdef0123456789abcdef01234567"
	older  = "89abcdef0123456789abcdef0123456789abcdef"
)

// engine and source say what a test has written into them.
type engine struct {
	status   sync.Status
	tenants  []sync.Tenant
	drift    []drift.Entry
	unfenced []string
	view     *sync.View
}

func (e *engine) Status() sync.Status    { return e.status }
func (e *engine) Tenants() []sync.Tenant { return e.tenants }
func (e *engine) Drift() []drift.Entry   { return e.drift }
func (e *engine) Unfenced() []string     { return e.unfenced }
func (e *engine) View() *sync.View       { return e.view }

type source struct{ status sources.Status }

func (s *source) URL() string            { return "https://git.example.com/policies.git" }
func (s *source) Status() sources.Status { return s.status }

// handler returns a Handler that shows e and s.
func handler(tb testing.TB, e *engine, s *source, change ...func(*web.Config)) *web.Handler {
	tb.Helper()
	registry := prometheus.NewRegistry()
	polls := prometheus.NewCounter(prometheus.CounterOpts{Name: "polls_total", Help: "Polls."})
	registry.MustRegister(polls)
	c := web.Config{
		Instance: "default", Build: web.Build{Version: "v1.2.3", Revision: commit},
		Engine: e, Source: s, Gatherer: registry, Metrics: true,
		Enforcer: func() enforcer.State {
			return enforcer.State{Engine: "calico", Version: "v3.31.0", Ready: 2, Missing: 1}
		},
	}
	for _, f := range change {
		f(&c)
	}
	return web.New(c)
}

// ask sends a request without a body and returns the answer.
func ask(t *testing.T, h http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
	return w
}

// get asks for a path, which must be answered with that code and type.
func get(t *testing.T, h http.Handler, path string, code int, contentType string) string {
	t.Helper()
	w := ask(t, h, http.MethodGet, path)
	require.Equal(t, code, w.Code, "%s: %s", path, w.Body)
	require.Equal(t, contentType, w.Header().Get("Content-Type"), path)
	return w.Body.String()
}

func at(clock string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, "2026-03-01T"+clock)
	if err != nil {
		panic(err)
	}
	return t
}

// busy is an engine with one of everything.
func busy() *engine {
	policy := drift.ID{Kind: kinds.NetworkPolicy, Namespace: "caas-acme", Name: "deny-all"}
	tier := drift.ID{Kind: kinds.Tier, Name: "shadow"}
	object := kustomize.Object{
		Unstructured: &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "deny-all", "namespace": "caas-acme"}}},
		Kind:         kinds.NetworkPolicy,
		Origin:       kustomize.Origin{File: "base/guard/deny-all.yaml", Line: 4},
	}
	return &engine{
		status: sync.Status{
			Ready: true, Leader: true, Revision: commit, PruneHeld: "21 objects would go, and sync.maxPrune.objects is 20",
			Held: []sync.Held{
				{Reason: sync.HeldByFreeze, Revision: commit, Until: at("10:00:00+02:00"), Tenants: []string{"", "caas-acme"}, Message: "it waits"},
				{Reason: sync.HeldByPrune, Revision: commit, Objects: []string{"Tier.projectcalico.org shadow"}, Message: "21 objects would go"},
			},
			Tenants: map[sync.State]int{sync.Synced: 1, sync.Failed: 1, sync.Unknown: 0},
			Refused: []kustomize.Problem{{Overlay: "overlays/x", File: "overlays/x/kustomization.yaml", Line: 1, Column: 2, Message: "no namespace", Hint: "set one"}},
			Blind:   []string{"tiers.projectcalico.org: forbidden"},
		},
		tenants: []sync.Tenant{
			{Overlay: "overlays/cluster", State: sync.Synced, Applied: commit, Wanted: commit, Objects: 3, Drift: 1},
			{Name: "caas-acme", Overlay: "overlays/acme", State: sync.Synced, Applied: commit, Wanted: commit, Objects: 7, Reason: "because", Rounds: []sync.Round{{
				Time: at("10:00:00+02:00"), Took: 250 * time.Millisecond, Revision: commit, Why: sync.ForDrift, Updated: 1, Failed: 1,
				Objects: []string{"updated NetworkPolicy.networking.k8s.io caas-acme/deny-all"}, Error: "forbidden", Tries: 2,
			}}},
			{Name: "caas-broken", Overlay: "overlays/broken", State: sync.Failed, Applied: older, Wanted: commit, Objects: 7, Drift: 2, Problems: []kustomize.Problem{
				{File: "overlays/broken/kustomization.yaml", Line: 3, Column: 5, Message: "unknown field", Hint: "did you mean resources?"},
				{Message: "and another"},
			}},
		},
		drift: []drift.Entry{
			{
				Difference: drift.Difference{ID: tier, Type: drift.Extra, Effect: drift.EffectUnknown},
				Since:      at("10:00:00+02:00"), Held: drift.Report,
			},
			{
				Difference: drift.Difference{
					ID: policy, Type: drift.Modified, Effect: drift.Opens, Want: drift.NewWanted(object),
					Fields: []drift.Field{{Path: "spec.ingress", Want: nil, Got: []any{map[string]any{}}}},
					Exposure: drift.Exposure{Opens: []reach.Connection{{
						From: reach.Place{Any: "pod"}, To: reach.Place{Namespace: "caas-acme", Workload: "postgres"}, Ports: []reach.PortRow{{Protocol: "*"}},
					}}},
					Writers: []drift.Writer{{Name: "rogue", Operation: "Update", Time: at("08:59:59Z")}},
				},
				Tenant: "caas-acme", Since: at("09:00:00.5Z"), Corrected: at("09:00:01Z"),
			},
		},
		unfenced: []string{"caas-nobody"},
	}
}

// polled is a source that has been polled, and has refused something.
func polled() *source {
	return &source{sources.Status{
		Checked:  at("09:30:00Z"),
		Revision: sources.Revision{Commit: commit, Ref: "refs/heads/main"},
		Refused:  &sources.Refusal{Revision: sources.Revision{Commit: older}, Reason: sources.ReasonRewind},
		Err:      sources.ErrRewind,
	}}
}
