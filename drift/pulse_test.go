package drift

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/watch"
)

// newPulse returns a pulse and what it says.
func newPulse() (p *pulse, said func() []string) {
	var all []string
	p = &pulse{lost: func(err error) { all = append(all, err.Error()) }}
	return p, func() []string {
		synctest.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		return all
	}
}

// A renewal may take a second; after that the watch is lost, once, until one stands.
func TestPulseOfRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, said := newPulse()
		defer p.end()
		p.renew()
		time.Sleep(renewal - time.Millisecond)
		p.open(watch.NewFake())
		p.stands()
		time.Sleep(time.Hour)
		assert.Empty(t, said(), "in time; and silent where nobody sends bookmarks")
		assert.True(t, p.stood())
		assert.False(t, p.stood())

		p.renew()
		p.open(watch.NewFake())
		time.Sleep(renewal)
		assert.Equal(t, []string{"no watch stands for 1s"}, said(), "it is open, and its list not whole")
		p.renew()
		time.Sleep(time.Hour)
		assert.Len(t, said(), 1)
		p.open(watch.NewFake())
		p.stands()
		p.renew()
		time.Sleep(renewal)
		assert.Len(t, said(), 2, "another one")
	})
}

// A watch on which bookmarks come is cut when none has come for too long.
func TestPulseOfSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, said := newPulse()
		defer p.end()
		first, second := watch.NewFake(), watch.NewFake()
		p.renew()
		p.open(first)
		p.stands()
		for range 10 {
			time.Sleep(time.Minute)
			p.beat(true)
		}
		time.Sleep(silence - time.Second)
		p.beat(false)
		time.Sleep(silence - time.Second)
		assert.Empty(t, said())
		assert.False(t, first.IsStopped())
		time.Sleep(time.Second)
		assert.Equal(t, []string{"nothing was heard of the watch for 3m0s"}, said())
		assert.True(t, first.IsStopped())

		p.renew()
		p.open(second)
		p.stands()
		time.Sleep(silence)
		assert.Len(t, said(), 2, "this one tells nothing from the beginning")
		assert.True(t, second.IsStopped())
		p.end()
		time.Sleep(time.Hour)
		assert.Len(t, said(), 2)
	})
}
