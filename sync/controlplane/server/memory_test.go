package main

import (
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLimitFollowsWhatLives(t *testing.T) {
	assert.Equal(t, int64(runLimit), limitFor(0))
	assert.Equal(t, int64(runLimit), limitFor(150<<20))
	assert.Equal(t, int64(700<<20), limitFor(400<<20))
}

func TestLiveMetricExists(t *testing.T) {
	live := []metrics.Sample{{Name: liveMetric}}
	metrics.Read(live)
	assert.Equal(t, metrics.KindUint64, live[0].Value.Kind())
}
