package drift

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

var (
	storedPolicies, _ = kinds.Stored(calicoPolicies)
	storedTiers, _    = kinds.Stored(kinds.Tier)
)

func TestForm(t *testing.T) {
	const name = `, annotations: {projectcalico.org/metadata: '{"name": "%s"}'}`
	as := func(shown string) string { return fmt.Sprintf(name, shown) }
	for _, c := range []struct {
		name, annotation, spec string
		shown                  string
		outlaw                 bool
	}{
		{"default.a", "", "{tier: default}", "default.a", false},
		{"default.a", "", "{}", "default.a", false},
		{"default.a", as("a"), "{tier: default}", "a", false},
		{"default.a", as("default.a"), "{tier: default}", "default.a", false},
		{"mine.a", as("mine.a"), "{tier: mine}", "mine.a", false},
		{"default.a", `, annotations: {projectcalico.org/metadata: 'no JSON'}`, "{}", "default.a", false},
		{"a", "", "{tier: default}", "a", true},
		{"a", as("a"), "{}", "a", true},
		{"default.b", as("a"), "{}", "a", true},
		{"a", "", "{tier: mine}", "a", true},
		{"default.a", "", "{tier: mine}", "default.a", true},
		{"mine.a", as("mine.b"), "{tier: mine}", "mine.b", true},
		{"mine.a", "", "{}", "mine.a", true},
		{"knp.default.a", "", "{}", "knp.default.a", true},
		{"default.knp.default.a", as("knp.default.a"), "{}", "knp.default.a", true},
	} {
		u := &unstructured.Unstructured{Object: parse(t, fmt.Sprintf("{metadata: {name: %s%s}, spec: %s}", c.name, c.annotation, c.spec))}
		f := formOf(storedPolicies, u)
		assert.Equal(t, c.outlaw, f.outlaw, "%s%s %s", c.name, c.annotation, c.spec)
		assert.Equal(t, c.shown, f.shown, "%s%s %s", c.name, c.annotation, c.spec)
	}
	tier := &unstructured.Unstructured{Object: parse(t, "{metadata: {name: a}, spec: {}}")}
	assert.Equal(t, &form{shown: "a"}, formOf(storedTiers, tier))
	tier.SetAnnotations(map[string]string{metadataAnnotation: `{"name": "b"}`})
	assert.Equal(t, &form{shown: "b", outlaw: true}, formOf(storedTiers, tier))
}

func TestShownUID(t *testing.T) {
	const kept, shown = "7848635b-6963-49df-bf29-4678d7eb5b38", "1e12c6da-96c6-49fb-bf94-621eebd7da1c"
	assert.Equal(t, types.UID(shown), shownUID(kept))
	assert.Equal(t, types.UID(kept), shownUID(shown))
	assert.Equal(t, types.UID("no uid"), shownUID("no uid"))
}

// beside is somebody who writes to Calico's storage, around its API server.
type beside struct {
	*testing.T
	dynamic.Interface
}

func (b beside) put(name, shown, spec string) {
	b.Helper()
	annotation := ""
	if shown != "" {
		annotation = fmt.Sprintf(`, annotations: {projectcalico.org/metadata: '{"name": %q}'}`, shown)
	}
	u := &unstructured.Unstructured{Object: parse(b.T, fmt.Sprintf("{apiVersion: crd.projectcalico.org/v1, kind: NetworkPolicy, metadata: {name: %s, namespace: default%s}, spec: %s}", name, annotation, spec))}
	_, err := b.Resource(storedPolicies.GVR()).Namespace("default").Create(b.Context(), u, metav1.CreateOptions{FieldManager: "rogue"})
	require.NoError(b, err, name)
}

func (b beside) remove(name string) {
	b.Helper()
	require.NoError(b, b.Resource(storedPolicies.GVR()).Namespace("default").Delete(b.Context(), name, metav1.DeleteOptions{}))
}

// names are what is seen in the namespace default, sorted: what was written around
// Calico's API server, and what it shows.
func (s *site) names() (around, shown []string) {
	for _, o := range s.In("default") {
		switch o.ID.Kind {
		case storedPolicies:
			around = append(around, o.ID.Name)
		case calicoPolicies:
			shown = append(shown, o.ID.Name)
		}
	}
	slices.Sort(around)
	slices.Sort(shown)
	return around, shown
}

