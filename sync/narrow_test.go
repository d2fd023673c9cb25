package sync

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
	"github.com/ringfence/ringfence/sync/order/random"
)

// vandalised returns a policy as somebody may have left it: other rules before and behind its own, fewer types, other pods;
// nil if it is gone.
func vandalised(t *rapid.T, want random.Object, others []random.Object) random.Object {
	if rapid.IntRange(0, 5).Draw(t, "gone") == 0 {
		return nil
	}
	live := (&unstructured.Unstructured{Object: want}).DeepCopy().Object
	spec := live["spec"].(map[string]any)
	for _, direction := range []string{"ingress", "egress"} {
		rules, _ := spec[direction].([]any)
		for _, o := range others {
			if more, _ := o["spec"].(map[string]any)[direction].([]any); len(more) > 0 && rapid.Bool().Draw(t, "more") {
				rules = slices.Concat(more, rules)
			}
		}
		if len(rules) > 0 {
			spec[direction] = rules
		}
	}
	if rapid.IntRange(0, 2).Draw(t, "types") == 0 {
		spec["policyTypes"] = []any{rapid.SampledFrom([]any{"Ingress", "Egress"}).Draw(t, "type")}
	}
	if rapid.IntRange(0, 3).Draw(t, "pods") == 0 {
		spec["podSelector"] = map[string]any{"matchLabels": map[string]any{"app": "a"}}
	}
	return live
}

// between returns the policy after the first of two writes: what is wanted, and of the rest what is live.
func between(want, live random.Object) random.Object {
	if live == nil {
		return want
	}
	out := (&unstructured.Unstructured{Object: live}).DeepCopy().Object
	maps.Copy(out["spec"].(map[string]any), want["spec"].(map[string]any))
	return out
}

// What is written while other kinds cannot be seen opens nothing, whatever those hold, in the moment between its two writes
// as little as after.
func TestNarrowerOpensNothing(t *testing.T) {
	spaces := map[string]map[string]string{"t": {"team": "red"}, "u": {"team": "blue"}}
	seed, written, gained := int(seedOf(t)), 0, 0
	for range scaled(3000) {
		seed++
		var want, live random.Object
		r := rapid.Custom(func(t *rapid.T) random.Revision {
			r := random.Draw(t, []string{"t", "u", ""}, true)
			var policies []random.Object
			for _, o := range r["t"] {
				if o["apiVersion"] == "networking.k8s.io/v1" {
					policies = append(policies, o)
				}
			}
			if want, live = nil, nil; len(policies) > 0 {
				want = rapid.SampledFrom(policies).Draw(t, "policy")
				live = vandalised(t, want, policies)
			}
			return r
		}).Example(seed)
		if want == nil {
			continue
		}
		judged := drift.NewWanted(kustomize.Object{Unstructured: &unstructured.Unstructured{Object: want}, Kind: kinds.NetworkPolicy})
		var got *unstructured.Unstructured
		if live != nil {
			got = &unstructured.Unstructured{Object: live}
		}
		reaches := func(policy random.Object) *reach.Connectivity {
			with := maps.Clone(r)
			with["t"] = slices.DeleteFunc(slices.Clone(r["t"]), func(o random.Object) bool { return random.Key(o) == random.Key(want) })
			if policy != nil {
				with["t"] = append(with["t"], policy)
			}
			c, err := random.Connectivity(spaces, with.All())
			require.NoError(t, err)
			return c
		}
		opens := !reach.Between(reaches(want), reaches(live)).Empty() && len(reach.Between(reaches(want), reaches(live)).Gained) > 0
		if !drift.Narrower(judged, got) {
			if opens {
				gained++
			}
			continue
		}
		written++
		require.False(t, opens, "seed %d: %v over %v", seed, want, live)
		require.Empty(t, reach.Between(reaches(between(want, live)), reaches(live)).Gained, "seed %d: on the way from %v to %v", seed, live, want)
	}
	t.Logf("%d may be written; of those that may not, %d would open something", written, gained)
	assert.Positive(t, written)
	assert.Positive(t, gained)
}

