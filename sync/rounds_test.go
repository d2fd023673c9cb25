package sync

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// told returns a round as text, without what no test can know.
func (r Round) told() string {
	return fmt.Sprintf("%s %s +%d ~%d -%d !%d x%d %s [%s]", short(r.Revision), r.Why, r.Created, r.Updated, r.Removed, r.Failed, r.Tries, r.Error, strings.Join(r.Objects, ", "))
}

// What each round changed and why is told of each tenant; a steady cluster adds none.
func TestRounds(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one", "two"))
	d.Offer(first)
	d.at(first, Synced, ns)
	c1 := short(first.Revision().Commit)
	policy := func(did, name string) string { return did + " NetworkPolicy.networking.k8s.io " + ns + "/" + name }
	rounds := func() (out []string) {
		for _, r := range d.tenant(ns).Rounds {
			out = append(out, r.told())
		}
		return out
	}
	require.Equal(t, []string{c1 + " revision +4 ~0 -0 !0 x1  [created Namespace " + ns + ", " + policy("created", "deny-all") + ", " + policy("created", "one") + ", " + policy("created", "two") + "]"}, rounds())
	assert.WithinDuration(t, time.Now(), d.tenant(ns).Rounds[0].Time, time.Minute)
	assert.Positive(t, d.tenant(ns).Rounds[0].Took)

	id := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "one"}
	require.NoError(t, b.others(id).Delete(t.Context(), "one", metav1.DeleteOptions{}))
	d.until("corrected", func() bool { return len(rounds()) == 2 })
	assert.Equal(t, c1+" drift +1 ~0 -0 !0 x1  ["+policy("created", "one")+"]", rounds()[0])

	second := repo.commit(overlay("a", ns, "one"))
	d.Offer(second)
	d.at(second, Synced, ns)
	d.until("removed", func() bool { return len(rounds()) == 3 })
	c2 := short(second.Revision().Commit)
	assert.Equal(t, c2+" revision +0 ~0 -1 !0 x1  ["+policy("pruned", "two")+"]", rounds()[0])

	b.inject(func(r *http.Request) *http.Response {
		if r.Method != http.MethodPatch || dryRun(r) || !strings.HasSuffix(r.URL.Path, "/three") {
			return nil
		}
		return &http.Response{
			StatusCode: http.StatusForbidden, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not today","reason":"Forbidden","code":403}`)),
		}
	})
	third := repo.commit(overlay("a", ns, "one", "three"))
	d.Offer(third)
	d.until("it fails again and again", func() bool { r := d.tenant(ns).Rounds; return len(r) == 4 && r[0].Tries >= 2 })
	c3 := short(third.Revision().Commit)
	assert.Regexp(t, "^"+c3+" revision .* !1 x[2-9] .*not today", rounds()[0])
	b.inject(nil)
	d.at(third, Synced, ns)
	assert.Equal(t, c3+" retry +1 ~0 -0 !0 x1  ["+policy("created", "three")+"]", rounds()[0])

	before := rounds()
	d.Offer(repo.commit(nil))
	for range 3 {
		d.queue.Add(ns)
		time.Sleep(50 * time.Millisecond)
	}
	assert.Equal(t, before, rounds(), "what changes nothing is no round")
}

func TestRoundsAreBounded(t *testing.T) {
	var rounds []Round
	for i := range 3 * roundsMost {
		var d deeds
		for j := range 2 * objectsMost {
			d.did(created, drift.ID{Kind: kinds.Tier, Name: fmt.Sprint(j)}, true)
		}
		d.did("", drift.ID{Kind: kinds.Tier, Name: "as it was"}, true)
		d.Revision = fmt.Sprint(i)
		assert.Equal(t, 2*objectsMost, d.Created)
		assert.Len(t, d.Objects, objectsMost)
		before := len(rounds)
		rounds = entered(rounds, d.Round, why(rounds, d.Round, d))
		assert.GreaterOrEqual(t, len(rounds), before)
	}
	require.Len(t, rounds, roundsMost)
	assert.Equal(t, fmt.Sprint(3*roundsMost-1), rounds[roundsMost-1].Revision, "the newest are kept")
	assert.Equal(t, ForDrift, rounds[0].Why)
}
