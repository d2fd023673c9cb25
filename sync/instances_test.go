package sync

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Two instances with tenants of their own share a cluster: each writes and tells
// of its own alone, in one ConfigMap under two keys, each with its own Lease, and
// only the one with a cluster overlay judges what is cluster-scoped.
func TestInstances(t *testing.T) {
	b := newBenchFor(t, kinds.GroupCalico)
	names := map[string]string{"default": b.namespace + "-a", "blue": b.namespace + "-b"}
	all := map[string]*replica{}
	for _, instance := range []string{"default", "blue"} {
		repo, name := newRepository(t), names[instance]
		tree := overlay("one", name, "allowed")
		if instance == "default" {
			tree = files(tree, map[string]string{
				"overlays/cluster/kustomization.yaml": "resources: [policy.yaml]",
				"overlays/cluster/policy.yaml":        b.text(`{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: NS-all}, spec: {selector: "x == 'y'", types: [Ingress]}}`),
			})
		}
		s := repo.commit(tree)
		r := startReplica(b, repo, instance, func(c *Config, _ *Lease) { c.Instance = instance })
		r.until("leading", r.leads)
		r.at(s, Synced, name)
		all[instance] = r
	}
	stray := b.create(`{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: NS-stray}, spec: {selector: "x == 'z'", types: [Ingress]}}`)
	b.merge(policyOf(names["default"], "deny-all"), `{spec: {ingress: [{}]}}`)
	b.merge(policyOf(names["blue"], "allowed"), `{spec: {ingress: [{from: [{podSelector: {}}]}]}}`)
	told := func(r *replica) []string {
		out := map[string]bool{}
		for _, d := range r.Drift() {
			if strings.Contains(d.ID.String(), b.namespace) { // the API server is shared with other tests
				out[fmt.Sprint(d.Type, " ", d.ID.Kind.Kind, " ", d.ID.Name, " ", d.Tenant, " ", !d.Corrected.IsZero())] = true
			}
		}
		return slices.Sorted(maps.Keys(out))
	}
	for instance, want := range map[string][]string{
		"default": {
			"extra GlobalNetworkPolicy " + stray.GetName() + "  false",
			"modified NetworkPolicy deny-all " + names["default"] + " true",
		},
		"blue": {"modified NetworkPolicy allowed " + names["blue"] + " true"},
	} {
		all[instance].until(instance+" has told", func() bool { return slices.Equal(told(all[instance]), want) })
	}
	for instance, r := range all {
		live := b.live(policyOf(names[instance], "deny-all"))
		assert.Equal(t, r.config.manager(), live.GetManagedFields()[0].Manager)
		lease, err := r.lease.Kube.CoordinationV1().Leases(b.namespace).Get(t.Context(), r.config.manager(), metav1.GetOptions{})
		require.NoError(t, err)
		assert.Equal(t, instance, *lease.Spec.HolderIdentity)
		tenants := []string{}
		for _, tenant := range r.Tenants() {
			if tenant.Name != clusterTenant {
				tenants = append(tenants, tenant.Name)
			}
		}
		assert.Equal(t, []string{names[instance]}, tenants)
	}
	state, err := all["blue"].config.Kube.CoreV1().ConfigMaps(b.namespace).Get(t.Context(), StateName, metav1.GetOptions{})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"default.json", "blue.json"}, slices.Collect(maps.Keys(state.Data)))
	all["default"].stop()
	for _, name := range []string{stray.GetName(), b.namespace + "-all"} { // others judge what is cluster-scoped too
		require.NoError(t, b.others(drift.ID{Kind: kindOf(t, stray)}).Delete(t.Context(), name, metav1.DeleteOptions{}))
	}
}
