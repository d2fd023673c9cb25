package sync

import (
	"context"
	"errors"
	"slices"
	stdsync "sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func emptyQueue() *queue { return newQueue(prometheus.NewGauge(prometheus.GaugeOpts{Name: "q"})) }

// Writes pass a few at a time, in the order in which they came, and everybody sees how many wait.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := emptyQueue()
		var mu stdsync.Mutex
		var order []int
		var work stdsync.WaitGroup
		for i := range 10 {
			work.Go(func() {
				assert.NoError(t, q.pass(t.Context(), func() error {
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					time.Sleep(time.Second)
					return nil
				}))
			})
			synctest.Wait()
		}
		assert.Equal(t, 10, q.len())
		assert.InDelta(t, 10, testutil.ToFloat64(q.gauge), 0)
		mu.Lock()
		assert.Len(t, order, queueMost)
		mu.Unlock()
		began := time.Now()
		work.Wait()
		assert.Equal(t, 3*time.Second, time.Since(began), "four, four and two")
		assert.Equal(t, []int{0, 1, 2, 3}, slices.Sorted(slices.Values(order[:4])))
		assert.Equal(t, []int{4, 5, 6, 7}, slices.Sorted(slices.Values(order[4:8])))
		assert.Zero(t, q.len())
		assert.Zero(t, testutil.ToFloat64(q.gauge))
	})
}

// Who asks for a pause gets it, from everybody.
func TestQueuePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := emptyQueue()
		began := time.Now()
		tooMany := apierrors.NewTooManyRequests("slowly", 7)
		require.ErrorIs(t, q.pass(t.Context(), func() error { return tooMany }), tooMany)
		assert.Equal(t, time.Duration(0), time.Since(began), "the one that it was said to is not kept")
		for range 2 {
			require.NoError(t, q.pass(t.Context(), func() error { return nil }))
			assert.Equal(t, 7*time.Second, time.Since(began))
		}
		other := apierrors.NewInternalError(errors.New("a fault"))
		require.Error(t, q.pass(t.Context(), func() error { return other }))
		require.NoError(t, q.pass(t.Context(), func() error { return nil }))
		assert.Equal(t, 7*time.Second, time.Since(began), "other faults are the writer's own business")
	})
}

// Who gives up leaves the queue.
func TestQueueIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := emptyQueue()
		require.Error(t, q.pass(t.Context(), func() error { return apierrors.NewTooManyRequests("slowly", 60) }))
		for range queueMost + 2 { // some wait for the pause to end, the others for a place
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(errors.New("enough")) })
			go func() {
				assert.ErrorIs(t, q.pass(ctx, func() error { t.Error("written"); return nil }), context.Canceled)
			}()
		}
		synctest.Wait()
		assert.Equal(t, queueMost+2, q.len())
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Zero(t, q.len())
	})
}
