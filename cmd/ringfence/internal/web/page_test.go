package web_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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

const htmlType = "text/html; charset=utf-8"

// drifted is the busy engine with a difference that stands and opens.
func drifted() *engine {
	e := busy()
	e.drift[1].Corrected = time.Time{}
	d := sync.Desired{Name: "caas-acme", Revision: commit, Objects: []*drift.Wanted{e.drift[1].Want}}
	e.view = viewOf([]sync.Desired{d}, nil, nil)
	return e
}

func TestOverviewShowsWhatIsKnown(t *testing.T) {
	page := get(t, handler(t, drifted(), polled()), "/", http.StatusOK, htmlType)
	for _, want := range []string{
		"1 fence is open", "1 of 2 tenants is as Git says.", "v1.2.3", "https://git.example.com/policies.git", commit[:12], "history was rewound",
		"21 objects would go", "tiers.projectcalico.org: forbidden", "overlays/x/kustomization.yaml:1", "no namespace",
		"spec.ingress", "rogue", "base/guard/deny-all.yaml:4", "2026-03-01 09:00:00Z", ">held: report<", "It is told and not corrected",
		"<b>opens</b> any pod of any namespace <span class=\"arrow\">→</span> caas-acme/postgres <span class=\"ports\">everything</span>",
		"overlays/broken/kustomization.yaml:3", "unknown field", "did you mean resources?", "and another", "caas-nobody",
	} {
		assert.Contains(t, page, want)
	}
	assert.NotContains(t, page, "the cluster is what Git says.")
}

// What is not known is told as such, and never looks well.
func TestNothingIsGreenWhenBlind(t *testing.T) {
	synced := map[sync.State]int{sync.Synced: 1}
	tenants := []sync.Tenant{{Name: "a", State: sync.Synced}}
	for name, tt := range map[string]struct {
		status sync.Status
		want   string
	}{
		"all is well":   {sync.Status{Ready: true, Leader: true, Tenants: synced}, "headline good"},
		"blind":         {sync.Status{Ready: true, Leader: true, Tenants: synced, Blind: []string{"tiers: forbidden"}}, "headline unknown"},
		"not ready":     {sync.Status{Leader: true, Tenants: synced, Waiting: "waiting for the API server"}, "headline unknown"},
		"nobody there":  {sync.Status{Ready: true, Leader: true}, "headline info"},
		"cannot see it": {sync.Status{Ready: true, Leader: true, Tenants: map[sync.State]int{sync.Unknown: 1}}, "headline unknown"},
		"failed":        {sync.Status{Ready: true, Leader: true, Tenants: map[sync.State]int{sync.Failed: 1}}, "headline warn"},
	} {
		e := &engine{status: tt.status, tenants: tenants}
		if len(tt.status.Tenants) == 0 {
			e.tenants = nil
		}
		page := get(t, handler(t, e, &source{}, enforced("calico", 0)), "/", http.StatusOK, htmlType)
		assert.Contains(t, page, tt.want, name)
		assert.Equal(t, tt.want == "headline good", strings.Contains(page, "All fences stand"), name)
		assert.Equal(t, len(tt.status.Blind) == 0 && tt.status.Ready, strings.Contains(page, "the cluster is what Git says."), name)
		assert.Contains(t, page, tt.status.Waiting)
	}
	well := &engine{status: sync.Status{Ready: true, Leader: true, Tenants: synced}, tenants: tenants}
	for tone, change := range map[string]func(*web.Config){"warn": enforced("none", 0), "unknown": enforced("unknown", 0)} {
		says(t, get(t, handler(t, well, &source{}, change), "/", http.StatusOK, htmlType), "headline "+tone, true, "/")
	}
	says(t, get(t, handler(t, well, &source{}, enforced("calico", 2)), "/", http.StatusOK, htmlType), "does not enforce policies on 2 of its nodes", true, "/")
	standby := get(t, handler(t, &engine{status: sync.Status{Ready: true}}, &source{}), "/", http.StatusOK, htmlType)
	assert.Contains(t, standby, "This replica stands by.")
}

