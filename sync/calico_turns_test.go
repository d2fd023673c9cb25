package sync

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// upgrades is somebody who installs, upgrades and removes Calico on an API server.
type upgrades struct {
	*bench
	plane       *controlplane.ControlPlane
	definitions []unstructured.Unstructured // those of Calico's storage
}

var (
	definitionsOf = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	apiServices   = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
)

// newUpgrades begins with an API server that has nothing of Calico.
func newUpgrades(t *testing.T) *upgrades {
	t.Helper()
	plane, err := controlplane.Start(t.Context(), controlplane.Config{Calico: controlplane.CalicoAggregated, Log: io.Discard})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, plane.Stop()) })
	u := &upgrades{bench: newBenchOn(t, plane.REST()), plane: plane}
	list, err := u.rogue.Resource(definitionsOf).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, o := range list.Items {
		if strings.HasSuffix(o.GetName(), "."+kinds.GroupStored) {
			u.definitions = append(u.definitions, o)
		}
	}
	require.NotEmpty(t, u.definitions)
	u.unregister()
	u.remove()
	return u
}

// unregister ends Calico's own API server and takes away its registration.
func (u *upgrades) unregister() {
	u.Helper()
	require.NoError(u, u.plane.KillCalico())
	err := u.rogue.Resource(apiServices).Delete(u.Context(), "v3."+kinds.GroupCalico, metav1.DeleteOptions{})
	require.NoError(u, err)
	u.soon("discovery forgets it", func() bool {
		_, err := u.rogue.Resource(kinds.Tier.GVR()).List(u.Context(), metav1.ListOptions{})
		return apierrors.IsNotFound(err)
	})
}

// define makes definitions, in Calico's own group or, native, as projectcalico.org/v3.
func (u *upgrades) define(native bool) {
	u.Helper()
	for _, kept := range u.definitions {
		o := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": kept.GetAPIVersion(), "kind": kept.GetKind(), "spec": kept.DeepCopy().Object["spec"],
		}}
		o.SetName(kept.GetName())
		plural, _, _ := unstructured.NestedString(o.Object, "spec", "names", "plural")
		if native {
			if plural == "ipamconfigs" { // has another name there
				continue
			}
			o.SetName(plural + "." + kinds.GroupCalico)
			require.NoError(u, unstructured.SetNestedField(o.Object, kinds.GroupCalico, "spec", "group"))
			versions, _, err := unstructured.NestedSlice(o.Object, "spec", "versions")
			require.NoError(u, err)
			versions[0].(map[string]any)["name"] = "v3"
			require.NoError(u, unstructured.SetNestedSlice(o.Object, versions, "spec", "versions"))
		}
		_, err := u.rogue.Resource(definitionsOf).Create(u.Context(), o, metav1.CreateOptions{})
		require.NoError(u, err, o.GetName())
	}
}

// remove takes every definition of Calico's away.
func (u *upgrades) remove() {
	u.Helper()
	u.soon("no definition is left", func() bool {
		list, err := u.rogue.Resource(definitionsOf).List(u.Context(), metav1.ListOptions{})
		require.NoError(u, err)
		left := 0
		for _, o := range list.Items {
			if strings.HasSuffix(o.GetName(), kinds.GroupCalico) {
				left++
				err := u.rogue.Resource(definitionsOf).Delete(u.Context(), o.GetName(), metav1.DeleteOptions{})
				require.True(u, err == nil || apierrors.IsNotFound(err), "%v", err)
			}
		}
		return left == 0
	})
}

// soon waits for what takes long on a machine that has much to do.
func (b *bench) soon(what string, holds func() bool) {
	b.Helper()
	require.Eventually(b, holds, 2*time.Minute, 50*time.Millisecond, what)
}

// Calico is installed under a running daemon, is lost for a while, is upgraded to native definitions, and is removed. A
// tenant without it is served all the time; one with it waits, and says for what; nothing is called missing that only
// cannot be seen.
func TestCalicoComesAndGoes(t *testing.T) {
	u := newUpgrades(t)
	repo := newRepository(t)
	d := startDaemon(u.bench, repo, nil)
	plain, mixed := d.namespace+"-plain", d.namespace+"-mixed"
	fenced := drift.ID{Kind: kindOf(t, parseObject(t, calicoPolicyText)), Namespace: mixed, Name: "calico"}
	parts := files(overlay("plain", plain, "one"), overlay("mixed", mixed, "one"))
	parts["overlays/mixed/objects.yaml"] += "\n---\n" + calicoPolicyText
	s := repo.commit(parts)
	d.Offer(s)
	is := func(what string, flavour drift.Flavour, state State) {
		t.Helper()
		d.soon(what, func() bool {
			return d.cluster.Flavour() == flavour && d.tenant(mixed).State == state && d.tenant(plain).State == Synced
		})
	}
	mends := func(ns string) { // and is not shut out
		t.Helper()
		id := drift.ID{Kind: kinds.NetworkPolicy, Namespace: ns, Name: "deny-all"}
		d.merge(id, `{spec: {ingress: [{}]}}`)
		d.soon("mended", func() bool {
			live := d.live(id)
			return live != nil && len(live.Object["spec"].(map[string]any)) == 2 // selector and types
		})
	}
	none := func() {
		t.Helper()
		is("Calico's policy waits", drift.FlavourNone, Failed)
		d.soon("and says for what", func() bool { // what was told while it went passes
			told := d.tenant(mixed)
			if len(told.Problems) != 1 || told.State != Failed || !d.Status().Ready || len(d.Status().Blind) > 0 {
				return false
			}
			p := told.Problems[0]
			return p.File == "overlays/mixed/objects.yaml" && strings.Contains(p.Error(), "is Calico installed") &&
				strings.Contains(p.Message, "the cluster does not serve projectcalico.org/v3 NetworkPolicy")
		})
		d.soon("what is served is applied", func() bool { return slices.Equal([]string{"deny-all", "one"}, d.policies(mixed)) })
		mends(plain)
		mends(mixed)
	}
	none()

	u.define(false)
	require.NoError(t, u.plane.StartCalico(t.Context()))
	is("written by Calico's own API server", drift.FlavourAggregated, Synced)
	assert.NotNil(t, d.live(fenced))

	require.NoError(t, u.plane.KillCalico())
	d.soon("unknown, and why", func() bool {
		told := d.tenant(mixed)
		return told.State == Unknown && strings.Contains(told.Reason, ".projectcalico.org cannot be seen")
	})
	require.NoError(t, u.plane.StartCalico(t.Context()))
	is("back", drift.FlavourAggregated, Synced)
	assert.False(t, told(d, fenced), "it was never missing: it could not be seen")

	u.unregister()
	u.define(true)
	is("written to the other store", drift.FlavourNative, Synced)
	assert.NotNil(t, d.live(fenced))
	d.merge(fenced, `{spec: {order: 7}}`)
	d.soon("the watch is that of the other store", func() bool {
		live := d.live(fenced)
		if live == nil {
			return false
		}
		_, found, _ := unstructured.NestedFieldNoCopy(live.Object, "spec", "order")
		return !found
	})

	u.remove()
	none()
}

const calicoPolicyText = `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: calico}, spec: {tier: default, types: [Ingress], ingress: [{action: Deny, source: {nets: [192.0.2.0/24]}}]}}`

// told says whether a difference of an object is told of, now or as one that was corrected.
func told(d *daemon, id drift.ID) bool {
	for _, e := range d.Drift() {
		if e.ID == id {
			return true
		}
	}
	return false
}
