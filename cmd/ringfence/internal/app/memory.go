package app

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// rushGarbage is how much garbage may wait for its collection while many tenants are due, in bytes: what is live of a
	// thousand tenants is little, and would be looked through some ten times a second.
	rushGarbage = 256 << 20
	// rushMost bounds it by what is live, in percent.
	rushMost = 400
	// usually is what the runtime does unless GOGC says otherwise.
	usually = 100
	// rushLook is how often it is looked whether more is live now: at a first sync little is at first.
	rushLook = 250 * time.Millisecond
)

// collectLess makes the garbage collector spend less time and more memory in a rush, and gives the memory back after it. A
// limit of memory (GOMEMLIMIT) holds all the same. It is nil where GOGC says how much garbage there may be.
func collectLess() func(rush bool) {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	var end context.CancelFunc
	var wg sync.WaitGroup
	return func(rush bool) {
		if rush {
			var ctx context.Context
			ctx, end = context.WithCancel(context.Background())
			set := rushPercent(liveHeap())
			debug.SetGCPercent(set)
			wg.Go(func() { followHeap(ctx, set) })
			return
		}
		end()
		wg.Wait()
		debug.SetGCPercent(usually)
		debug.FreeOSMemory()
	}
}

// followHeap keeps the garbage within its bounds while what is live grows.
func followHeap(ctx context.Context, set int) {
	look := time.NewTicker(rushLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if now := rushPercent(liveHeap()); now != set {
			debug.SetGCPercent(now)
			set = now
		}
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
