package drift

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// What stood before a restart stands since then; what has gone in between, or whose tenant has, is forgotten.
func TestLedgerRestores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := NewLedger(nil)
		began := time.Now()
		before.Record("a", []Difference{difference("p", Extra), difference("q", Missing)}, nil)
		before.Record("b", []Difference{difference("p", Extra)}, nil)
		before.Record("", []Difference{difference("p", Extra)}, nil)
		_, younger := before.Since(time.Second)
		assert.True(t, younger)
		time.Sleep(time.Hour)
		before.Record("c", []Difference{difference("p", Extra)}, nil)
		saved, younger := before.Since(time.Second)
		assert.True(t, younger, "c's")
		assert.Len(t, saved, 4)

		after := NewLedger(nil)
		after.Restore(saved)
		after.Keep(func(name string) bool { return name != "b" })
		still, younger := after.Since(time.Second)
		assert.Len(t, still, 3, "nobody has looked yet")
		assert.False(t, younger)
		seen := difference("p", Extra)
		seen.Seen = time.Now()
		after.Record("a", []Difference{seen}, nil)
		after.Record("", []Difference{difference("p", Extra)}, nil)
		assert.Equal(t, []time.Time{began, began}, slices.Collect(func(yield func(time.Time) bool) {
			for _, e := range after.Entries() {
				yield(e.Since)
			}
		}))
		still, _ = after.Since(time.Second)
		assert.Len(t, still, 2, "a's q is gone")
		after.Record("a", []Difference{difference("q", Missing)}, nil)
		assert.Equal(t, time.Now(), after.Entries()[1].Since, "it came back")
	})
}
