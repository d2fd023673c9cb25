package config

import (
	"strings"
	"time"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// Freeze is an entry of sync.freeze: a window in which no new revision is applied.
type Freeze struct {
	// Start is when it begins, a cron schedule of five fields or @daily and the like.
	Start Schedule `key:"start" is:"required"`
	// Duration is how long it lasts, in hours that pass: a change of the clock makes
	// it no longer or shorter.
	Duration time.Duration `key:"duration" is:"required" min:"1m"`
	// TimeZone is that of Start, such as Europe/Berlin (default UTC).
	TimeZone string `key:"timeZone" format:"timeZone"`
}

// Location returns the time zone of Start.
func (f Freeze) Location() *time.Location {
	if zone, err := time.LoadLocation(f.TimeZone); err == nil { // the decoder has tried it
		return zone
	}
	return time.UTC
}

// freezeContradictions reports windows that mean nothing, or never end.
func (d *Daemon) freezeContradictions() {
	for i, f := range d.Sync.Freeze {
		if err := f.never(); err != nil {
			d.doc.Add(indexed("sync.freeze", i)+".start", err)
		}
	}
}

// never says why a window cannot be meant; nil if it can.
func (f Freeze) never() error {
	switch {
	case f.Start.Schedule == nil || f.Duration <= 0:
		return nil // the decoder has found it missing
	case strings.HasPrefix(f.Start.Spec, "@every"):
		return strict.Invalidf(`give the times at which it begins, such as "0 18 * * FRI"`, "%q says how often, and not when", f.Start.Spec)
	case strings.HasPrefix(f.Start.Spec, "TZ=") || strings.HasPrefix(f.Start.Spec, "CRON_TZ="):
		return strict.Invalidf("give it as timeZone", "%q has a time zone of its own", f.Start.Spec)
	}
	const starts = 500 // of a year, if it begins every day
	at := f.Start.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	for range starts {
		next := f.Start.Next(at)
		if next.IsZero() || next.Sub(at) > f.Duration {
			return nil
		}
		at = next
	}
	return strict.Invalidf("make it shorter, or let it begin more seldom", "lasts %s and begins again before it ends, so that it never ends", f.Duration)
}
