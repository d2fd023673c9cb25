package sync

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Objects of the plans below, by a short name.
var objects = map[string]string{
	"namespace":   `{apiVersion: v1, kind: Namespace, metadata: {name: t}}`,
	"deny-all":    `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny-all, namespace: t}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}`,
	"deny-in":     `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny-in, namespace: t}, spec: {podSelector: {}, policyTypes: [Ingress]}}`,
	"deny-out":    `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny-out, namespace: t}, spec: {podSelector: {}, policyTypes: [Egress]}}`,
	"half-open":   `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: half-open, namespace: t}, spec: {podSelector: {}, policyTypes: [Ingress, Egress], egress: [{}]}}`,
	"guard":       `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: g.others, namespace: t}, spec: {tier: g, types: [Ingress], ingress: [{action: Deny}]}}`,
	"allow":       `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: allow, namespace: t}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{}]}}`,
	"old":         `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: old, namespace: t}, spec: {podSelector: {matchLabels: {a: b}}, policyTypes: [Ingress], ingress: [{}]}}`,
	"tier":        `{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: g}, spec: {}}`,
	"old-tier":    `{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: o}, spec: {}}`,
	"set":         `{apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: s}, spec: {nets: [192.0.2.0/24]}}`,
	"old-set":     `{apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: os}, spec: {nets: [192.0.2.0/24]}}`,
	"global":      `{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: g.p}, spec: {tier: g}}`,
	"old-global":  `{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: o.p}, spec: {tier: o}}`,
	"calico-deny": `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: default.deny, namespace: t}, spec: {types: [Ingress, Egress]}}`,
}

// some returns wanted objects by their short names; one with a star is the guard's.
func some(t testing.TB, list string) (out []*drift.Wanted) {
	t.Helper()
	for name := range strings.FieldsSeq(list) {
		text, ok := objects[strings.TrimSuffix(name, "*")]
		require.True(t, ok, name)
		u := parseObject(t, text)
		out = append(out, drift.NewWanted(kustomize.Object{Unstructured: u, Kind: kindOf(t, u), Guard: strings.HasSuffix(name, "*")}))
	}
	return out
}

func ids(wanted []*drift.Wanted) (out []string) {
	for _, w := range wanted {
		out = append(out, w.ID.Name)
	}
	return out
}

func extras(wanted []*drift.Wanted) (out []drift.Difference) {
	for _, w := range wanted {
		out = append(out, drift.Difference{ID: w.ID, Type: drift.Extra, Got: w.Unstructured})
	}
	return out
}