// While Calico's own API server is away, Kubernetes policies that were deleted or opened are closed again, and nothing else
// is done: what would open waits, and so does what is new in Git and what has left it. A daemon that begins meanwhile does
// the same. Once the server is back, all follows.
func TestNarrow(t *testing.T) {
	plane, err := controlplane.Start(t.Context(), controlplane.Config{Calico: controlplane.CalicoAggregated, Log: io.Discard})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, plane.Stop()) })
	b := newBenchOn(t, plane.REST())
	var calico, removals atomic.Int64
	b.inject(func(r *http.Request) *http.Response {
		if r.Method != http.MethodGet && strings.HasPrefix(r.URL.Path, "/apis/"+kinds.GroupCalico+"/") {
			calico.Add(1)
		}
		if r.Method == http.MethodDelete {
			removals.Add(1)
		}
		return nil
	})
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	withCalico := func(allowances ...string) map[string]string {
		parts := overlay("a", ns, allowances...)
		parts["overlays/a/objects.yaml"] += "\n---\n" + calicoPolicyText
		return parts
	}
	s := repo.commit(withCalico("one", "two"))
	d.Offer(s)
	d.at(s, Synced, ns)
	d.done(s)
	policy := func(name string) drift.ID { return drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: name} }
	remove := func(name string) {
		require.NoError(t, b.others(policy(name)).Delete(t.Context(), name, metav1.DeleteOptions{}))
	}
	denyAll := b.want(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny-all, namespace: ` + ns + `, labels: {app.kubernetes.io/managed-by: ringfence, ringfence.dev/tenant: ` + ns + `}}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}`)
	closed := func(what string) {
		t.Helper()
		d.soon(what, func() bool {
			live := b.live(policy("deny-all"))
			if live == nil {
				return false
			}
			fields, err := denyAll.Fields(live)
			return err == nil && len(fields) == 0
		})
		b.stands(denyAll)
	}

	require.NoError(t, plane.KillCalico())
	unknown := func() {
		t.Helper()
		d.soon("unknown", func() bool {
			told := d.tenant(ns)
			return told.State == Unknown && strings.Contains(told.Reason, "nothing written but Kubernetes policies that only close")
		})
	}
	unknown()
	calico.Store(0)
	removals.Store(0)
	stays := func() { // whatever was done before deny-all was closed again, and looked at by the same round, was not written
		t.Helper()
		b.merge(policy("deny-all"), `{spec: {egress: [{}]}}`)
		closed("opened by a field that is not ours")
		unknown()
	}
	remove("one")
	d.soon("told", func() bool { return told(d, policy("one")) })
	stays()
	assert.Nil(t, b.live(policy("one")), "it would open")

	remove("deny-all")
	closed("deleted")
	d.soon("told", func() bool {
		return slices.ContainsFunc(d.Drift(), func(e drift.Entry) bool {
			return e.ID == policy("deny-all") && e.Type == drift.Missing && e.Effect == drift.EffectUnknown && !e.Corrected.IsZero()
		})
	})
	d.soon("a round", func() bool {
		rounds := d.tenant(ns).Rounds
		return rounds[0].Why == ForDrift && slices.Equal([]string{"created " + policy("deny-all").String()}, rounds[0].Objects)
	})

	s = repo.commit(withCalico("one", "three"))
	d.Offer(s)
	d.soon("adopted", func() bool { return d.Status().Revision == s.Revision().Commit })
	stays()
	assert.Equal(t, []string{"deny-all", "two"}, d.policies(ns), "what left Git stays, and what is new waits")

	d.stop()
	remove("deny-all")
	d = startDaemon(b, repo, nil)
	d.Offer(s)
	closed("deleted while nobody looked")
	stays()
	assert.Equal(t, []string{"deny-all", "two"}, d.policies(ns))
	assert.Zero(t, calico.Load())
	assert.Zero(t, removals.Load())

	require.NoError(t, plane.StartCalico(t.Context()))
	d.soon("all the rest", func() bool {
		return d.Status().Revision == s.Revision().Commit && d.tenant(ns).State == Synced && slices.Equal([]string{"deny-all", "one", "three"}, d.policies(ns))
	})
}
