package sync

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
)

// loose are objects that leave to Calico's API server whatever it adds.
var loose = map[string]string{
	"a policy":                    `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: loose, namespace: NS}, spec: {selector: all(), ingress: [{action: Allow}, {action: Deny, source: {nets: [192.0.2.0/24]}}], egress: [{action: Allow, protocol: "17", destination: {}}]}}`,
	"a global policy":             `{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: NS-loose}, spec: {selector: all(), egress: [{action: Allow}]}}`,
	"a staged policy":             `{apiVersion: projectcalico.org/v3, kind: StagedNetworkPolicy, metadata: {name: loose, namespace: NS}, spec: {selector: all(), ingress: [{action: Allow}]}}`,
	"a policy with ports":         `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: ports, namespace: NS}, spec: {selector: "", types: [], order: null, ingress: [], egress: [{action: Allow, protocol: TCP, destination: {ports: ["80", 81, "82:83", dns], nets: []}}]}}`,
	"a Kubernetes policy, staged": `{apiVersion: projectcalico.org/v3, kind: StagedKubernetesNetworkPolicy, metadata: {name: loose, namespace: NS}, spec: {podSelector: {}, ingress: [{ports: [{port: 80}]}], egress: []}}`,
	"a global policy, staged":     `{apiVersion: projectcalico.org/v3, kind: StagedGlobalNetworkPolicy, metadata: {name: NS-loose}, spec: {selector: all(), doNotTrack: false, ingress: [{action: Allow}]}}`,
	"an empty set":                `{apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: empty, namespace: NS}, spec: {nets: []}}`,
	"a policy of none":            `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: nothing, namespace: NS}, spec: {selector: all()}}`,
	"a tier":                      `{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: NS-loose}, spec: {order: 4000}}`,
	"a tier of none":              `{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: NS-none}}`,
	"a set":                       networkSet,
	"a global set":                `{apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: NS-loose}, spec: {nets: [192.0.2.0/24]}}`,
}

// On Calico's own API server, an apply of what is there already changes nothing, and what is made there is made once: a
// creation that comes late, as of a leader that was stopped, undoes nothing.
func TestCalicoAppliesOnce(t *testing.T) {
	for name, git := range loose {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBenchOn(t, calicoServer(t))
			want := b.want(git)
			did, err := b.apply(t.Context(), want, nil)
			require.NoError(t, err)
			assert.Equal(t, created, did)
			live := b.stands(want)

			time.Sleep(1100 * time.Millisecond) // the time of a manager's entry is in seconds
			_, err = b.apply(t.Context(), want, live)
			require.NoError(t, err)
			assert.Equal(t, live.GetResourceVersion(), b.stands(want).GetResourceVersion(), "nothing has changed")

			late := b.want(strings.Replace(git, "{name:", "{labels: {late: x}, name:", 1))
			for _, before := range []string{"by us", "by somebody else"} {
				_, err = b.once(t.Context(), late, nil)
				require.True(t, apierrors.IsConflict(err), "%v", err)
				assert.NotContains(t, b.live(want.ID).GetLabels(), "late", "made %s", before)
				require.NoError(t, b.others(want.ID).Delete(t.Context(), want.ID.Name, metav1.DeleteOptions{}))
				b.create(git)
			}
			require.NoError(t, b.others(want.ID).Delete(t.Context(), want.ID.Name, metav1.DeleteOptions{}))
			t.Cleanup(func() { sweepCluster(b) })
		})
	}
}

// The types of a policy follow its rules, though Calico's own API server fills them in but once.
func TestCalicoTypesFollow(t *testing.T) {
	b := newBenchOn(t, calicoServer(t))
	git := `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: grows, namespace: NS}, spec: {selector: all(), ingress: [{action: Allow}]RULES}}`
	for _, rules := range []string{"", ", egress: [{action: Allow}]", ""} {
		want := b.want(strings.Replace(git, "RULES", rules, 1))
		_, err := b.apply(t.Context(), want, b.live(want.ID))
		require.NoError(t, err)
		live := b.stands(want)
		types, _, err := unstructured.NestedStringSlice(live.Object, "spec", "types")
		require.NoError(t, err)
		if rules == "" {
			assert.Equal(t, []string{"Ingress"}, types)
		} else {
			assert.Equal(t, []string{"Ingress", "Egress"}, types)
		}
	}
}

