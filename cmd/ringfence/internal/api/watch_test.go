package api_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
)

// look returns what changed since the last look, as "appeared deny-all, corrected deny-all".
func look(t *testing.T, w *api.Watcher) string {
	t.Helper()
	changes, err := w.Look(t.Context())
	require.NoError(t, err)
	var texts []string
	for i, c := range changes {
		if i > 0 {
			assert.False(t, c.Time.Before(changes[i-1].Time), "in the order of time")
		}
		text := c.What
		if c.Difference != nil {
			text += " " + c.Difference.Name
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

func TestWatch(t *testing.T) {
	d, c := serve(t)
	d.say("drift", rows(difference("old", "08:00:00", nil), difference("done", "08:00:00", corrected("08:00:01"))))
	w := c.Watch("")
	_, looked := w.Standing()
	assert.False(t, looked)
	assert.Empty(t, look(t, w), "the first look is what the others are compared with")
	n, looked := w.Standing()
	assert.True(t, looked)
	assert.Equal(t, 1, n)
	assert.Empty(t, look(t, w))

	d.say("drift", rows(difference("old", "08:00:00", nil), difference("new", "09:00:00", nil), difference("done", "08:00:00", corrected("08:00:01"))))
	assert.Equal(t, "appeared new", look(t, w))
	assert.Empty(t, look(t, w))

	// One that was seen is corrected, one goes by itself.
	d.say("drift", rows(difference("new", "09:00:00", corrected("09:00:02")), difference("done", "08:00:00", corrected("08:00:01"))))
	assert.Equal(t, "corrected new, gone old", look(t, w))
	assert.Empty(t, look(t, w))

	// One comes and is corrected between two looks, twice, and stands then: a fight.
	d.say("drift", rows(
		difference("deny-all", "09:00:05", nil),
		difference("deny-all", "09:00:03", corrected("09:00:04")),
		difference("deny-all", "09:00:01", corrected("09:00:02")),
	))
	assert.Equal(t, "appeared deny-all, corrected deny-all, appeared deny-all, corrected deny-all, appeared deny-all", look(t, w))
	// What was corrected long ago leaves the daemon's memory, which changes nothing.
	d.say("drift", rows(difference("deny-all", "09:00:05", nil)))
	assert.Empty(t, look(t, w))
}

func TestWatchTellsWhatGetsWorse(t *testing.T) {
	exposure := []any{map[string]any{"effect": "opens", "from": map[string]any{"any": "pod"}, "to": map[string]any{"any": "pod"}, "ports": []any{}}}
	for name, change := range map[string]map[string]any{
		"effect":   {"effect": "closes"},
		"held":     {"held": "fight"},
		"fields":   {"fields": []any{map[string]any{"path": "spec.ingress", "want": nil, "got": 1}}},
		"exposure": {"exposure": exposure},
	} {
		d, c := serve(t)
		d.say("drift", rows(difference("deny-all", "09:00:00", nil)))
		w := c.Watch("")
		look(t, w)
		d.say("drift", rows(difference("deny-all", "09:00:00", change)))
		assert.Equal(t, "changed deny-all", look(t, w), name)
		assert.Empty(t, look(t, w), name)
	}
	// The time at which a manager last wrote, or since when a daemon knows it after a restart, is no such thing.
	d, c := serve(t)
	d.say("drift", rows(difference("deny-all", "09:00:00.123", nil)))
	w := c.Watch("")
	look(t, w)
	d.say("drift", rows(difference("deny-all", "09:00:00", map[string]any{"managers": []any{map[string]any{"name": "x", "operation": "Update", "time": "2026-03-01T09:00:00Z"}}})))
	assert.Empty(t, look(t, w))
}

// A daemon that goes away and comes back is said once each time, and so is one that cannot see.
func TestWatchOutlivesTheDaemon(t *testing.T) {
	d, c := serve(t)
	d.goAway(true)
	w := c.Watch("")
	assert.Equal(t, "lost", look(t, w))
	assert.Empty(t, look(t, w))
	d.goAway(false)
	d.say("drift", rows(difference("deny-all", "09:00:00", nil), difference("dns", "09:00:00", nil)))
	assert.Equal(t, "back", look(t, w))

	for name, answer := range map[string]string{
		"not ready": strings.Replace(ready, `"ready": true`, `"ready": false`, 1),
		"blind":     strings.Replace(ready, `"blind": []`, `"blind": ["Tier: forbidden"]`, 1),
		"garbage":   `<html>`,
	} {
		d.say("status", answer)
		assert.Equal(t, "lost", look(t, w), name)
		assert.Empty(t, look(t, w), name)
		d.say("status", ready)
		assert.Equal(t, "back", look(t, w), name)
	}

	// It was started anew: it is ready, and has not looked at the tenant yet. What is not in its drift then is not gone.
	d.goAway(true)
	assert.Equal(t, "lost", look(t, w))
	d.goAway(false)
	d.say("drift", rows())
	d.say("tenants/caas-acme", tenant("caas-acme", "pending"))
	assert.Equal(t, "back", look(t, w))
	assert.Empty(t, look(t, w))
	d.say("drift", rows(difference("deny-all", "09:00:00", nil)))
	d.say("tenants/caas-acme", tenant("caas-acme", "drifted"))
	assert.Equal(t, "gone dns", look(t, w))
}

// A tenant that is there no more has no drift; of the cluster overlay's it is the same.
func TestWatchWhenTenantsGo(t *testing.T) {
	d, c := serve(t)
	d.say("drift", rows(
		difference("deny-all", "09:00:00", map[string]any{"tenant": "caas-gone"}),
		difference("tier", "09:00:00", map[string]any{"tenant": "", "namespace": ""}),
		difference("dns", "09:00:00", nil),
	))
	w := c.Watch("")
	look(t, w)
	d.say("drift", rows(difference("dns", "09:00:00", nil)))
	d.say("tenants/_cluster", tenant("", "unknown"))
	assert.Equal(t, "gone deny-all", look(t, w))
	d.say("tenants/_cluster", tenant("", "synced"))
	assert.Equal(t, "gone tier", look(t, w))
}

func TestWatchOfOneTenant(t *testing.T) {
	d, c := serve(t)
	w := c.Watch("caas-acme")
	look(t, w)
	d.say("drift", rows(difference("deny-all", "09:00:00", nil), difference("other", "09:00:00", map[string]any{"tenant": "caas-globex"})))
	assert.Equal(t, "appeared deny-all", look(t, w))
}

func TestWatchEnds(t *testing.T) {
	_, c := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	w := c.Watch("")
	cancel()
	changes, err := w.Look(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, changes)
}

// The line of -o json is a contract.
func TestChangeAsJSON(t *testing.T) {
	d, c := serve(t)
	w := c.Watch("")
	look(t, w)
	d.say("drift", rows(difference("deny-all", "09:00:00.5", nil)))
	changes, err := w.Look(t.Context())
	require.NoError(t, err)
	text, err := json.Marshal(changes)
	require.NoError(t, err)
	assert.JSONEq(t, `[{"time": "2026-03-01T09:00:00.5Z", "change": "appeared", "message": "", "difference": `+
		difference("deny-all", "09:00:00.5", map[string]any{"reason": "", "specHash": ""})+`}]`, string(text))

	d.goAway(true)
	changes, err = w.Look(t.Context())
	require.NoError(t, err)
	text, err = json.Marshal(changes[0])
	require.NoError(t, err)
	assert.Regexp(t, `^\{"time":"[^"]+Z","change":"lost","difference":null,"message":"asking http://127.0.0.1:.* 502 Bad Gateway"\}$`, string(text))
}
