package sync

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sources"
)

var updateRefusals = flag.Bool("update", false, "write the golden files of testdata anew")

// refusals are the texts of every guard, as their users read them.
func refusals(t *testing.T) []struct{ guard, text string } {
	t.Helper()
	var out []struct{ guard, text string }
	add := func(guard, text string) { out = append(out, struct{ guard, text string }{guard, text}) }
	now := time.Date(2026, 3, 1, 18, 0, 0, 0, time.UTC)
	revision, newer := strings.Repeat("0123456789", 4), strings.Repeat("9876543210", 4)
	var history pruneHistory
	policy := func(name string) drift.ID {
		return drift.ID{Kind: kinds.NetworkPolicy, Namespace: "caas-acme", Name: name}
	}

	add("more objects leave than may", history.refuse(now, removal{objects: []drift.ID{policy("a"), policy("b")}}, PruneLimit{Objects: 1, Tenants: 3}, revision))
	add("more tenants leave than may", history.refuse(now, removal{tenants: []string{"caas-a", "caas-b", "caas-c", "caas-d", "caas-e"}}, PruneLimit{Objects: 20, Tenants: 3}, revision))
	add("one more within the hour", history.with(now, removal{tenants: []string{"caas-a", "caas-b", "caas-c"}}, PruneLimit{Tenants: 3}).refuse(now, removal{tenants: []string{"caas-d"}}, PruneLimit{Objects: 20, Tenants: 3}, revision))
	_, faults := confirmations([]sources.Trailer{{Commit: newer, Value: "HEAD~1"}, {Commit: newer, Value: newer}}, []pruneHold{{Revisions: []string{revision}}})
	add("a confirmation of no commit", faults[0])
	add("a confirmation of what is not held", faults[1])
	add("no overlay is left", errEmptied.Error())

	waits := &frozen{revision: newer, until: now, tenants: []string{"caas-acme"}}
	add("a freeze", waits.message())
	add("a freeze, and what waits will be refused", (&frozen{revision: newer, until: now, fault: errEmptied.Error()}).message())

	w := &world{targets: map[string]*target{"caas-acme": {name: "caas-acme", overlay: "overlays/acme"}}}
	off := rendering(&kustomize.Tenant{Overlay: "overlays/cluster", Settings: []kustomize.Object{offboardingOf(t, "caas-acme")}})
	letGo(w, nil, off.Rendering)
	add("an Offboarding of what has not left", w.refused[0].Error())

	ns := &drift.Observed{Unstructured: parseObject(t, `{apiVersion: v1, kind: Namespace, metadata: {name: caas-acme, managedFields: [{manager: kustomize-controller, operation: Apply}]}}`)}
	add("first contact", kept(wantedFrom(t, `{apiVersion: v1, kind: Namespace, metadata: {name: caas-acme}}`), "overlays/acme", KeptBy(ns.Unstructured), "ringfence").Error())

	tenant := func(state State, of target, live *drift.Observed, waits *frozen) string {
		of.name, of.overlay = "caas-acme", "overlays/acme"
		return reason(&Tenant{Name: "caas-acme", State: state}, &of, live, waits)
	}
	going := &drift.Observed{Unstructured: parseObject(t, `{apiVersion: v1, kind: Namespace, metadata: {name: caas-acme, deletionTimestamp: "2026-03-01T18:00:00Z"}}`)}
	add("quarantine", tenant(Quarantined, target{quarantined: now}, ns, nil))
	add("quarantine of a namespace that is being deleted", tenant(Quarantined, target{quarantined: now}, going, nil))
	add("quarantine that ends", tenant(Quarantined, target{quarantined: now, released: &kustomize.Offboarding{Origin: kustomize.Origin{File: "overlays/cluster/off.yaml", Line: 1}}}, ns, nil))
	add("suspension", tenant(Suspended, target{own: kustomize.Own{SuspendReason: "the migration"}}, ns, nil))
	add("a tenant that a freeze holds", tenant(Suspended, target{}, ns, waits))
	add("no namespace yet", tenant(Pending, target{}, nil, nil))
	add("a namespace that is being deleted", tenant(Pending, target{}, going, nil))

	one := wantedFrom(t, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: caas-acme}}`)
	tier := wantedFrom(t, `{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: a}}`)
	group := schema.GroupResource{Group: "networking.k8s.io", Resource: "networkpolicies"}
	add("a kind that is not served", describe(tier, errNotServed(tier.ID.Kind)).Error())
	add("a write that is forbidden", describe(one, apierrors.NewForbidden(group, "a", fmt.Errorf("not today"))).Error())
	add("an object that is not accepted", describe(one, apierrors.NewBadRequest("spec.podSelector: required")).Error())
	add("a webhook that rewrites", describe(one, fmt.Errorf("%w: spec.egress", errUnequal)).Error())
	return out
}

func offboardingOf(t *testing.T, namespace string) kustomize.Object {
	t.Helper()
	u := parseObject(t, `{apiVersion: ringfence.dev/v1, kind: Offboarding, metadata: {name: o}, spec: {namespace: `+namespace+`, action: release, reason: x}}`)
	return kustomize.Object{Unstructured: u, Kind: kinds.Kind{GroupVersionKind: u.GroupVersionKind()}, Origin: kustomize.Origin{File: "overlays/cluster/off.yaml", Line: 1}}
}

// Each guard's refusal is one line that says what, why and what to do.
func TestRefusalsAsRead(t *testing.T) {
	var b strings.Builder
	for _, r := range refusals(t) {
		assert.NotEmpty(t, r.text, r.guard)
		assert.NotContains(t, r.text, "\n", r.guard)
		assert.Regexp(t, `\(hint: .+\)|until it is gone|is being removed|waits for the end`, r.text, r.guard)
		fmt.Fprintf(&b, "%s:\n  %s\n", r.guard, r.text)
	}
	golden := filepath.Join("testdata", "refusals.golden")
	if *updateRefusals {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String())
}
