package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/web"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sync"
)

const htmlType = "text/html; charset=utf-8"

func TestPageShowsWhatIsKnown(t *testing.T) {
	page := get(t, handler(t, busy(), polled()), "/", http.StatusOK, htmlType)
	for _, want := range []string{
		"Ready", "v1.2.3", "https://git.example.com/policies.git", commit[:12], "history was rewound",
		"21 objects would go", "blind: tiers.projectcalico.org: forbidden", "overlays/x/kustomization.yaml:1: no namespace",
		"<strong>1</strong> failed", "spec.ingress", "rogue", "base/guard/deny-all.yaml:4", "2026-03-01 09:00:00Z", "held: report", "Who can now reach whom", "opens any pod of any namespace → caas-acme/postgres everything",
		"overlays/broken/kustomization.yaml:3: unknown field", "did you mean resources?", "and another", "caas-nobody",
	} {
		assert.Contains(t, page, want)
	}
	assert.NotContains(t, page, "None: the cluster is what Git says.")

	empty := get(t, handler(t, &engine{status: sync.Status{Waiting: "waiting for the API server"}}, &source{}), "/", http.StatusOK, htmlType)
	assert.Contains(t, empty, "Not ready")
	assert.Contains(t, empty, "waiting for the API server")
	assert.NotContains(t, empty, "Unfenced")
}

// Names and messages come from whoever can write to Git or to the cluster.
func TestPageEscapes(t *testing.T) {
	const hostile = `</title></style></code><script>alert(1)</script><img src=x onerror='alert(2)'>" onload="alert(3)`
	e := busy()
	e.status.Revision, e.status.Waiting, e.status.PruneHeld = hostile, hostile, hostile
	e.status.Held = []sync.Held{{Message: hostile}}
	e.status.Blind = []string{hostile}
	e.status.Tenants = map[sync.State]int{hostile: 1}
	e.status.Refused = []kustomize.Problem{{File: hostile, Message: hostile, Hint: hostile}}
	e.tenants = []sync.Tenant{{
		Name: hostile, Overlay: hostile, State: hostile, Applied: hostile,
		Problems: []kustomize.Problem{{File: hostile, Line: 1, Message: hostile, Hint: hostile}},
	}, {Name: "waits", Reason: hostile}}
	entry := &e.drift[1]
	entry.Tenant, entry.ID.Name, entry.ID.Namespace, entry.ID.Kind.Kind, entry.ID.Kind.Group = hostile, hostile, hostile, hostile, hostile
	entry.Type, entry.Effect, entry.Held = hostile, hostile, hostile
	entry.Want.Origin.File = hostile
	entry.Fields = []drift.Field{{Path: hostile, Got: hostile}}
	entry.Writers = []drift.Writer{{Name: hostile, Operation: hostile}}
	e.unfenced = []string{hostile}
	s := polled()
	s.status.Err = assert.AnError
	s.status.Revision.Ref = hostile

	page := get(t, handler(t, e, s, func(c *web.Config) { c.Instance, c.Build.Version = hostile, hostile }), "/", http.StatusOK, htmlType)
	require.Contains(t, page, "&lt;script&gt;alert(1)", "it is there, as text")
	for _, tag := range []string{"<script", "<img", "</style></", "</title></"} {
		assert.NotContains(t, page, tag)
	}
	assert.NotContains(t, page, `"alert(3)`)
	assert.Equal(t, 1, strings.Count(page, "</style>"))
	assert.Equal(t, 1, strings.Count(page, "</title>"))
	assert.True(t, strings.HasSuffix(strings.TrimSpace(page), "</html>"), "nothing cuts the page off")
}

// Even what got past the escaping could load and run nothing.
func TestPagePolicy(t *testing.T) {
	w := ask(t, handler(t, busy(), polled()), http.MethodGet, "/")
	directives := map[string]string{}
	for directive := range strings.SplitSeq(w.Header().Get("Content-Security-Policy"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
		directives[name] = value
	}
	assert.Equal(t, map[string]string{
		"default-src": "'none'", "style-src": "'unsafe-inline'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
	}, directives)
	for _, loads := range []string{"<script", "<link", "<img", "<iframe", "src=", "url("} {
		assert.NotContains(t, w.Body.String(), loads)
	}
}
