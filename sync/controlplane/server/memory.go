package main

import (
	"math"
	"os"
	"runtime/debug"
)

const (
	// startLimit bounds the heap, in bytes, while the control plane starts:
	// below it nothing is collected, since nearly all that is made then stays.
	startLimit = 300 << 20
	// garbage is how much may gather later, in percent of what lives: memory
	// is scarcer than time on a machine that runs tests.
	garbage = 50
)

// spareTime has start-up collect as little garbage as it can. Like spareMemory
// it leaves alone what the environment decides.
func spareTime() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(startLimit)
	}
}

// spareMemory gives back what starting took and running does not need.
func spareMemory() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(garbage)
		debug.SetMemoryLimit(math.MaxInt64)
		debug.FreeOSMemory()
	}
}
