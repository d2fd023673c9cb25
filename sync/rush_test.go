package sync

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestRush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []bool
		r := rush{tell: func(begins bool) { told = append(told, begins) }}
		r.saw(rushFrom - 1)
		assert.Empty(t, told, "few")
		r.saw(rushFrom)
		r.saw(rushFrom)
		assert.Equal(t, []bool{true}, told, "once")
		time.Sleep(rushCalm - time.Second)
		r.saw(rushFrom)
		time.Sleep(rushCalm - time.Second)
		r.saw(1)
		synctest.Wait()
		assert.Equal(t, []bool{true}, told, "many were due lately")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Equal(t, []bool{true, false}, told)
		r.saw(2 * rushFrom)
		r.end()
		r.end()
		assert.Equal(t, []bool{true, false, true, false}, told, "nobody works any more")
		time.Sleep(2 * rushCalm)
	})
	nobody := rush{}
	nobody.saw(rushFrom)
	nobody.end()
}