// says checks that a long page says something, or does not, and leaves the page out of the message.
func says(t *testing.T, page, what string, want bool, path string) {
	t.Helper()
	assert.Equal(t, want, strings.Contains(page, what), "%s: %q", path, what)
}

// enforced has an engine enforce policies, but on so many nodes.
func enforced(engine string, missing int) func(*web.Config) {
	return func(c *web.Config) {
		c.Enforcer = func() enforcer.State { return enforcer.State{Engine: engine, Ready: 3, Missing: missing} }
	}
}

func TestSearch(t *testing.T) {
	e := &engine{status: sync.Status{Ready: true, Leader: true, Tenants: map[sync.State]int{sync.Synced: 250, sync.Failed: 1}}}
	for i := range 250 {
		e.tenants = append(e.tenants, sync.Tenant{Name: fmt.Sprintf("t-%03d", i), Overlay: fmt.Sprintf("overlays/%03d", i), State: sync.Synced})
	}
	e.tenants = append(e.tenants, sync.Tenant{Name: "zebra", State: sync.Failed})
	h := handler(t, e, polled())
	for path, want := range map[string]struct {
		found string
		names []string
		not   []string
	}{
		"/":                        {"251 tenants", []string{">zebra<", ">t-000<", ">t-098<", "1 to 100 of 251", `href="/?page=2"`}, []string{">t-099<", "Previous"}},
		"/?page=3":                 {"251 tenants", []string{">t-249<", "201 to 251 of 251", `href="/?page=2"`}, []string{">zebra<", "Next"}},
		"/?page=99":                {"251 tenants", []string{">t-249<"}, []string{">zebra<"}},
		"/?page=nonsense":          {"251 tenants", []string{">zebra<"}, nil},
		"/?state=failed":           {"1 tenant matches", []string{">zebra<"}, []string{">t-000<"}},
		"/?q=T-01+OVERLAYS":        {"10 tenants match", []string{">t-010<", ">t-019<"}, []string{">t-020<"}},
		"/?q=t-1&page=2":           {"100 tenants match", []string{">t-100<"}, []string{"Next", "Previous"}},
		"/?q=%3Cscript%3E":         {"0 tenants match", []string{`value="&lt;script&gt;"`}, []string{"<script>"}},
		"/?q=nobody&state=pending": {"0 tenants match", nil, nil},
	} {
		page := get(t, h, path, http.StatusOK, htmlType)
		says(t, page, want.found, true, path)
		for _, name := range want.names {
			says(t, page, name, true, path)
		}
		for _, name := range want.not {
			says(t, page, name, false, path)
		}
	}
}

func TestTenantShowsWhatIsKnown(t *testing.T) {
	h := handler(t, drifted(), polled())
	page := get(t, h, "/tenants/caas-acme", http.StatusOK, htmlType)
	for _, want := range []string{
		"overlays/acme", "because", "deny-all", "base/guard/deny-all.yaml:4", "name: deny-all", "rogue", "spec.ingress",
		"updated NetworkPolicy.networking.k8s.io caas-acme/deny-all", "forbidden", "2 tries", "250ms", `<span class="pill bad">modified</span>`,
	} {
		assert.Contains(t, page, want)
	}
	assert.NotContains(t, page, "shadow", "what is another's is not told")
	overlay := get(t, h, "/tenants/_cluster", http.StatusOK, htmlType)
	assert.Contains(t, overlay, "overlays/cluster")
	assert.Equal(t, "/tenants/_cluster", ask(t, h, http.MethodGet, "/tenants/").Header().Get("Location"), "as metrics call it")
	assert.Contains(t, overlay, "shadow")
	assert.Contains(t, get(t, h, "/tenants/caas-broken", http.StatusOK, htmlType), "did you mean resources?")
	assert.Contains(t, get(t, h, "/tenants/%3Cb%3E", http.StatusNotFound, htmlType), "There is no tenant &lt;b&gt;.")
}

