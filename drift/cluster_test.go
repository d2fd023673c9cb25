package drift

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// site is a real API server with a Cluster that watches it.
type site struct {
	*Cluster
	rest    *rest.Config
	dynamic dynamic.Interface
	metrics *Metrics
	start   func()

	refuse atomic.Pointer[string] // path that is answered by 503; nil: none
	fault  atomic.Pointer[fault]  // nil: none

	mu      sync.Mutex
	changed map[string]int // calls of Changed, by namespace
	health  int            // calls of Health
}

// fault stands between a cluster and its API server: it answers a request, or nil
// to let it pass.
type fault func(r *http.Request, next http.RoundTripper) *http.Response

// refusing answers 503 to what its site refuses.
type refusing struct {
	site *site
	next http.RoundTripper
}

func (r refusing) RoundTrip(request *http.Request) (*http.Response, error) {
	if path := r.site.refuse.Load(); path != nil && request.URL.Path == *path {
		return &http.Response{
			StatusCode: http.StatusServiceUnavailable, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: request,
			Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader("service unavailable")),
		}, nil
	}
	if f := r.site.fault.Load(); f != nil {
		if answer := (*f)(request, r.next); answer != nil {
			answer.Request = request
			return answer, nil
		}
	}
	return r.next.RoundTrip(request)
}

func startPlane(t *testing.T, c controlplane.Config) *controlplane.ControlPlane {
	t.Helper()
	p, err := controlplane.Start(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Stop()) })
	return p
}

// newSite runs a Cluster until the test ends.
func newSite(t *testing.T, config *rest.Config) *site {
	t.Helper()
	s := prepareSite(t, config)
	s.start()
	return s
}

// prepareSite makes a Cluster that start runs until the test ends.
func prepareSite(t *testing.T, config *rest.Config) *site {
	t.Helper()
	s := &site{rest: config, metrics: NewMetrics(nil), changed: map[string]int{}}
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return refusing{s, next} })
	var err error
	s.dynamic, err = dynamic.NewForConfig(config)
	require.NoError(t, err)
	disco, err := discovery.NewDiscoveryClientForConfig(config)
	require.NoError(t, err)
	meta, err := metadata.NewForConfig(config)
	require.NoError(t, err)
	s.Cluster, err = NewCluster(ClusterConfig{
		Dynamic: s.dynamic, Discovery: disco, Metadata: meta, Metrics: s.metrics,
		Changed: func(namespace string) { s.mu.Lock(); s.changed[namespace]++; s.mu.Unlock() },
		Health:  func() { s.mu.Lock(); s.health++; s.mu.Unlock() },
	})
	require.NoError(t, err)
	s.start = func() {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			select {
			case err := <-done:
				assert.NoError(t, err)
			case <-time.After(30 * time.Second):
				t.Error("Run does not return")
			}
		})
	}
	return s
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, 40*time.Second, 20*time.Millisecond, what)
}

func (s *site) told(namespace string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed[namespace]
}

func (s *site) healths() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

// metric waits until ringfence_watch_synced says so of a kind: it follows what is said of it.
func (s *site) metric(t *testing.T, kind string, synced float64) {
	t.Helper()
	eventually(t, kind+" is shown so", func() bool { return testutil.ToFloat64(s.metrics.synced.WithLabelValues(kind)) == synced })
}

func (s *site) apply(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{Object: parse(t, text)}
	body, err := u.MarshalJSON()
	require.NoError(t, err)
	answer, err := s.at(u).Patch(t.Context(), u.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: "test"})
	require.NoError(t, err, text)
	return answer
}

func (s *site) at(u *unstructured.Unstructured) dynamic.ResourceInterface {
	gvr := definitions
	namespaced := false
	if k, ok := kinds.Find(u.GroupVersionKind().GroupKind()); ok {
		gvr, namespaced = k.GVR(), k.Namespaced
	}
	if namespaced {
		return s.dynamic.Resource(gvr).Namespace(u.GetNamespace())
	}
	return s.dynamic.Resource(gvr)
}

const networkSetDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: networksets.projectcalico.org}
spec:
  group: projectcalico.org
  scope: Namespaced
  names: {plural: networksets, singular: networkset, kind: NetworkSet, listKind: NetworkSetList}
  versions:
  - name: v3
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

func networkSet() kinds.Kind {
	i := slices.IndexFunc(kinds.Guarded(), func(k kinds.Kind) bool { return k.Kind == "NetworkSet" })
	return kinds.Guarded()[i]
}

// One API server, through what happens to API servers.
func TestClusterLives(t *testing.T) {
	dir := t.TempDir()
	plane := startPlane(t, controlplane.Config{Dir: dir})
	s := newSite(t, plane.REST())
	eventually(t, "synced", s.Synced)
	assert.Empty(t, s.Blind())
	assert.True(t, s.Served(kinds.NetworkPolicy))
	assert.False(t, s.Served(kinds.Tier))
	assert.Equal(t, FlavourNone, s.Flavour())
	assert.Contains(t, s.Namespaces(), "kube-system")
	assert.True(t, s.Namespace("kube-system").Seen.IsZero(), "it was there before")

	s.apply(t, `{apiVersion: v1, kind: Namespace, metadata: {name: tenant}}`)
	eventually(t, "the namespace is seen", func() bool { return s.Namespace("tenant") != nil && s.told("tenant") > 0 })
	s.apply(t, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: tenant}, spec: {podSelector: {}}}`)
	eventually(t, "the policy is seen", func() bool { return len(s.In("tenant")) == 1 })
	policy := ID{Kind: kinds.NetworkPolicy, Namespace: "tenant", Name: "a"}
	assert.False(t, s.Get(policy).Seen.IsZero())

	t.Run("what we write is known before the watch repeats it, and is no news", func(t *testing.T) {
		told := s.told("tenant")
		answer := s.apply(t, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: tenant, labels: {x: z}}, spec: {podSelector: {}}}`)
		s.Wrote(kinds.NetworkPolicy, answer)
		assert.Equal(t, answer.GetResourceVersion(), s.Get(policy).GetResourceVersion())
		s.apply(t, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: b, namespace: tenant}, spec: {podSelector: {}}}`)
		eventually(t, "b", func() bool { return len(s.In("tenant")) == 2 })
		assert.LessOrEqual(t, s.told("tenant"), told+2) // the watch may have been faster once
	})

	t.Run("the audit agrees, and finds what a watch has lost", func(t *testing.T) {
		n, err := s.Audit(t.Context())
		require.NoError(t, err)
		assert.Zero(t, n)
		store := s.of(kinds.NetworkPolicy).store
		lost := s.Get(policy)
		require.NoError(t, store.Delete(lost.Unstructured)) // a deletion that never was
		require.NoError(t, store.Add(stored("tenant", "ghost", "ghost", 1)))
		told := s.told("tenant")
		n, err = s.Audit(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		assert.NotNil(t, s.Get(policy))
		assert.Nil(t, s.Get(ID{Kind: kinds.NetworkPolicy, Namespace: "tenant", Name: "ghost"}))
		assert.Greater(t, s.told("tenant"), told)
		assert.InDelta(t, 2, testutil.ToFloat64(s.metrics.disagreements), 0)
	})

	t.Run("a group that does not answer may have kinds that nobody sees", func(t *testing.T) {
		path, health := "/apis/policy.networking.k8s.io/v1alpha1", s.healths()
		s.refuse.Store(&path)
		s.rediscover()
		eventually(t, "blind", func() bool { return !s.Synced() })
		assert.Contains(t, s.Blind()[0], "AdminNetworkPolicy.policy.networking.k8s.io: asking the API server")
		eventually(t, "told", func() bool { return s.healths() > health })
		health = s.healths()
		s.refuse.Store(nil)
		eventually(t, "synced again", s.Synced)
		eventually(t, "told", func() bool { return s.healths() > health })
	})

	t.Run("who serves Calico's kinds is not guessed from an error", func(t *testing.T) {
		path := "/apis/apiregistration.k8s.io/v1/apiservices/v3.projectcalico.org"
		s.refuse.Store(&path)
		_, err := s.askFlavour(t.Context())
		require.ErrorContains(t, err, "asking who serves projectcalico.org/v3")
		s.refuse.Store(nil)
		flavour, err := s.askFlavour(t.Context())
		require.NoError(t, err)
		assert.Equal(t, FlavourNone, flavour)
	})

	t.Run("a kind appears, vanishes and comes back", func(t *testing.T) {
		for range 2 {
			health := s.healths()
			s.apply(t, networkSetDefinition)
			eventually(t, "served", func() bool { return s.Served(networkSet()) && s.Synced() })
			eventually(t, "told", func() bool { return s.healths() > health })
			assert.Equal(t, FlavourNative, s.Flavour())
			eventually(t, "a set can be made", func() bool {
				u := &unstructured.Unstructured{Object: parse(t, `{apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: s, namespace: tenant}, spec: {nets: [192.0.2.0/24]}}`)}
				_, err := s.at(u).Create(t.Context(), u, metav1.CreateOptions{})
				return err == nil
			})
			set := ID{Kind: networkSet(), Namespace: "tenant", Name: "s"}
			eventually(t, "the set is seen", func() bool { return s.Get(set) != nil })
			health = s.healths()
			require.NoError(t, s.dynamic.Resource(definitions).Delete(t.Context(), "networksets.projectcalico.org", metav1.DeleteOptions{}))
			eventually(t, "served no longer", func() bool { return !s.Served(networkSet()) && s.Synced() && s.Flavour() == FlavourNone })
			eventually(t, "told", func() bool { return s.healths() > health })
			assert.Nil(t, s.Get(set))
		}
	})

	t.Run("a kind that is deleted and installed anew at once", func(t *testing.T) {
		s.apply(t, networkSetDefinition)
		eventually(t, "served", func() bool { return s.Served(networkSet()) && s.Synced() })
		require.NoError(t, s.dynamic.Resource(definitions).Delete(t.Context(), "networksets.projectcalico.org", metav1.DeleteOptions{}))
		eventually(t, "installed anew", func() bool {
			u := &unstructured.Unstructured{Object: parse(t, networkSetDefinition)}
			_, err := s.dynamic.Resource(definitions).Create(t.Context(), u, metav1.CreateOptions{})
			return err == nil
		})
		u := &unstructured.Unstructured{Object: parse(t, `{apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: anew, namespace: tenant}}`)}
		eventually(t, "a set can be made", func() bool {
			_, err := s.at(u).Create(t.Context(), u, metav1.CreateOptions{})
			return err == nil
		})
		eventually(t, "the set is seen", func() bool {
			return s.Synced() && s.Get(ID{Kind: networkSet(), Namespace: "tenant", Name: "anew"}) != nil
		})
	})

	t.Run("the API server goes away and comes back", func(t *testing.T) {
		health := s.healths()
		require.NoError(t, plane.Stop())
		eventually(t, "blind", func() bool { return !s.Synced() })
		eventually(t, "every watch says so", func() bool {
			return slices.ContainsFunc(s.Blind(), func(b string) bool { return strings.HasPrefix(b, "NetworkPolicy.networking.k8s.io: ") })
		})
		eventually(t, "told", func() bool { return s.healths() > health })
		assert.NotNil(t, s.Get(policy), "what was known is not forgotten")
		_, err := s.Audit(t.Context())
		require.Error(t, err)

		health = s.healths()
		startPlane(t, controlplane.Config{Dir: dir})
		eventually(t, "synced again", s.Synced)
		eventually(t, "told", func() bool { return s.healths() > health })
		s.apply(t, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: after, namespace: tenant}, spec: {podSelector: {}}}`)
		eventually(t, "the watch works", func() bool { return s.Get(ID{Kind: kinds.NetworkPolicy, Namespace: "tenant", Name: "after"}) != nil })
		n, err := s.Audit(t.Context())
		require.NoError(t, err)
		assert.Zero(t, n)
	})
}

