package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// startLimit bounds Go's memory, in bytes, while the control plane
	// starts: below it nothing is collected, since nearly all that is made
	// then stays.
	startLimit = 300 << 20
	// runLimit is what is kept to later: with the program's own pages, about
	// 110 MB, it stays clear of 500 MB.
	runLimit = 320 << 20
	// garbage is how much may gather, in percent of what lives: memory is
	// scarcer than time on a machine that runs tests.
	garbage    = 50
	liveMetric = "/gc/heap/live:bytes"
	look       = time.Second
)

// spareTime has start-up collect as little garbage as it can. Like spareMemory
// it leaves alone what the environment decides.
func spareTime() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(startLimit)
	}
}

// spareMemory gives back what starting took and running does not need, and
// keeps memory within runLimit until ctx ends. Where more than that lives, the
// limit follows, or collecting would take half of all time.
func spareMemory(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(garbage)
	debug.SetMemoryLimit(runLimit)
	debug.FreeOSMemory()
	live := []metrics.Sample{{Name: liveMetric}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
		metrics.Read(live)
		debug.SetMemoryLimit(limitFor(int64(live[0].Value.Uint64())))
	}
}

// limitFor returns the limit when so many bytes live: room for garbage, and for
// the stacks and Go's own needs, which are about a quarter of the heap.
func limitFor(live int64) int64 {
	return max(runLimit, live*(100+garbage+25)/100)
}
