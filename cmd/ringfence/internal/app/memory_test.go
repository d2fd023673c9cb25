package app

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRushPercent(t *testing.T) {
	assert.Equal(t, rushMost, rushPercent(0))
	assert.Equal(t, rushMost, rushPercent(30<<20))
	assert.Equal(t, 200, rushPercent(128<<20))
	assert.Equal(t, usually, rushPercent(4<<30), "what is live is a bound already")
}

func TestCollectLess(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Cleanup(func() { debug.SetGCPercent(usually) })
	rush := collectLess()
	rush(true)
	assert.Greater(t, percent(), usually)

	held := make([][]byte, 0, 300)
	for range cap(held) {
		held = append(held, make([]byte, 1<<20))
	}
	runtime.GC()
	require.Eventually(t, func() bool { return percent() == usually }, time.Minute, rushLook/10, "as much is live as garbage may be")
	runtime.KeepAlive(held)
	runtime.GC()
	require.Eventually(t, func() bool { return percent() > usually }, time.Minute, rushLook/10)
	rush(false)
	assert.Equal(t, usually, percent())

	t.Setenv("GOGC", "50")
	require.Nil(t, collectLess(), "who says how much garbage there may be is asked for no more")
}

// percent returns what the collector goes by.
func percent() int {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}