func TestPlanOrder(t *testing.T) {
	tests := []struct {
		name, tenant, mend, leave, absent string
		want                              []string
	}{
		{
			name: "in a tenant, what closes comes first", tenant: "t", mend: "allow guard* deny-all* namespace", leave: "old",
			want: []string{"t", "deny-all", "g.others", "-old", "allow"},
		},
		{name: "a Calico policy in the default tier isolates too", tenant: "t", mend: "allow calico-deny", want: []string{"default.deny", "allow"}},
		{name: "isolation with rules in the other direction opens", tenant: "t", mend: "half-open deny-in", leave: "old", want: []string{"deny-in", "-old", "half-open"}},
		{
			name: "of the cluster, what others refer to comes first and goes last", tenant: clusterTenant,
			mend: "global set tier", leave: "old-tier old-set old-global", want: []string{"g", "s", "g.p", "-o.p", "-os", "-o"},
		},
		{name: "what is gone already is not removed", tenant: "t", mend: "allow", leave: "old", absent: "old", want: []string{"allow"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var mend []drift.Difference
			for _, w := range some(t, tt.mend) {
				mend = append(mend, drift.Difference{ID: w.ID, Type: drift.Missing, Want: w})
			}
			live := func(id drift.ID) *drift.Observed {
				if id.Name == tt.absent {
					return nil
				}
				return &drift.Observed{ID: id}
			}
			var got []string
			for _, s := range plan(&target{name: tt.tenant}, mend, extras(some(t, tt.leave)), newProgress(), live) {
				name := s.difference.ID.Name
				if s.remove {
					name = "-" + name
				}
				got = append(got, name)
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

// Without isolation nothing is allowed; a Namespace that cannot be changed stops nothing.
func TestNeeded(t *testing.T) {
	there := &drift.Observed{}
	assert.True(t, (&step{rank: rankNamespace}).needed())
	assert.False(t, (&step{rank: rankNamespace, live: there}).needed())
	assert.True(t, (&step{rank: rankIsolation, live: there}).needed())
	assert.True(t, (&step{rank: rankTier, live: there}).needed())
	for _, r := range []rank{rankGuard, rankSet, rankClusterPolicy, rankPrune, rankPruneSet, rankPruneTier, rankAllowance} {
		assert.False(t, (&step{rank: r}).needed())
	}
}

// Isolation is never taken away in a direction that the target leaves open.
func TestLeaving(t *testing.T) {
	tests := []struct{ name, wanted, owned, extra, leave, foreign string }{
		{name: "what was ours leaves, what was not is foreign", wanted: "deny-all", owned: "old deny-all", extra: "old allow", leave: "old", foreign: "allow"},
		{name: "isolation leaves where the target isolates both directions", wanted: "deny-all", owned: "deny-in deny-out calico-deny", extra: "deny-in deny-out calico-deny", leave: "deny-in deny-out calico-deny"},
		{name: "isolation stays where the target isolates nothing", wanted: "allow", owned: "deny-all", extra: "deny-all", foreign: "deny-all"},
		{name: "one direction is not the other", wanted: "deny-in", owned: "deny-all deny-out", extra: "deny-all deny-out", foreign: "deny-all deny-out"},
		{name: "one direction is enough for that one", wanted: "deny-out", owned: "deny-in deny-out", extra: "deny-in", foreign: "deny-in"},
		{name: "two halves are a whole", wanted: "deny-in deny-out", owned: "deny-all", extra: "deny-all", leave: "deny-all"},
		{name: "an empty target keeps the namespace closed", owned: "deny-all old", extra: "deny-all old", leave: "old", foreign: "deny-all"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProgress()
			p.own(&target{wanted: some(t, tt.owned)})
			leave, foreign := leaving(&target{name: "t", wanted: some(t, tt.wanted)}, p, extras(some(t, tt.extra)))
			name := func(list []drift.Difference) (out []string) {
				for _, d := range list {
					out = append(out, d.ID.Name)
				}
				return out
			}
			assert.Equal(t, ids(some(t, tt.leave)), name(leave))
			assert.Equal(t, ids(some(t, tt.foreign)), name(foreign))
		})
	}
}

// What had to stay is still ours once the target is reached, and leaves when it may.
func TestReachKeepsWhatHadToStay(t *testing.T) {
	p := newProgress()
	p.own(&target{wanted: some(t, "deny-all old")})
	open := &target{name: "t", revision: "r", wanted: some(t, "deny-in")}
	_, foreign := leaving(open, p, extras(some(t, "deny-all")))
	p.reach(open, foreign)
	assert.Len(t, p.owned, 2)
	assert.Len(t, p.applied, 1)
	assert.Equal(t, "r", p.revision)
	leave, _ := leaving(&target{wanted: some(t, "deny-in deny-out")}, p, extras(some(t, "deny-all old")))
	require.Len(t, leave, 1)
	assert.Equal(t, "deny-all", leave[0].ID.Name)
}

// A difference from what was last seen equal is drift; any other is yet to be done.
func TestIsDrift(t *testing.T) {
	p := newProgress()
	one, other := some(t, "allow")[0], wantedFrom(t, strings.Replace(objects["allow"], "ingress: [{}]", "ingress: []", 1))
	assert.False(t, p.isDrift(drift.Difference{ID: one.ID, Want: one}), "never seen equal")
	p.confirm(one)
	assert.True(t, p.isDrift(drift.Difference{ID: one.ID, Want: one}))
	assert.False(t, p.isDrift(drift.Difference{ID: one.ID, Want: other}), "Git has changed")
	assert.True(t, p.isDrift(drift.Difference{ID: one.ID}), "an extra")
}

func TestQuarantineComposition(t *testing.T) {
	tests := []struct {
		name, before, guard string
		want                []string
	}{
		{"the guard of the newest revision", "namespace deny-all* guard* allow", "deny-all* guard*", []string{"deny-all", "g.others"}},
		{"without a guard, what isolated before", "namespace deny-all allow half-open", "", []string{"deny-all"}},
		{"a guard that isolates one direction is completed", "deny-in* allow", "deny-in*", []string{"deny-in", quarantineName}},
		{"halves that make a whole are enough", "deny-in deny-out allow", "", []string{"deny-in", "deny-out"}},
		{"nothing isolated: our own does", "namespace allow half-open", "", []string{quarantineName}},
		{"nothing is known: our own does", "", "", []string{quarantineName}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var guard []kustomize.Object
			for _, w := range some(t, tt.guard) {
				guard = append(guard, w.Object)
			}
			before := &target{name: "t", overlay: "overlays/t", revision: "old", wanted: some(t, tt.before)}
			since := someTime()
			q := quarantine(before, guard, before.revision, since)
			assert.Equal(t, tt.want, ids(q.wanted))
			_, ingress, egress := isolation(q.wanted)
			assert.True(t, ingress && egress, "closed in both directions")
			assert.Nil(t, q.namespace(), "a quarantined namespace is never made again")
			assert.Equal(t, since, q.quarantined)
			assert.Equal(t, "old", q.revision)
			// Once more, from itself: the same.
			again := quarantine(q, guard, q.revision, since)
			assert.True(t, again.sameObjects(q))
		})
	}
	w := drift.NewWanted(denyAll("t"))
	assert.Equal(t, kinds.NetworkPolicy, w.ID.Kind)
	assert.True(t, isolatesOnly(w))
}
