package sources

import (
	"math/rand/v2"
	"time"
)

// Retries begin after firstRetry, and double until longestRetry or the schedule's own interval,
// whichever is shorter.
const (
	firstRetry   = time.Second
	longestRetry = 5 * time.Minute
)

// wait is how long to sleep after a poll that ended with err.
func (p *Poller) wait(err error, now time.Time) time.Duration {
	turn := time.Duration(1<<63 - 1) // a schedule without a next turn
	if next := p.config.Schedule.Next(now); !next.IsZero() {
		turn = max(next.Sub(now), 0)
	}
	if err == nil || refusalIn(err) != nil {
		p.failures = 0
		return turn
	}
	p.failures++
	return min(turn, jitter(backoff(p.failures)))
}

// backoff is the longest wait after so many failures in a row.
func backoff(failures int) time.Duration {
	d := firstRetry
	for range failures - 1 {
		if d *= 2; d >= longestRetry {
			return longestRetry
		}
	}
	return d
}

// jitter takes off up to a quarter, so that many daemons do not come back at once.
func jitter(d time.Duration) time.Duration {
	return d - rand.N(d/4+1)
}
