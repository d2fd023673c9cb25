package drift

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

var calicoPolicies, _ = kinds.Find(schema.GroupKind{Group: kinds.GroupCalico, Kind: "NetworkPolicy"})

// flavoured is a control plane of one flavour.
type flavoured struct {
	*controlplane.ControlPlane
	dynamic.Interface
	dialect Dialect
}

func flavourOf(t *testing.T, calico controlplane.Calico, want Flavour) flavoured {
	t.Helper()
	plane := startPlane(t, controlplane.Config{Calico: calico, Log: io.Discard})
	client, err := dynamic.NewForConfig(plane.REST())
	require.NoError(t, err)
	got, err := FindFlavour(t.Context(), client)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	return flavoured{plane, client, got.Dialect()}
}

func (f flavoured) policies() dynamic.ResourceInterface {
	return f.Resource(calicoPolicies.GVR()).Namespace("default")
}

func (f flavoured) apply(t *testing.T, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	t.Helper()
	return f.policies().Apply(t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "ringfence", Force: true})
}

// written is a policy as somebody writes it: without what the server adds.
func written(t *testing.T, name, spec string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(fmt.Sprintf("{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: %s}, spec: %s}", name, spec)), &o.Object))
	return o
}

func tier(name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": map[string]any{"name": name}, "spec": spec,
	}}
}

// Each line of the table holds of the real thing.
func TestFlavours(t *testing.T) {
	t.Run("none", func(t *testing.T) { flavourOf(t, controlplane.NoCalico, FlavourNone) })
	for name, f := range map[string]func(*testing.T) flavoured{
		"native":     func(t *testing.T) flavoured { return flavourOf(t, controlplane.CalicoCRD, FlavourNative) },
		"aggregated": func(t *testing.T) flavoured { return flavourOf(t, controlplane.CalicoAggregated, FlavourAggregated) },
	} {
		t.Run(name, func(t *testing.T) {
			f := f(t)
			t.Run("spellings", func(t *testing.T) { testDialectSpellings(t, f) })
			t.Run("dry runs", func(t *testing.T) { testDialectDryRuns(t, f) })
			t.Run("complete", func(t *testing.T) { testDialectComplete(t, f) })
			t.Run("watches", func(t *testing.T) { testDialectWatches(t, f) })
			if f.dialect.LosesWrites { // the API server of Calico's own
				t.Run("refusals", func(t *testing.T) { testDialectRefusals(t, f) })
				t.Run("away", func(t *testing.T) { testDialectAway(t, f) })
			}
		})
	}
}

func testDialectSpellings(t *testing.T, f flavoured) {
	_, err := f.apply(t, written(t, "spelt", "{tier: default, types: [Ingress]}"))
	require.NoError(t, err)
	_, err = f.apply(t, written(t, "default.spelt", "{tier: default, types: [Ingress]}"))
	assert.Equal(t, f.dialect.Same(calicoPolicies, "spelt", "default.spelt"), err != nil, "%v", err)
	_, err = f.apply(t, written(t, "bare", "{tier: adminnetworkpolicy, types: [Ingress]}"))
	assert.Equal(t, f.dialect.Prefixed, err != nil, "%v", err)
}

func testDialectDryRuns(t *testing.T, f flavoured) {
	wrong := tier("dry", map[string]any{"defaultAction": "Allow"})
	write := func(dryRun ...string) error {
		_, err := f.Resource(kinds.Tier.GVR()).Create(t.Context(), wrong, metav1.CreateOptions{DryRun: dryRun})
		return err
	}
	require.Error(t, write())
	err := write(metav1.DryRunAll)
	assert.Equal(t, f.dialect.DryRuns, err != nil, "%v", err)
}

func testDialectComplete(t *testing.T, f flavoured) {
	bare := written(t, "complete", "{ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}, {action: Deny}]}")
	twice := func(o *unstructured.Unstructured) (moved bool) {
		first, err := f.apply(t, o)
		require.NoError(t, err)
		time.Sleep(1100 * time.Millisecond) // a manager's entry has its time in seconds
		again, err := f.apply(t, o)
		require.NoError(t, err)
		return first.GetResourceVersion() != again.GetResourceVersion()
	}
	assert.Equal(t, f.dialect.Restless, twice(bare))
	assert.False(t, twice(Complete(calicoPolicies, bare)))

	more := written(t, "complete", "{ingress: [{action: Allow}], egress: [{action: Allow}]}")
	got, err := f.apply(t, Complete(calicoPolicies, more))
	require.NoError(t, err)
	types, _, _ := unstructured.NestedStringSlice(got.Object, "spec", "types")
	assert.Equal(t, []string{"Ingress", "Egress"}, types, "complete, no type sticks")

	_, err = f.apply(t, written(t, "sticky", "{ingress: [{action: Allow}]}"))
	require.NoError(t, err)
	got, err = f.apply(t, written(t, "sticky", "{ingress: [{action: Allow}], egress: [{action: Allow}]}"))
	require.NoError(t, err)
	types, found, _ := unstructured.NestedStringSlice(got.Object, "spec", "types")
	assert.Equal(t, f.dialect.StickyTypes, found && len(types) == 1)
}

