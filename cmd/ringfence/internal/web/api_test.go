package web_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ringfence/ringfence/sync"
)

const jsonType = "application/json"

// The whole answers, written down as the contract has them (SPEC §5): a key that comes, goes or
// is spelled another way breaks whoever reads them.
func TestAnswers(t *testing.T) {
	h := handler(t, busy(), polled())
	for path, want := range map[string]string{
		"/api/v1/status": `{
			"instance": "default", "leader": true, "ready": true, "revision": "` + commit + `",
			"waiting": "", "pruneHeld": "21 objects would go, and sync.maxPrune.objects is 20",
			"held": [
				{"reason": "freeze", "revision": "` + commit + `", "until": "2026-03-01T08:00:00Z", "tenants": ["_cluster", "caas-acme"], "objects": [], "message": "it waits"},
				{"reason": "prune", "revision": "` + commit + `", "until": null, "tenants": [], "objects": ["Tier.projectcalico.org shadow"], "message": "21 objects would go"}
			],
			"source": {
				"url": "https://git.example.com/policies.git", "ref": "refs/heads/main", "revision": "` + commit + `",
				"checked": "2026-03-01T09:30:00Z", "refused": {"revision": "` + older + `", "reason": "rewind"}, "error": "history was rewound"
			},
			"tenants": {"synced": 1, "failed": 1, "unknown": 0},
			"refused": [{"file": "overlays/x/kustomization.yaml", "line": 1, "column": 2, "message": "no namespace", "hint": "set one"}],
			"blind": ["tiers.projectcalico.org: forbidden"],
			"enforcer": {"engine": "calico", "version": "v3.31.0", "ready": 2, "missing": 1}
		}`,
		"/api/v1/tenants": `[` + acmeJSON + `, ` + brokenJSON + `]`,
		"/api/v1/drift": `[{
			"tenant": "", "apiVersion": "projectcalico.org/v3", "kind": "Tier", "namespace": "", "name": "shadow",
			"type": "extra", "effect": "unknown", "since": "2026-03-01T08:00:00Z",
			"fields": [], "managers": [], "exposure": [], "origin": null, "corrected": null, "held": "report", "reason": "", "specHash": ""
		}, {
			"tenant": "caas-acme", "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "namespace": "caas-acme", "name": "deny-all",
			"type": "modified", "effect": "opens", "since": "2026-03-01T09:00:00.5Z",
			"fields": [{"path": "spec.ingress", "want": null, "got": [{}]}],
			"managers": [{"name": "rogue", "operation": "Update", "time": "2026-03-01T08:59:59Z"}],
			"exposure": [{"effect": "opens", "from": {"any": "pod"}, "to": {"namespace": "caas-acme", "workload": "postgres"}, "ports": [{"protocol": "*"}]}],
			"origin": {"file": "base/guard/deny-all.yaml", "line": 4, "revision": "` + commit + `"},
			"corrected": "2026-03-01T09:00:01Z", "held": null, "reason": "", "specHash": ""
		}]`,
		"/api/v1/unfenced":            `["caas-nobody"]`,
		"/api/v1/tenants/caas-acme":   acmeJSON,
		"/api/v1/tenants/caas-broken": brokenJSON,
		"/api/v1/tenants/_cluster": `{
			"name": "", "namespace": "", "overlay": "overlays/cluster", "state": "synced",
			"revision": {"applied": "` + commit + `", "wanted": "` + commit + `"},
			"objects": 3, "drift": 1, "error": null, "errors": [], "until": null, "reason": "", "rounds": []
		}`,
	} {
		assert.JSONEq(t, want, get(t, h, path, http.StatusOK, jsonType), path)
	}
}

const acmeJSON = `{
	"name": "caas-acme", "namespace": "caas-acme", "overlay": "overlays/acme", "state": "synced",
	"revision": {"applied": "` + commit + `", "wanted": "` + commit + `"},
	"objects": 7, "drift": 0, "error": null, "errors": [], "until": null, "reason": "because",
	"rounds": [{
		"time": "2026-03-01T08:00:00Z", "seconds": 0.25, "revision": "` + commit + `", "why": "drift", "created": 0, "updated": 1, "removed": 0, "failed": 1,
		"objects": ["updated NetworkPolicy.networking.k8s.io caas-acme/deny-all"], "error": "forbidden", "tries": 2
	}]
}`

const brokenJSON = `{
	"name": "caas-broken", "namespace": "caas-broken", "overlay": "overlays/broken", "state": "failed",
	"revision": {"applied": "` + older + `", "wanted": "` + commit + `"},
	"objects": 7, "drift": 2,
	"error": {"file": "overlays/broken/kustomization.yaml", "line": 3, "column": 5, "message": "unknown field", "hint": "did you mean resources?"},
	"errors": [
		{"file": "overlays/broken/kustomization.yaml", "line": 3, "column": 5, "message": "unknown field", "hint": "did you mean resources?"},
		{"file": "", "line": 0, "column": 0, "message": "and another", "hint": ""}
	],
	"until": null, "reason": "", "rounds": []
}`

// Before anything is known every list is a list, so that clients need not tell null from empty.
func TestAnswersAtTheStart(t *testing.T) {
	h := handler(t, &engine{status: sync.Status{Tenants: map[sync.State]int{}}}, &source{})
	for path, want := range map[string]string{
		"/api/v1/status": `{
			"instance": "default", "leader": false, "ready": false, "revision": "", "waiting": "", "pruneHeld": "", "held": [],
			"source": {"url": "https://git.example.com/policies.git", "ref": "", "revision": "", "checked": null, "refused": null, "error": ""},
			"tenants": {}, "refused": [], "blind": [], "enforcer": {"engine": "calico", "version": "v3.31.0", "ready": 2, "missing": 1}
		}`,
		"/api/v1/tenants":  `[]`,
		"/api/v1/drift":    `[]`,
		"/api/v1/unfenced": `[]`,
	} {
		assert.JSONEq(t, want, get(t, h, path, http.StatusOK, jsonType), path)
	}
}

func TestNoSuchTenant(t *testing.T) {
	h := handler(t, busy(), polled())
	for path, message := range map[string]string{
		"/api/v1/tenants/nobody":            `{"message": "there is no tenant nobody"}`,
		"/api/v1/tenants/overlays%2Facme":   `{"message": "there is no tenant overlays/acme"}`,
		"/api/v1/tenants/%3Cscript%3E":      `{"message": "there is no tenant <script>"}`,
		"/api/v1/tenants/CAAS-ACME":         `{"message": "there is no tenant CAAS-ACME"}`,
		"/api/v1/tenants/caas-acme%00":      `{"message": "there is no tenant caas-acme\u0000"}`,
		"/api/v1/tenants/caas-acme%20or%20": `{"message": "there is no tenant caas-acme or "}`,
	} {
		body := get(t, h, path, http.StatusNotFound, jsonType)
		assert.JSONEq(t, message, body)
		assert.NotContains(t, body, "<", "as JSON it is harmless even to a browser that guesses")
	}
	assert.JSONEq(t, `{"message": "there is no tenant _cluster"}`,
		get(t, handler(t, &engine{}, polled()), "/api/v1/tenants/_cluster", http.StatusNotFound, jsonType), "without a cluster overlay")
}
