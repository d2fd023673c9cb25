package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
)

// A daemon behind something that gives it a path, and asks who is there.
func TestPathAndPassword(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != "me" || password != "s3cret" || r.URL.Path != "/at/ringfence/api/v1/status" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(ready))
	}))
	defer server.Close()
	c, err := api.NewClient("http://me:s3cret@" + server.Listener.Addr().String() + "/at/ringfence/")
	require.NoError(t, err)
	status, err := c.Status(t.Context())
	require.NoError(t, err)
	assert.Empty(t, status.Unsure())
	_, err = c.Unfenced(t.Context())
	require.ErrorContains(t, err, "/at/ringfence/api/v1/unfenced: the answer is 401 Unauthorized")
	assert.NotContains(t, err.Error(), "s3cret")
	assert.NotContains(t, c.String(), "s3cret")
	_, err = api.NewClient("ftp://me:s3cret@example.com")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "s3cret")
}

func TestSlowDaemon(t *testing.T) {
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	c, err := api.NewClient(slow.URL)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = c.Overview(ctx)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

// What an answer lacks is never taken for "nothing is wrong".
func TestAnswersThatCannotBeRead(t *testing.T) {
	for name, test := range map[string]struct{ path, answer, message string }{
		"not JSON":            {"status", "<html>", "invalid character"},
		"cut short":           {"drift", "[", "unexpected end"},
		"another type":        {"status", "[]", "cannot unmarshal"},
		"not ready nor not":   {"status", `{"instance": "default", "leader": true, "revision": "", "source": {}, "tenants": {}, "blind": []}`, `it has no "ready"`},
		"another case":        {"status", `{"instance": "default", "leader": true, "Ready": true, "revision": "", "source": {}, "tenants": {}, "blind": []}`, `it has no "ready"`},
		"no tenants":          {"status", `{"instance": "default", "leader": true, "ready": true, "revision": "", "source": {}, "tenants": null, "blind": []}`, `its "tenants" is null`},
		"blind of nothing":    {"status", `{"instance": "default", "leader": true, "ready": true, "revision": "", "source": {}, "tenants": {}, "blind": null}`, `its "blind" is null`},
		"drift that is null":  {"drift", `null`, "it is null, not a list"},
		"tenants null":        {"tenants", `null`, "it is null, not a list"},
		"unfenced null":       {"unfenced", `null`, "it is null, not a list"},
		"no state":            {"tenants", `[{"name": "x", "revision": {}}]`, `it has no "state"`},
		"neither corrected":   {"drift", rows(difference("x", "09:00:00", map[string]any{"corrected": "-"})), `it has no "corrected"`},
		"since not said":      {"drift", rows(difference("x", "09:00:00", map[string]any{"since": nil})), `its "since" is null`},
		"since another thing": {"drift", rows(difference("x", "yesterday", nil)), "parsing time"},
		"a row that is null":  {"drift", `[null]`, `it has no "tenant"`},
	} {
		t.Run(name, func(t *testing.T) {
			d, c := serve(t)
			d.say(test.path, test.answer)
			ask := map[string]func() error{
				"status":   func() error { _, err := c.Status(t.Context()); return err },
				"tenants":  func() error { _, err := c.Tenants(t.Context()); return err },
				"drift":    func() error { _, err := c.Drift(t.Context(), ""); return err },
				"unfenced": func() error { _, err := c.Unfenced(t.Context()); return err },
			}
			err := ask[test.path]()
			require.ErrorContains(t, err, test.message)
			assert.ErrorContains(t, err, "asking http://127.0.0.1:")
			assert.ErrorContains(t, err, "/api/v1/"+test.path+": this is no answer of a Ringfence daemon: ")
		})
	}
}

// What a newer daemon says beside what is needed is let through; numbers stay what they are.
func TestAdditions(t *testing.T) {
	d, c := serve(t)
	d.say("drift", rows(difference("deny-all", "09:00:00", map[string]any{
		"severity": "high", "effect": "redirects", "held": "mercy", "fields": []any{map[string]any{"path": "x", "want": 9007199254740993, "got": nil}},
	})))
	got, err := c.Drift(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, drift.Effect("redirects"), got[0].Effect)
	assert.Equal(t, drift.Field{Path: "x", Want: int64(9007199254740993)}, got[0].Fields[0])
	assert.True(t, got[0].Stands())
	assert.Equal(t, "NetworkPolicy.networking.k8s.io caas-acme/deny-all", got[0].Object())
}

func TestDriftOfOneTenant(t *testing.T) {
	d, c := serve(t)
	d.say("drift", rows(
		difference("a", "09:00:00", nil),
		difference("b", "09:00:00", map[string]any{"tenant": "caas-globex", "namespace": "caas-globex"}),
		difference("c", "09:00:00", map[string]any{"tenant": "", "namespace": "", "kind": "Tier", "apiVersion": "projectcalico.org/v3"}),
		difference("d", "09:00:00", map[string]any{"tenant": "", "namespace": "", "kind": "Namespace", "apiVersion": "v1"}),
	))
	for tenant, want := range map[string][]string{
		"":                 {"a", "b", "c", "d"},
		"caas-acme":        {"a"},
		"caas-globex":      {"b"},
		api.ClusterOverlay: {"c", "d"},
		"caas-nobody":      {},
	} {
		got, err := c.Drift(t.Context(), tenant)
		require.NoError(t, err)
		names := []string{}
		for _, d := range got {
			names = append(names, d.Name)
		}
		assert.Equal(t, want, names, tenant)
	}
	all, err := c.Drift(t.Context(), api.ClusterOverlay)
	require.NoError(t, err)
	assert.Equal(t, "Tier.projectcalico.org c", all[0].Object())
	assert.Equal(t, "Namespace d", all[1].Object())
}

func TestUrgent(t *testing.T) {
	d, c := serve(t)
	d.say("drift", rows(
		difference("corrected", "09:00:00", corrected("09:00:01")),
		difference("ignored", "09:00:00", map[string]any{"held": "ignored"}),
		difference("nothing", "09:00:00", map[string]any{"effect": "none"}),
		difference("closes", "09:00:00", map[string]any{"effect": "closes"}),
		difference("unknown", "09:00:00", map[string]any{"effect": "unknown"}),
		difference("new word", "09:00:00", map[string]any{"effect": "redirects"}),
		difference("both", "09:00:00", map[string]any{"effect": "both"}),
		difference("opens", "09:00:00", map[string]any{"effect": "opens", "held": "report"}),
	))
	all, err := c.Drift(t.Context(), "")
	require.NoError(t, err)
	var names []string
	for _, d := range api.Urgent(all) {
		names = append(names, d.Name)
	}
	assert.Equal(t, []string{"both", "opens", "unknown", "new word", "closes", "nothing", "ignored", "corrected"}, names)
	assert.Equal(t, "corrected", all[0].Name, "the list that was given is left alone")
}

func TestOverview(t *testing.T) {
	d, c := serve(t)
	overview, err := c.Overview(t.Context())
	require.NoError(t, err)
	assert.True(t, overview.InOrder())
	assert.Nil(t, overview.Cluster)

	d.say("tenants/_cluster", tenant("", "failed"))
	overview, err = c.Overview(t.Context())
	require.NoError(t, err)
	assert.False(t, overview.InOrder(), "the cluster overlay counts")
	assert.Len(t, overview.All(), 2)
	require.Len(t, overview.NotSynced(), 1)
	assert.Empty(t, overview.NotSynced()[0].Name)

	d.say("tenants/_cluster", tenant("", "synced"))
	d.say("status", `{"instance": "default", "leader": true, "ready": true, "revision": "", "source": {}, "tenants": {}, "blind": [], "refused": [{"message": "no namespace"}]}`)
	overview, err = c.Overview(t.Context())
	require.NoError(t, err)
	assert.False(t, overview.InOrder(), "an overlay that is refused is a tenant that is not fenced")
}

func TestUnsure(t *testing.T) {
	for _, test := range []struct {
		ready   bool
		waiting string
		blind   []string
		want    string
	}{
		{true, "", nil, ""},
		{true, "a revision that is not refused", nil, ""},
		{false, "", nil, "the daemon is not ready"},
		{false, "Git", []string{"Tier: forbidden"}, "the daemon is not ready: Git"},
		{true, "", []string{"Tier: forbidden"}, "the daemon is blind: Tier: forbidden"},
		{false, "", []string{"A: cut", "B: cut", "C: no", "D: cut", "E: cut", "F: cut"}, "the daemon is blind: A, B, D and 2 more: cut; C: no"},
	} {
		status := api.Status{Ready: test.ready, Waiting: test.waiting, Blind: test.blind}
		assert.Equal(t, test.want, status.Unsure())
	}
}
