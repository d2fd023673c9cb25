package sources_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sources"
)

// script answers polls one after another, the last answer for ever, and notes when they came.
type script struct {
	answers []answer

	mu    sync.Mutex
	polls []time.Time
}

type answer struct {
	snap *sources.Snapshot
	err  error
}

func (s *script) Poll(context.Context) (*sources.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.answers[min(len(s.polls), len(s.answers)-1)]
	s.polls = append(s.polls, time.Now())
	return a.snap, a.err
}

func (s *script) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.polls)
}

// gaps are the waits between polls.
func (s *script) gaps() (gaps []time.Duration) {
	times := s.times()
	for i := range len(times) - 1 {
		gaps = append(gaps, times[i+1].Sub(times[i]))
	}
	return gaps
}

// notes counts what Notify tells.
type notes struct{ n atomic.Int32 }

func (n *notes) add(sources.Status) { n.n.Add(1) }

func every(t *testing.T, spec string) cron.Schedule {
	t.Helper()
	s, err := cron.ParseStandard(spec)
	require.NoError(t, err)
	return s
}

// running runs a poller until the test of the bubble ends.
func running(t *testing.T, c sources.PollerConfig) *sources.Poller {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	p, err := sources.NewPoller(c)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return p
}

func TestPollerSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		snap := &sources.Snapshot{}
		s := &script{answers: []answer{{snap: snap}}}
		var log buffer
		var notes notes
		p := running(t, sources.PollerConfig{Repository: s, Schedule: every(t, "@every 30s"), Log: log.log(), Notify: notes.add})
		require.Same(t, snap, <-p.Snapshots(), "the first poll is at once")
		synctest.Wait()
		lines := strings.Count(log.String(), "\n")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.Len(t, s.times(), 11)
		for _, gap := range s.gaps() {
			require.InDelta(t, 30, gap.Seconds(), 1)
		}
		require.Empty(t, p.Snapshots(), "what has not changed is not delivered again")
		require.EqualValues(t, 1, notes.n.Load())
		require.Equal(t, lines, strings.Count(log.String(), "\n"), "a healthy idle daemon logs nothing")
		require.WithinDuration(t, time.Now(), p.Status().Checked, 31*time.Second)
	})
}

func TestPollerBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom, bang := errors.New("boom"), errors.New("bang")
		var answers []answer
		for range 12 {
			answers = append(answers, answer{err: boom})
		}
		snap := &sources.Snapshot{}
		answers = append(answers, answer{err: bang}, answer{snap: snap})
		s := &script{answers: answers}
		var log buffer
		var notes notes
		p := running(t, sources.PollerConfig{Repository: s, Schedule: every(t, "@every 30s"), Log: log.log(), Notify: notes.add})
		synctest.Wait()
		require.ErrorIs(t, p.Status().Err, boom)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		gaps := s.gaps()
		for i, most := range []float64{1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30, 30} {
			require.LessOrEqual(t, gaps[i].Seconds(), most+.001, "gap %d", i)
			require.GreaterOrEqual(t, gaps[i].Seconds(), most*.75-1, "gap %d", i)
		}
		require.NoError(t, p.Status().Err)
		require.Equal(t, 1, strings.Count(log.String(), "boom"), "once for each text")
		require.Equal(t, 1, strings.Count(log.String(), "bang"))
		require.Equal(t, 1, strings.Count(log.String(), "works again"))
		require.EqualValues(t, 3, notes.n.Load())
		require.Same(t, snap, <-p.Snapshots())
	})
}

func TestPollerBackoffStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := answer{err: errors.New("boom")}
		s := &script{answers: []answer{boom, boom, boom, {snap: &sources.Snapshot{}}, boom}}
		running(t, sources.PollerConfig{Repository: s, Schedule: every(t, "@every 1h")})
		time.Sleep(70 * time.Minute)
		synctest.Wait()
		require.LessOrEqual(t, s.gaps()[4], time.Second)
		for _, gap := range s.gaps() {
			require.True(t, gap <= 5*time.Minute || gap > 50*time.Minute, "a failure is retried within minutes: %s", gap)
		}
	})
}

func TestPollerTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trigger := make(chan struct{}, 1)
		s := &script{answers: []answer{{err: errors.New("boom")}, {snap: &sources.Snapshot{}}}}
		running(t, sources.PollerConfig{Repository: s, Schedule: every(t, "@every 1h"), Trigger: trigger})
		synctest.Wait()
		trigger <- struct{}{}
		synctest.Wait()
		require.Len(t, s.times(), 2)
		require.Zero(t, s.gaps()[0], "neither the schedule nor a retry is waited for")
	})
}

func TestPollerKeepsOnlyTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answers []answer
		for range 5 {
			answers = append(answers, answer{snap: &sources.Snapshot{}})
		}
		s := &script{answers: answers}
		p := running(t, sources.PollerConfig{Repository: s, Schedule: every(t, "@every 10s")})
		time.Sleep(10 * time.Minute)
		require.Same(t, answers[4].snap, <-p.Snapshots())
		require.Empty(t, p.Snapshots())
	})
}

func TestPollerRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &sources.Error{Op: "polling", URL: "u", Reason: sources.ReasonRewind, Revision: sources.Revision{Commit: strings.Repeat("a", 40)}, Err: errors.New("x")}
		good := &sources.Snapshot{}
		s := &script{answers: []answer{{snap: good}, {err: refused}, {err: refused}, {snap: good}}}
		var notes notes
		p := running(t, sources.PollerConfig{Repository: s, Schedule: every(t, "@every 30s"), Notify: notes.add})
		time.Sleep(75 * time.Second)
		synctest.Wait()
		require.Len(t, s.times(), 3, "a refusal is not retried before its turn")
		require.Equal(t, &sources.Refusal{Revision: refused.Revision, Reason: "rewind"}, p.Status().Refused)
		require.ErrorIs(t, p.Status().Err, sources.ErrRewind)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.Nil(t, p.Status().Refused)
		require.EqualValues(t, 3, notes.n.Load())
		<-p.Snapshots()
		require.Empty(t, p.Snapshots(), "the good one is the same as before")
	})
}

func TestPollerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := blocking{}
		ctx, cancel := context.WithCancel(t.Context())
		p, err := sources.NewPoller(sources.PollerConfig{Repository: s, Schedule: every(t, "@every 30s"), Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, p.Status().Err, "being told to stop is no failure")
	})
}

type blocking struct{}

func (blocking) Poll(ctx context.Context) (*sources.Snapshot, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("polling: %w", ctx.Err())
}

func TestPollerNeeds(t *testing.T) {
	_, err := sources.NewPoller(sources.PollerConfig{Schedule: every(t, "@every 1s")})
	require.Error(t, err)
	_, err = sources.NewPoller(sources.PollerConfig{Repository: blocking{}})
	require.Error(t, err)
}

// The whole of it: a real server, a real push, a trigger.
func TestPollerForReal(t *testing.T) {
	o := serve(t, nil)
	trigger := make(chan struct{}, 1)
	var log buffer
	p := running(t, sources.PollerConfig{Repository: o.repository(), Schedule: every(t, "@every 1h"), Trigger: trigger, Log: log.log()})
	require.Eventually(t, func() bool { return errors.Is(p.Status().Err, sources.ErrEmpty) }, patience, 5*time.Millisecond)
	commit := o.commit("first", files{"a": "a"})
	trigger <- struct{}{}
	select {
	case s := <-p.Snapshots():
		require.Equal(t, commit, s.Revision().Commit)
	case <-time.After(patience):
		t.Fatal(log.String())
	}
	require.Equal(t, commit, p.Status().Revision.Commit)
}
