package app

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// rushGarbage is how much garbage may wait for its collection while many tenants are due, in bytes: what is live of a
	// thousand tenants is little, and would be looked through some ten times a second.
	rushGarbage = 256 << 20
	// rushMost bounds it by what is live, in percent.
	rushMost = 400
	// usually is what the runtime does unless GOGC says otherwise.
	usually = 100
)

// collectLess makes the garbage collector spend less time and more memory in a rush, and gives the memory back after it. A
// limit of memory (GOMEMLIMIT) holds all the same. It is nil where GOGC says how much garbage there may be.
func collectLess() func(rush bool) {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	return func(rush bool) {
		if rush {
			debug.SetGCPercent(rushPercent(liveHeap()))
			return
		}
		debug.SetGCPercent(usually)
		debug.FreeOSMemory()
	}
}

// rushPercent returns how much garbage there may be in a rush, in percent of what is live.
func rushPercent(live uint64) int {
	return int(max(usually, min(rushMost, 100*rushGarbage/max(live, 1))))
}

// liveHeap returns how many bytes were live when garbage was last collected.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