// A policy that stands under the other spelling of its name is one and the same to Calico's own API server: it is
// replaced, and a copy stands in meanwhile.
func TestCalicoSpellings(t *testing.T) {
	for _, names := range [][2]string{{"p", "default.p"}, {"default.p", "p"}} {
		t.Run(names[0]+" for "+names[1], func(t *testing.T) {
			b := newBenchOn(t, calicoServer(t))
			git := `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: NAME, namespace: NS}, spec: {selector: all(), types: [Ingress]}}`
			want, other := b.want(strings.Replace(git, "NAME", names[0], 1)), b.want(strings.Replace(git, "NAME", names[1], 1))
			assert.Equal(t, other.ID, drift.OtherSpelling(want.ID))
			_, err := b.apply(t.Context(), other, nil)
			require.NoError(t, err)
			events, err := b.others(want.ID).Watch(t.Context(), metav1.ListOptions{ResourceVersion: b.live(other.ID).GetResourceVersion()})
			require.NoError(t, err)
			t.Cleanup(events.Stop)

			b.wants = func(id drift.ID) bool { return id == other.ID }
			_, err = b.apply(t.Context(), want, nil)
			require.ErrorContains(t, err, "to Calico's API server both are one")
			assert.Contains(t, problems(describe(want, err))[0].Hint, "leave one of them out")

			b.wants = func(id drift.ID) bool { return id == want.ID }
			did, err := b.apply(t.Context(), want, nil)
			require.NoError(t, err)
			assert.Equal(t, updated, did)
			b.stands(want)
			assert.Nil(t, b.live(other.ID))
			there := map[string]bool{names[1]: true}
			for range 4 {
				name, gone := next(t, events)
				there[name] = !gone
				assert.Contains(t, there, names[1])
				assert.True(t, there[names[0]] || there[names[1]] || there[names[0]+kustomize.ReservedSuffix], "none stands")
			}
			assert.Equal(t, map[string]bool{names[0]: true, names[1]: false, names[0] + kustomize.ReservedSuffix: false}, there)

			require.NoError(t, b.remove(t.Context(), &drift.Observed{Unstructured: b.live(want.ID).Unstructured, ID: other.ID}), "there is none of that name")
			b.stands(want)
		})
	}
}

// A policy that is spelt otherwise, in Git or by somebody else's hand, ends as Git says, and nothing fails on the way.
func TestCalicoRespelt(t *testing.T) {
	b := newBenchOn(t, calicoServer(t))
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	git := `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: NAME, namespace: ` + ns + `}, spec: {selector: all(), types: [Ingress]}}`
	policy := b.want(strings.Replace(git, "NAME", "p", 1)).ID
	for _, name := range []string{"p", "default.p", "p"} {
		tree := overlay("a", ns)
		tree["overlays/a/objects.yaml"] += "\n---\n" + strings.Replace(git, "NAME", name, 1)
		s := repo.commit(tree)
		d.Offer(s)
		d.at(s, Synced, ns)
		d.done(s)
		assert.Equal(t, []string{name}, b.namesOf(policy), "of %s", name)
	}
	taken := make(chan struct{})
	b.inject(func(r *http.Request) *http.Response { // somebody else is first
		if r.Method != http.MethodGet && strings.HasSuffix(r.URL.Path, "/networkpolicies/p") {
			select {
			case <-taken:
			case <-r.Context().Done():
			}
		}
		return nil
	})
	require.NoError(t, b.others(policy).Delete(t.Context(), policy.Name, metav1.DeleteOptions{}))
	b.create(strings.Replace(strings.Replace(git, "NAME", "default.p", 1), "all()", "has(nothing)", 1))
	close(taken)
	d.until("it is p again", func() bool { return slices.Equal(b.namesOf(policy), []string{"p"}) })
	d.until("and synced", func() bool { return d.tenant(ns).State == Synced && len(b.namesOf(policy)) == 1 })
	assert.Zero(t, testutil.ToFloat64(d.config.Metrics.objects.WithLabelValues(string(failed))))
}

// namesOf returns the names of the objects that are beside one.
func (b *bench) namesOf(id drift.ID) (names []string) {
	b.Helper()
	list, err := b.others(id).List(b.Context(), metav1.ListOptions{})
	require.NoError(b, err)
	for _, o := range list.Items {
		names = append(names, o.GetName())
	}
	return names
}

// What Calico's own API server refuses without saying why is a problem of the file that says it, with a hint.
func TestCalicoRefusals(t *testing.T) {
	policy := `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: bad, namespace: NS}, spec: {selector: all(), types: [Ingress]}}`
	tests := []struct{ name, git, problem string }{
		{"a selector", strings.Replace(policy, "all()", `"app = 1"`, 1), `^base/bad.yaml:1: writing NetworkPolicy.projectcalico.org bench-\d+/bad: .*Selector.*\(hint: the API server does not accept the object as it is written there\)$`},
		{"several fields", strings.Replace(policy, "types: [Ingress]", "types: [Sideways], ingress: [{action: Permit}]", 1), `^base/bad.yaml:1: .*Action.*does not accept the object`},
		{"an unknown field", strings.Replace(policy, "types", "typos", 1), `^base/bad.yaml:1: .*typos.*does not accept the object`},
		{"a name without its tier", strings.Replace(policy, "types", "tier: adminnetworkpolicy, types", 1), `^base/bad.yaml:1: .*Incorrectly formatted.*does not accept the object`},
		{"a tier that is not there", strings.Replace(strings.Replace(policy, "types", "tier: nowhere, types", 1), "bad", "nowhere.bad", 1), `^base/nowhere.bad.yaml:1: .*nowhere.*\(hint: its tier does not exist: is there a Tier of that name in the cluster overlay\?`},
	}
	b := newBenchOn(t, calicoServer(t))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := b.want(tt.git)
			did, err := b.apply(t.Context(), want, nil)
			require.Error(t, err)
			assert.Equal(t, failed, did)
			found := problems(describe(want, err))
			require.Len(t, found, 1)
			assert.Regexp(t, tt.problem, found[0].Error())
		})
	}
}
