package drift

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A list that Calico's own API server may have cut short is the whole only if nothing was hidden before it began, and
// either nothing is missing from it or nothing is hidden after it, either.
func TestDoubtfulLists(t *testing.T) {
	const asks, begins, short, whole, hidden = "asks", "begins", "short", "whole", "hidden"
	for _, c := range []struct {
		name  string
		steps []string
		want  string
		lists uint64 // that come to be needed, the first included
	}{
		{"nobody asked", []string{begins, whole}, notAsked, 1},
		{"asked before the first list", []string{asks, begins, whole}, "", 1},
		{"asked after the first list", []string{begins, whole, asks}, listingAnew, 2},
		{"and listed again", []string{begins, whole, asks, begins, whole}, "", 2},
		{"a list that began before the answer", []string{begins, asks, whole}, listingAnew, 2},
		{"something is missing", []string{asks, begins, whole, begins, short}, notAsked, 1},
		{"it may be hidden no more", []string{asks, begins, whole, begins, short, asks}, listingAnew, 2},
		{"it was hidden for a moment", []string{asks, begins, whole, begins, short, asks, begins, whole}, "", 2},
		{"it is missing still", []string{asks, begins, whole, begins, short, asks, begins, short}, "", 2},
		{"more is missing", []string{begins, whole, asks, begins, short}, confirming, 2},
		{"and is gone", []string{begins, whole, asks, begins, short, asks}, "", 2},
		{"and is hidden", []string{begins, whole, asks, begins, short, hidden}, "the tier t", 2},
		{"hidden", []string{asks, begins, whole, hidden}, "the tier t", 1},
		{"hidden no more", []string{asks, begins, whole, hidden, asks}, listingAnew, 2},
		{"asked twice meanwhile", []string{asks, begins, whole, hidden, asks, asks, begins, whole}, "", 2},
		{"hidden while it is listed", []string{asks, begins, whole, hidden, asks, begins, hidden, whole}, "the tier t", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _ := doubtful()
			for i, step := range c.steps {
				switch step {
				case asks:
					w.hide("")
				case hidden:
					w.hide("the tier t")
				case begins:
					w.begun.Store(w.due.Load())
				case whole:
					require.NoError(t, w.Replace([]any{stored("n", "p", "1", i+1), stored("n", "q", "2", i+1)}, "9"))
					w.restored()
				case short:
					require.NoError(t, w.Replace([]any{stored("n", "p", "1", i+1)}, "9"))
					w.restored()
				}
			}
			assert.Equal(t, c.want, w.blind())
			assert.Equal(t, c.lists, w.due.Load())
		})
	}
}

// doubtful returns a kind on Calico's own API server that nobody runs, and where its log goes.
func doubtful() (*watched, *bytes.Buffer) {
	var log bytes.Buffer
	cluster := empty()
	cluster.config = ClusterConfig{Metrics: NewMetrics(nil), Health: func() {}, Changed: func(string) {}, Log: slog.New(slog.NewTextHandler(&log, nil))}
	cluster.tiers, cluster.flavour = make(chan struct{}, 1), FlavourAggregated
	return newWatched(calicoPolicies, cluster, func() {}), &log
}

// What is only not known yet, when a watch begins, is not worth a warning; what lasts is, once.
func TestBlindnessIsToldOnce(t *testing.T) {
	w, log := doubtful()
	w.begun.Store(w.due.Load())
	require.NoError(t, w.Replace(nil, "9"))
	w.restored()
	w.hide("")
	w.begun.Store(w.due.Load())
	require.NoError(t, w.Replace([]any{stored("n", "p", "1", 1)}, "9"))
	w.restored()
	assert.Empty(t, w.blind())
	assert.Empty(t, log.String())
	require.NoError(t, w.Replace(nil, "9"))
	w.hide("the tier t")
	assert.Equal(t, 1, strings.Count(log.String(), "a watch is blind"), log)
	w.hide("")
	w.begun.Store(w.due.Load())
	require.NoError(t, w.Replace(nil, "9"))
	assert.Equal(t, 1, strings.Count(log.String(), "a watch sees again"), log)

	w, log = doubtful()
	w.unasked(errors.New("503"))
	assert.Empty(t, log.String(), "its own list has not arrived")
	require.NoError(t, w.Replace(nil, "9"))
	w.restored()
	w.unasked(errors.New("503"))
	w.unasked(errors.New("503"))
	assert.Equal(t, 1, strings.Count(log.String(), "a watch is blind"), log)
}
