package sync

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestRush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan bool, 10)
		since := func() (said []bool) {
			synctest.Wait()
			for len(told) > 0 {
				said = append(said, <-told)
			}
			return said
		}
		r := rush{tell: func(begins bool) { told <- begins }}
		r.saw(rushFrom - 1)
		assert.Empty(t, since(), "few")
		r.saw(rushFrom)
		r.saw(rushFrom)
		assert.Equal(t, []bool{true}, since(), "once")
		time.Sleep(rushCalm - time.Second)
		r.saw(rushFrom)
		time.Sleep(rushCalm - time.Second)
		r.saw(1)
		assert.Empty(t, since(), "many were due lately")
		time.Sleep(2 * time.Second)
		assert.Equal(t, []bool{false}, since())
		r.saw(2 * rushFrom)
		r.end()
		r.end()
		assert.Equal(t, []bool{true, false}, since(), "nobody works any more")
		time.Sleep(2 * rushCalm)
		assert.Empty(t, since())
	})
	nobody := rush{}
	nobody.saw(rushFrom)
	nobody.end()
}
