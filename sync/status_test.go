package sync

import (
	"errors"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/kustomize"
)

// Of several states that hold, the first in the order of States counts.
func TestStatePrecedence(t *testing.T) {
	good := &target{name: "t", overlay: "overlays/t", revision: "c1", wanted: some(t, "deny-all"), good: true}
	refused := good.withProblems([]kustomize.Problem{{Message: "broken"}}, nil)
	quarantined := *refused
	quarantined.quarantined = someTime()
	reached := report{target: good, applied: "c1", reached: true}
	failing := report{target: good, err: errors.New("forbidden")}
	w := &world{revision: "c2"}
	tests := []struct {
		name     string
		target   *target
		report   report
		standing int
		blind    bool
		want     State
	}{
		{"reached", good, reached, 0, false, Synced},
		{"no round yet", good, report{}, 0, false, Pending},
		{"not there yet", good, report{target: good, pending: true}, 0, false, Pending},
		{"reached another target", good, report{target: &target{name: "t", wanted: some(t, "allow")}, reached: true}, 0, false, Pending},
		{"a difference stands", good, reached, 1, false, Drifted},
		{"the last write failed", good, failing, 1, false, Failed},
		{"the overlay is refused, its last good state stands", refused, reached, 0, false, Failed},
		{"refused and blind", refused, reached, 1, true, Unknown},
		{"the last round was blind", good, report{target: good, blind: true, err: errBlind}, 0, false, Unknown},
		{"quarantined is before everything", &quarantined, failing, 3, true, Quarantined},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tenant(w, tt.target, tt.report, tt.standing, tt.blind)
			assert.Equal(t, tt.want, got.State)
			assert.Equal(t, "c2", got.Wanted)
			assert.Equal(t, 1, got.Objects)
		})
	}
	assert.Equal(t, "c1", tenant(w, good, reached, 0, false).Applied)
	assert.Len(t, tenant(w, refused, failing, 0, false).Problems, 2, "both are told")
	assert.Len(t, States(), 7)
}

// Each thing that went wrong is a problem of its own, with its file.
func TestProblems(t *testing.T) {
	w := wantedFrom(t, objects["allow"])
	one := describe(w, errors.New("first"))
	two := describe(w, errors.Join(errors.New("a conflict"), errors.New("and no answer")))
	found := problems(errors.Join(one, two, errors.New("bare")))
	require.Len(t, found, 3)
	assert.Equal(t, "base/allow.yaml:1: writing NetworkPolicy.networking.k8s.io t/allow: first", found[0].Error())
	assert.Equal(t, "base/allow.yaml", found[1].File, "a cause in two parts is still one problem")
	assert.Equal(t, "bare", found[2].Message)
	assert.Empty(t, problems(nil))
	assert.Contains(t, problems(describe(w, fmt.Errorf("%w: spec.order", errUnequal)))[0].Hint, "webhook")
	assert.Equal(t, "0123456789ab", short("0123456789abcdef"))
	assert.Equal(t, "01", short("01"))
}

func TestMetricsHaveSamplesFromTheFirstScrape(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	NewMetrics(reg)
	families, err := reg.Gather()
	require.NoError(t, err)
	got := map[string]int{}
	for _, f := range families {
		got[f.GetName()] = len(f.GetMetric())
	}
	assert.Equal(t, map[string]int{
		"ringfence_sync_seconds": 1, "ringfence_sync_objects_total": 4,
		"ringfence_sync_last_success_timestamp_seconds": 1, "ringfence_sync_held_tenants": 4,
		"ringfence_sync_lost_writes_total": 1, "ringfence_sync_queued_writes": 1,
	}, got)
}

func TestClip(t *testing.T) {
	assert.Equal(t, "short", clip("short"))
	long := clip(string(make([]rune, 600)) + fmt.Sprint(make([]string, 600)) + "ä")
	assert.LessOrEqual(t, len(long), 1024)
}
