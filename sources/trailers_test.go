package sources_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sources"
)

func TestTrailers(t *testing.T) {
	o := serve(t, files{"a": "1"})
	r := o.repository()
	before := o.commit("before\n\nX-Key: of before", files{"a": "2"})
	base := o.commit("base\n\nX-Key: of base", files{"a": "3"})
	git(t, o.clone, "checkout", "-q", "-b", "side", before) // begun before base
	side := o.commit("side\n\nx-key:   below the merge  \n", files{"b": "1"})
	git(t, o.clone, "checkout", "-q", "main")
	mine := o.commit("* one\n\nX-Key: in the middle\nX-Key-Not: no\n\n* two\n\nSigned-off-by: a <a@example.com>", files{"a": "4"})
	git(t, o.clone, "merge", "-q", "--no-ff", "-m", "merge\n\nX-Key: "+strings.Repeat("v", 500), "side")
	merge := o.commit("not a trailer X-Key: no", files{"a": "5"})
	poll(t, r)

	values := func(base, newest string) map[string]string {
		t.Helper()
		found, err := r.Trailers(t.Context(), base, newest, "X-Key")
		require.NoError(t, err)
		out := map[string]string{}
		for _, f := range found {
			out[f.Value[:min(len(f.Value), 30)]] = f.Commit
		}
		return out
	}
	got := values(base, merge)
	assert.Equal(t, side, got["below the merge"])
	assert.Equal(t, mine, got["in the middle"])
	assert.Contains(t, got, strings.Repeat("v", 30))
	assert.Len(t, got, 3, "nothing of base, nor from before it, and no other line: %v", got)
	assert.Empty(t, values(merge, merge))
	assert.Empty(t, values(merge, base), "what is older than the base has nothing that it lacks")
	assert.Len(t, values("", merge), 5, "without a base it is all")
	assert.Len(t, values(strings.Repeat("0", 40), merge), 5)

	_, err := r.Trailers(t.Context(), base, strings.Repeat("1", 40), "X-Key")
	require.ErrorIs(t, err, sources.ErrNoCommit)
	_, err = r.Trailers(t.Context(), base, "main", "X-Key")
	require.ErrorIs(t, err, sources.ErrNoCommit)
}

// A long history is walked no further than the base, and in the order of time.
func TestTrailersOfALongHistory(t *testing.T) {
	o := serve(t, files{"a": "0"})
	r := o.repository()
	var commits []string
	for i := range 20 {
		commits = append(commits, o.commit(fmt.Sprintf("c\n\nX-Key: %d", i), files{"a": fmt.Sprint(i)}))
	}
	found, err := r.Trailers(t.Context(), commits[16], commits[19], "X-Key")
	require.NoError(t, err)
	require.Len(t, found, 3)
	assert.ElementsMatch(t, []sources.Trailer{{commits[19], "19"}, {commits[18], "18"}, {commits[17], "17"}}, found)
}