// Whatever the API server makes of an object on its way in, it stays equal to
// what Git says, on both of Calico's APIs.
func TestEqualToWhatTheServerMakesOfIt(t *testing.T) {
	for _, calico := range []controlplane.Calico{controlplane.CalicoCRD, controlplane.CalicoAggregated} {
		t.Run(string(calico), func(t *testing.T) { testEqualToWhatTheServerMakesOfIt(t, calico) })
	}
}

func testEqualToWhatTheServerMakesOfIt(t *testing.T, calico controlplane.Calico) {
	s := newSite(t, startPlane(t, controlplane.Config{Calico: calico, Log: io.Discard}).REST())
	eventually(t, "synced", s.Synced)
	assert.Equal(t, map[controlplane.Calico]Flavour{controlplane.CalicoCRD: FlavourNative, controlplane.CalicoAggregated: FlavourAggregated}[calico], s.Flavour())
	for _, k := range kinds.Guarded() {
		if k.Group != kinds.GroupPolicy {
			assert.True(t, s.Served(k), label(k))
		}
	}
	s.apply(t, `{apiVersion: v1, kind: Namespace, metadata: {name: ns}}`)
	s.apply(t, `{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: mine}, spec: {}}`)
	objects := []string{
		`{apiVersion: v1, kind: Namespace, metadata: {name: ns, labels: {a: b}}}`,
		`{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: mine}, spec: {}}`,
		`{apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: gs, labels: {a: b}}, spec: {nets: [192.0.2.1/24, "2001:DB8::/32"]}}`,
		`{apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: s, namespace: ns}, spec: {nets: []}}`,
		`{apiVersion: projectcalico.org/v3, kind: StagedKubernetesNetworkPolicy, metadata: {name: sk, namespace: ns}, spec: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}}`,
	}
	for i, spec := range []string{
		`{}`, `{podSelector: {}, egress: []}`, `{podSelector: null, egress: [{}]}`, `{podSelector: {}, policyTypes: [], ingress: [{ports: [{port: 80}, {port: web}]}]}`,
		`{podSelector: {matchLabels: {}}, ingress: [{from: [{podSelector: {}, namespaceSelector: {}}], ports: null}], policyTypes: [Ingress, Egress]}`,
	} {
		objects = append(objects, fmt.Sprintf(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p%d, namespace: ns, annotations: {a: b}}, spec: %s}`, i, spec))
	}
	for i, spec := range []string{
		`{}`, `{egress: [{action: Deny}]}`, `{tier: mine, order: 1.5, ingress: [{action: Allow, protocol: 17, source: {nets: []}}], egress: []}`,
		`{selector: "", types: [], ingress: [{action: Pass, protocol: TCP, destination: {ports: [80, "90:91", 99]}}], egress: [{action: Allow, source: {}}]}`,
	} {
		for kind, meta := range map[string]string{"NetworkPolicy": "namespace: ns", "GlobalNetworkPolicy": "labels: {}", "StagedNetworkPolicy": "namespace: ns", "StagedGlobalNetworkPolicy": "labels: {}"} {
			name := fmt.Sprintf("p%d", i)
			if strings.Contains(spec, "mine") {
				name = "mine." + name
			}
			objects = append(objects, fmt.Sprintf(`{apiVersion: projectcalico.org/v3, kind: %s, metadata: {name: %s, %s}, spec: %s}`, kind, name, meta, spec))
		}
	}
	for _, text := range objects {
		want := wantedOf(t, []map[string]any{parse(t, text)})[0]
		answer := s.apply(t, text)
		fields, err := want.Fields(&Observed{Unstructured: answer, ID: want.ID})
		require.NoError(t, err)
		assert.Empty(t, fields, "%s\nbecame %s", text, asJSON(answer.Object))
		eventually(t, "the watch tells the same of "+text, func() bool {
			live := s.Get(want.ID)
			if live == nil {
				return false
			}
			fields, err := want.Fields(live)
			return err == nil && len(fields) == 0
		})
	}
}