// What lies in Calico's storage and is not shown, or takes the place of another, is seen.
func TestAround(t *testing.T) {
	plane := startPlane(t, controlplane.Config{Calico: controlplane.CalicoAggregated, Log: io.Discard})
	s := newSite(t, plane.REST())
	eventually(t, "synced", s.Synced)
	b := beside{t, s.dynamic}
	const allow = "{tier: default, ingress: [{action: Allow}]}"
	ours := s.apply(t, `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: ours, namespace: default}, spec: {tier: default, types: [Ingress]}}`)
	id := ID{Kind: calicoPolicies, Namespace: "default", Name: "ours"}
	sees := func(what string, around, shown []string) {
		t.Helper()
		began := time.Now()
		defer func() { t.Logf("%s after %s", what, time.Since(began).Round(time.Millisecond)) }()
		eventually(t, what, func() bool {
			gotAround, gotShown := s.names()
			return s.Synced() && slices.Equal(around, gotAround) && slices.Equal(shown, gotShown)
		})
	}
	sees("ours", nil, []string{"ours"})

	b.put("default.fair", "", allow) // as that server would write it
	sees("shown as any other", nil, []string{"default.fair", "ours"})

	told := s.told("default")
	b.put("ours", "", allow)
	b.put("default.another", "ours", allow)
	b.put("knp.default.mirror", "", allow)
	b.put("default.knp.default.mirror", "knp.default.mirror", allow)
	b.put("ghost.p", "", "{tier: ghost, ingress: [{action: Allow}]}")
	around := []string{"default.another", "default.knp.default.mirror", "ghost.p", "knp.default.mirror", "ours"}
	sees("each by its own name", around, []string{"default.fair", "ours"})
	assert.Greater(t, s.told("default"), told)
	assert.Equal(t, ours.GetUID(), s.Get(id).GetUID(), "what is ours is not taken for another's")

	t.Run("one who comes later", func(t *testing.T) {
		late := newSite(t, plane.REST())
		eventually(t, "sees the same", func() bool {
			got, shown := late.names()
			return late.Synced() && slices.Equal(around, got) && slices.Equal([]string{"default.fair", "ours"}, shown)
		})
		assert.Equal(t, ours.GetUID(), late.Get(id).GetUID())
		n, err := late.Audit(t.Context())
		require.NoError(t, err)
		assert.Zero(t, n)
	})
	t.Run("the uids are those of the server", func(t *testing.T) {
		kept, err := b.Resource(storedPolicies.GVR()).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		list, err := b.Resource(calicoPolicies.GVR()).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		uids := map[types.UID]bool{}
		for _, o := range kept.Items {
			uids[shownUID(o.GetUID())] = true
		}
		require.Len(t, list.Items, 6, "all but the ghost, two names twice")
		for _, o := range list.Items {
			assert.True(t, uids[o.GetUID()], o.GetName())
		}
	})

	t.Run("staged", func(t *testing.T) {
		s.apply(t, `{apiVersion: projectcalico.org/v3, kind: StagedKubernetesNetworkPolicy, metadata: {name: fair, namespace: default}, spec: {podSelector: {}}}`)
		for kind, names := range map[string][]string{
			"StagedNetworkPolicy": {"default.fair", "staged", "ghost.staged"}, "StagedKubernetesNetworkPolicy": {"also-fair"},
		} {
			k, _ := kinds.Find(schema.GroupKind{Group: kinds.GroupCalico, Kind: kind})
			k, _ = kinds.Stored(k)
			for _, name := range names {
				spec := "{}"
				if name == "ghost.staged" {
					spec = "{tier: ghost}"
				}
				u := &unstructured.Unstructured{Object: parse(t, "{apiVersion: crd.projectcalico.org/v1, kind: "+kind+", metadata: {name: "+name+", namespace: default}, spec: "+spec+"}")}
				_, err := b.Resource(k.GVR()).Namespace("default").Create(t.Context(), u, metav1.CreateOptions{})
				require.NoError(t, err, name)
			}
		}
		staged := func() (around, shown []string) {
			for _, o := range s.In("default") {
				switch {
				case !strings.HasPrefix(o.ID.Kind.Kind, "Staged"):
				case o.ID.Kind.Group == kinds.GroupStored:
					around = append(around, o.ID.Name)
				default:
					shown = append(shown, o.ID.Name)
				}
			}
			slices.Sort(around)
			slices.Sort(shown)
			return around, shown
		}
		eventually(t, "seen as the others are", func() bool {
			around, shown := staged()
			return slices.Equal([]string{"ghost.staged", "staged"}, around) && slices.Equal([]string{"also-fair", "default.fair", "fair"}, shown)
		})
	})

	s.apply(t, `{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: ghost}, spec: {order: 5}}`)
	sees("what has a tier is no ghost", slices.Delete(slices.Clone(around), 2, 3), []string{"default.fair", "ghost.p", "ours"})
	for _, name := range around {
		b.remove(name)
	}
	sees("gone", nil, []string{"default.fair", "ours"})
	assert.Equal(t, ours.GetUID(), s.Get(id).GetUID())
}
