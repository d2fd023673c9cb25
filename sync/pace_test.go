package sync

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

func someTime() time.Time { return time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) }

// removing n objects, the first of which has the number from.
func removing(from, n int, tenants ...string) removal {
	r := removal{tenants: tenants}
	for i := range n {
		r.objects = append(r.objects, drift.ID{Kind: kinds.NetworkPolicy, Namespace: "t", Name: fmt.Sprint(from + i)})
	}
	return r
}

func TestPruneLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h pruneHistory
		limit := PruneLimit{Objects: 10, Tenants: 1}
		allowed := func(r removal) bool { return h.refuse(time.Now(), r, limit, "c1") == "" }
		assert.True(t, allowed(removal{}))
		assert.True(t, allowed(removing(0, 10, "a")))
		assert.False(t, allowed(removing(0, 11)))
		assert.False(t, allowed(removing(0, 0, "a", "b")))

		h = h.with(time.Now(), removing(0, 6), limit)
		assert.False(t, allowed(removing(6, 5)), "11 within the hour")
		assert.True(t, allowed(removing(6, 4)))
		assert.True(t, allowed(removing(0, 6)), "asking for the same again, since it was not done, is no other removal")
		assert.True(t, allowed(removing(3, 7)), "overlapping: 10 in all")
		assert.True(t, allowed(removing(0, 0, "a")), "tenants are counted on their own")
		h = h.with(time.Now(), removing(0, 0, "a"), limit)
		assert.False(t, allowed(removing(0, 0, "b")))
		assert.True(t, allowed(removing(6, 4)), "no tenant leaves, so that limit does not matter")

		time.Sleep(30 * time.Minute)
		h = h.with(time.Now(), removing(0, 6), limit) // again: the hour still counts from the first
		h = h.with(time.Now(), removing(6, 4), limit)
		assert.False(t, allowed(removing(20, 1)))
		time.Sleep(30 * time.Minute)
		assert.True(t, allowed(removing(20, 6)), "the first six are an hour old")
		assert.False(t, allowed(removing(20, 7)))
		assert.True(t, allowed(removing(0, 0, "b")))
		time.Sleep(time.Hour)
		h = h.with(time.Now(), removal{}, limit)
		assert.Empty(t, h.Objects, "nothing is kept for ever")
	})
}

func TestPruneLimitEdges(t *testing.T) {
	var h pruneHistory
	now := someTime()
	assert.NotEmpty(t, h.refuse(now, removing(0, 1), PruneLimit{}, "c1"), "zero allows nothing")
	assert.NotEmpty(t, h.refuse(now, removing(0, 0, "a"), PruneLimit{Objects: -1}, "c1"))
	assert.Empty(t, h.refuse(now, removing(0, 1000, "a", "b", "c"), PruneLimit{Objects: -1, Tenants: -1}, "c1"), "negative is no limit")
}

// Whoever keeps changing an object back gets growing pauses, and is forgiven.
func TestFights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, id := newProgress(), drift.ID{Kind: kinds.NetworkPolicy, Name: "p"}
		correct := func() time.Duration {
			p.corrected(id, time.Now())
			return p.patience(id, time.Now())
		}
		assert.Zero(t, p.patience(id, time.Now()))
		for range fightAfter - 1 {
			assert.Zero(t, correct())
			time.Sleep(time.Second)
		}
		assert.Zero(t, p.fighting(time.Now()))
		want := fightFirst
		for range 12 {
			got := correct()
			assert.Equal(t, want, got)
			assert.Equal(t, 1, p.fighting(time.Now()))
			time.Sleep(got / 2)
			assert.Equal(t, got-got/2, p.patience(id, time.Now()), "it shrinks as time goes by")
			time.Sleep(got - got/2)
			assert.Zero(t, p.patience(id, time.Now()))
			want = min(2*want, fightLongest)
		}
		assert.Equal(t, fightLongest, want)
		assert.Zero(t, p.patience(drift.ID{Name: "another"}, time.Now()), "nobody else waits")

		time.Sleep(fightCalm)
		assert.Equal(t, 1, p.fighting(time.Now()), "not calm for longer than the pause yet")
		time.Sleep(time.Second)
		assert.Zero(t, p.fighting(time.Now()))
		assert.Zero(t, correct(), "forgotten: it begins anew")
	})
}
