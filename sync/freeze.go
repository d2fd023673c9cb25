package sync

import (
	"time"

	"github.com/robfig/cron/v3"
)

// Freeze is a window, which comes again and again, in which no new revision is applied.
type Freeze struct {
	// Start is when it begins, by the clock of Zone. Required, and without a time zone of its own.
	Start cron.Schedule
	// Duration is how long it lasts, in hours that pass: a change of the clock makes it no longer or shorter. Required.
	Duration time.Duration
	// Zone is the time zone of Start; nil means UTC. A start at a time that a day does not have, or has twice, is
	// what RFC 5545, 3.3.5 says: as if the clock had not been put forward yet, and the first of the two.
	Zone *time.Location
}

// A freeze is looked ahead so many starts at most: windows that run into each other are one.
const freezeLook = 1000

// frozenUntil returns when the freeze that holds now ends, over all windows; zero if none holds.
func frozenUntil(windows []Freeze, now time.Time) time.Time {
	var until time.Time
	at := now
	for range freezeLook {
		longer := until
		for _, w := range windows {
			if end := w.end(at); end.After(longer) {
				longer = end
			}
		}
		if !longer.After(until) {
			return until
		}
		until, at = longer, longer
	}
	return until
}

// end returns the end of the last window that has begun and not ended at a moment; zero if none.
func (f Freeze) end(at time.Time) time.Time {
	const slack = 3 * time.Hour // no clock is put forward or back by more
	var end time.Time
	from, to := f.wall(at.Add(-f.Duration-slack)), f.wall(at.Add(slack))
	for start := f.Start.Next(from); !start.IsZero() && !start.After(to); start = f.Start.Next(start) {
		begins := f.instant(start)
		if begins.After(at) || !begins.Add(f.Duration).After(at) {
			continue
		}
		if ends := begins.Add(f.Duration); ends.After(end) {
			end = ends
		}
	}
	return end
}

// wall returns what a clock of the zone shows, as if it were UTC: schedules are counted in it, so that they know
// nothing of changes of the clock.
func (f Freeze) wall(at time.Time) time.Time {
	at = at.In(f.zone())
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
}

// instant returns when a clock of the zone shows a time.
func (f Freeze) instant(wall time.Time) time.Time {
	before, after := f.byOffsetOf(wall, wall.Add(-24*time.Hour)), f.byOffsetOf(wall, wall.Add(24*time.Hour))
	if !f.wall(before).Equal(wall) && f.wall(after).Equal(wall) {
		return after
	}
	return before
}

// byOffsetOf reads a clock as if it were as far from UTC as at another moment.
func (f Freeze) byOffsetOf(wall, at time.Time) time.Time {
	_, offset := at.In(f.zone()).Zone()
	return wall.Add(-time.Duration(offset) * time.Second)
}

func (f Freeze) zone() *time.Location {
	if f.Zone == nil {
		return time.UTC
	}
	return f.Zone
}
