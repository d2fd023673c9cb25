package sources_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sources"
)

// A process that stood by learns how far the one before it had gone: what it accepted itself then
// counts only if it descends from there.
func TestFloorAfterPolling(t *testing.T) {
	o := serve(t, files{"a": "0"})
	first := o.commit("first", files{"a": "1"})
	r := o.repository()
	s := poll(t, r)
	r.SetFloor(first)
	require.Same(t, s, poll(t, r), "it is no news")

	gone := o.commit("gone beyond", files{"a": "2"})
	o.push(first + ":main")
	require.Same(t, s, poll(t, r), "nobody knows")
	r.SetFloor(gone)
	require.ErrorIs(t, failure(t, r, sources.ReasonRewind), sources.ErrRewind)
	fails(t, r, sources.ReasonRewind)

	git(t, o.clone, "checkout", "-q", gone)
	next := o.commit("next", files{"a": "3"})
	require.Equal(t, next, poll(t, r).Revision().Commit)

	allowed := o.repository(func(c *sources.Config) { c.AllowRewind = true })
	s = poll(t, allowed)
	allowed.SetFloor("0123456789012345678901234567890123456789")
	require.Same(t, s, poll(t, allowed))
}