func TestDriftPage(t *testing.T) {
	h := handler(t, drifted(), polled())
	assert.Contains(t, get(t, h, "/drift", http.StatusOK, htmlType), "2 differences, of which 2 stand")
	page := get(t, h, "/drift?q=ROGUE", http.StatusOK, htmlType)
	assert.Contains(t, page, "1 difference, of which 1 stands")
	assert.NotContains(t, page, "shadow")
	page = get(t, h, "/drift?effect=unknown", http.StatusOK, htmlType)
	assert.Contains(t, page, "shadow")
	assert.NotContains(t, page, "rogue")
}

// hostile is what an intruder would write wherever he can.
const hostile = `</title></style></code></pre></svg><script>window.intruded = alert(1)</script><img src=x onerror='window.intruded = alert(2)'>` +
	`<svg onload='window.intruded = 1'>" onload="alert(3)" onfocus="window.intruded = 1" autofocus=" javascript:window.intruded=1 {{.}}`

// hostileHandler shows what somebody has written who has all of Git and the cluster: what the API server would refuse too.
func hostileHandler(t *testing.T) (h *web.Handler, name string) {
	t.Helper()
	e := busy()
	e.status.Revision, e.status.Waiting, e.status.PruneHeld = hostile, hostile, hostile
	e.status.Held = []sync.Held{{Reason: hostile, Revision: hostile, Message: hostile, Tenants: []string{hostile}, Objects: []string{hostile}}}
	e.status.Blind = []string{hostile}
	e.status.Tenants = map[sync.State]int{hostile: 1}
	e.status.Refused = []kustomize.Problem{{File: hostile, Message: hostile, Hint: hostile}}
	e.tenants = []sync.Tenant{{Overlay: hostile, State: sync.Drifted, Applied: hostile, Wanted: commit, Reason: hostile}, {
		Name: hostile, Overlay: hostile, State: hostile, Applied: hostile,
		Problems: []kustomize.Problem{{File: hostile, Line: 1, Message: hostile, Hint: hostile}},
	}, {Name: "waits", Reason: hostile}}
	entry := &e.drift[1]
	entry.Corrected = time.Time{}
	entry.Tenant, entry.ID.Name, entry.ID.Namespace, entry.ID.Kind.Kind, entry.ID.Kind.Group = hostile, hostile, hostile, hostile, hostile
	entry.Type, entry.Effect, entry.Held, entry.Reason = hostile, hostile, hostile, hostile
	entry.Want.Origin.File = hostile
	entry.Fields = []drift.Field{{Path: hostile, Want: map[string]any{hostile: hostile}, Got: hostile}}
	entry.Writers = []drift.Writer{{Name: hostile, Operation: hostile}}
	there := reach.Place{Namespace: hostile, Workload: hostile}
	entry.Exposure = drift.Exposure{
		Opens:  []reach.Connection{{From: there, To: reach.Place{CIDR: hostile}, Ports: []reach.PortRow{{Protocol: hostile}}}},
		Closes: []reach.Connection{{From: reach.Place{Any: hostile}, To: there}}, Unsure: []reach.Connection{{From: there, To: there, Reason: hostile}},
	}
	extra := drift.Entry{Difference: drift.Difference{ID: drift.ID{Kind: kinds.NetworkPolicy, Namespace: hostile, Name: "extra"}, Type: drift.Extra, Effect: drift.Opens}, Tenant: hostile}
	extra.Got = hostilePolicy(hostile)
	e.drift = append(e.drift, extra)
	e.unfenced = []string{hostile}
	s := polled()
	s.status.Err = errors.New(hostile)
	s.status.Refused = &sources.Refusal{Revision: sources.Revision{Commit: hostile}, Reason: hostile}
	s.status.Revision.Ref, s.status.Revision.Commit = hostile, hostile

	wanted := drift.NewWanted(kustomize.Object{Unstructured: hostilePolicy(hostile), Kind: kinds.NetworkPolicy, Origin: kustomize.Origin{File: hostile, Line: 1}})
	e.view = viewOf([]sync.Desired{{Name: hostile, Revision: hostile, Objects: []*drift.Wanted{wanted, entry.Want}}}, nil, nil)
	e.tenants[1].Rounds = []sync.Round{{Revision: hostile, Why: hostile, Objects: []string{hostile}, Error: hostile}}
	return handler(t, e, s, func(c *web.Config) {
		c.Instance, c.Build.Version = hostile, hostile
		c.Enforcer = func() enforcer.State { return enforcer.State{Engine: hostile, Version: hostile, Missing: 1} }
	}), hostile
}

