package app

import (
	"runtime/debug"
	"testing"

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
	set := debug.SetGCPercent(usually)
	assert.Equal(t, rushPercent(liveHeap()), set)
	assert.Greater(t, set, usually)
	debug.SetGCPercent(set)
	rush(false)
	assert.Equal(t, usually, debug.SetGCPercent(usually))

	t.Setenv("GOGC", "50")
	require.Nil(t, collectLess(), "who says how much garbage there may be is asked for no more")
}