func testDialectWatches(t *testing.T, f flavoured) {
	_, err := f.apply(t, written(t, "watched", "{order: 1, types: [Ingress]}"))
	require.NoError(t, err)
	list, err := f.policies().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	w, err := f.policies().Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	require.NoError(t, err)
	defer w.Stop()
	_, err = f.apply(t, written(t, "watched", "{order: 2, types: [Ingress]}"))
	require.NoError(t, err)
	e := <-w.ResultChan()
	assert.Equal(t, f.dialect.SaysModified, e.Type == watch.Modified, "%s", e.Type)

	_, err = f.Resource(kinds.Tier.GVR()).Create(t.Context(), tier("ends", map[string]any{"order": int64(1)}), metav1.CreateOptions{})
	require.NoError(t, err)
	ended := false
	select {
	case _, ok := <-w.ResultChan():
		ended = !ok
	case <-time.After(2 * time.Second):
	}
	assert.Equal(t, f.dialect.TierEndsWatches, ended)

	page, err := f.policies().List(t.Context(), metav1.ListOptions{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, f.dialect.Bookmarks, page.GetContinue() != "", "who has bookmarks has pages")
}

func testDialectRefusals(t *testing.T, f flavoured) {
	for spec, want := range map[string]Refusal{
		"default.spelt {types: [Ingress]}":                  RefusalSpelling,
		"absent.p {tier: absent, types: [Ingress]}":         RefusalTier,
		"p {tier: ends, types: [Ingress]}":                  RefusalInvalid,
		"p {types: [Ingress], selector: \"a = 'b'\"}":       RefusalInvalid,
		"p {types: [Ingress], bogus: 1}":                    RefusalInvalid,
		"a.b.c {types: [Ingress]}":                          RefusalInvalid,
		"knp.default.x {types: [Ingress]}":                  RefusalInvalid,
		"p {types: [Ingress], ingress: [{action: Permit}]}": RefusalInvalid,
	} {
		name, spec, _ := strings.Cut(spec, " ")
		_, err := f.apply(t, written(t, name, spec))
		require.Error(t, err, spec)
		assert.Equal(t, want, RefusalOf(err), "%s %s: %v", name, spec, err)
	}
	_, err := f.policies().Create(t.Context(), written(t, "absent.p", "{tier: absent}"), metav1.CreateOptions{})
	assert.Equal(t, RefusalTier, RefusalOf(err), "%v", err)
	_, err = f.policies().Get(t.Context(), "absent", metav1.GetOptions{})
	assert.Equal(t, RefusalNone, RefusalOf(err), "404 means what it says")
	_, err = f.policies().Get(t.Context(), "default.spelt", metav1.GetOptions{})
	assert.Equal(t, RefusalSpelling, RefusalOf(err), "%v", err)
	err = f.Resource(kinds.Tier.GVR()).Delete(t.Context(), "default", metav1.DeleteOptions{})
	assert.Equal(t, RefusalOccupied, RefusalOf(err), "%v", err)

	w, err := f.policies().Watch(t.Context(), metav1.ListOptions{ResourceVersion: "1"})
	require.NoError(t, err)
	defer w.Stop()
	e := <-w.ResultChan()
	assert.Equal(t, RefusalExpired, RefusalOf(apierrors.FromObject(e.Object)), "%v", e.Object)
}

// A server that is down is of the same flavour, and what it says is no word on an object.
func testDialectAway(t *testing.T, f flavoured) {
	require.NoError(t, f.KillCalico())
	_, err := f.policies().Get(t.Context(), "spelt", metav1.GetOptions{})
	assert.Equal(t, RefusalAway, RefusalOf(err), "%v", err)
	got, err := FindFlavour(t.Context(), f)
	require.NoError(t, err)
	assert.Equal(t, FlavourAggregated, got)
}

func TestUnknownFlavourIsTheWorst(t *testing.T) {
	assert.Equal(t, FlavourAggregated.Dialect(), Flavour("").Dialect())
	assert.False(t, FlavourNative.Dialect().Same(calicoPolicies, "p", "default.p"))
	assert.False(t, FlavourAggregated.Dialect().Same(kinds.Tier, "p", "default.p"), "a tier has one name")
}

func TestLost(t *testing.T) {
	sent := written(t, "p", "{}")
	answer := sent.DeepCopy()
	assert.True(t, Lost(sent, answer))
	answer.SetResourceVersion("7")
	assert.False(t, Lost(sent, answer))
	answer.SetName("")
	assert.True(t, Lost(sent, answer))
}

func TestCompleteLeavesAlone(t *testing.T) {
	for _, o := range []*unstructured.Unstructured{
		written(t, "p", "{stagedAction: Delete}"), written(t, "p", "[what is no spec]"),
	} {
		before := o.DeepCopy()
		assert.Equal(t, before, Complete(calicoPolicies, o))
	}
	set := written(t, "s", "{nets: []}")
	assert.Same(t, set, Complete(kinds.NetworkPolicy, set))
	bare := written(t, "p", "{egress: [{action: Allow}, what is no rule]}")
	before := bare.DeepCopy()
	assert.Equal(t, written(t, "p", "{tier: default, types: [Egress], egress: [{action: Allow, source: {}, destination: {}}, what is no rule]}"), Complete(calicoPolicies, bare))
	assert.Equal(t, before, bare)
}