// hostilePolicy selects by labels that are markup, so that the picture has workloads of such names.
func hostilePolicy(text string) *unstructured.Unstructured {
	selector := func() map[string]any { return map[string]any{"matchLabels": map[string]any{"app": text}} }
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"metadata": map[string]any{"name": text, "namespace": text, "annotations": map[string]any{text: text}, "labels": map[string]any{text: text}},
		"spec": map[string]any{
			"podSelector": selector(),
			"ingress":     []any{map[string]any{"from": []any{map[string]any{"podSelector": map[string]any{"matchLabels": map[string]any{"role": text}}}}, "ports": []any{map[string]any{"port": int64(5432)}}}},
		},
	}}
}

// Names and messages come from whoever can write to Git or to the cluster.
func TestPageEscapes(t *testing.T) {
	h, _ := hostileHandler(t)
	for _, path := range []string{
		"/", "/drift", "/tenants/" + url.PathEscape(hostile), "/?q=" + url.QueryEscape(hostile), "/tenants/_cluster", "/tenants/" + url.PathEscape(hostile+"x"),
		"/cluster?q=" + url.QueryEscape(hostile), "/reach?to=internet&port=80&from=" + url.QueryEscape(hostile),
	} {
		page := ask(t, h, http.MethodGet, path).Body.String()
		require.Contains(t, page, "&lt;script&gt;window.intruded", "%s: it is there, as text", path)
		for _, tag := range []string{"<script>", "<img", "</style>", "</title></", "<svg onload"} {
			assert.NotContains(t, page, tag, path)
		}
		assert.NotContains(t, page, `"alert(3)`, path)
		assert.Equal(t, 1, strings.Count(page, "<script"), path)
		assert.Contains(t, page, "</title>\n<link rel=\"icon\"", path)
		assert.True(t, strings.HasSuffix(strings.TrimSpace(page), "</html>"), "%s: nothing cuts the page off", path)
	}
}

// Even what got past the escaping could load and run nothing; what a page loads is there, and of the program.
func TestPagePolicy(t *testing.T) {
	h := handler(t, drifted(), polled())
	loads := regexp.MustCompile(`(?:<link[^>]* href|<script[^>]* src)="([^"]*)"`)
	for _, path := range []string{"/", "/drift", "/tenants/caas-acme", "/tenants/nobody", "/cluster", "/reach"} {
		w := ask(t, h, http.MethodGet, path)
		directives := map[string]string{}
		for directive := range strings.SplitSeq(w.Header().Get("Content-Security-Policy"), ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
			directives[name] = value
		}
		assert.Equal(t, map[string]string{
			"default-src": "'none'", "style-src": "'self'", "script-src": "'self'", "img-src": "'self'", "connect-src": "'self'",
			"base-uri": "'none'", "form-action": "'self'", "frame-ancestors": "'none'",
		}, directives)
		for _, inline := range []string{"<style", " style=", "<img", "<iframe", "url(", " onload=", " onclick=", "javascript:"} {
			assert.NotContains(t, w.Body.String(), inline, path)
		}
		found := loads.FindAllStringSubmatch(w.Body.String(), -1)
		require.Len(t, found, 3, path)
		for _, m := range found {
			file := ask(t, h, http.MethodGet, m[1])
			assert.Equal(t, http.StatusOK, file.Code, m[1])
			assert.Contains(t, file.Header().Get("Cache-Control"), "immutable", m[1])
			assert.NotContains(t, file.Body.String(), "//cdn", m[1])
		}
	}
	assert.Equal(t, http.StatusNotFound, ask(t, h, http.MethodGet, "/assets/page.css").Code)
}
