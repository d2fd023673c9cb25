package validate

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

var (
	plane struct {
		once    sync.Once
		control *controlplane.ControlPlane
		err     error
	}
	namespaces atomic.Int64 // how many were made
)

func TestMain(m *testing.M) {
	code := m.Run()
	if plane.control != nil {
		if err := plane.control.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// bench is a Validator on the shared API server, whose requests are counted and may be answered by a test.
type bench struct {
	*testing.T
	*Validator
	dynamic   dynamic.Interface // of somebody else
	cluster   *drift.Cluster
	namespace string

	mu       sync.Mutex
	dryRuns  []string // paths
	reads    int      // requests for schemas
	instead  func(*http.Request) *http.Response
	original http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b *bench) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	if r.Method == http.MethodPatch {
		b.dryRuns = append(b.dryRuns, r.URL.Path)
		assert.Equal(b, "All", r.URL.Query().Get("dryRun"))
	}
	if strings.HasPrefix(r.URL.Path, "/openapi/") {
		b.reads++
	}
	instead, next := b.instead, b.original
	b.mu.Unlock()
	if instead != nil {
		if answer := instead(r); answer != nil {
			answer.Request = r
			return answer, nil
		}
	}
	return next.RoundTrip(r)
}

// answer puts something between the validator and the API server; nil takes it away.
func (b *bench) answer(f func(*http.Request) *http.Response) {
	b.mu.Lock()
	b.instead = f
	b.mu.Unlock()
}

// asked returns what was tried since it was last called, and how often schemas were read.
func (b *bench) asked() (dryRuns []string, schemas int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	dryRuns, schemas = b.dryRuns, b.reads
	b.dryRuns, b.reads = nil, 0
	return dryRuns, schemas
}

func newBench(t *testing.T) *bench {
	t.Helper()
	plane.once.Do(func() {
		plane.control, plane.err = controlplane.Start(context.Background(), controlplane.Config{Calico: controlplane.CalicoCRD})
	})
	require.NoError(t, plane.err)
	config := plane.control.REST()
	b := &bench{T: t, namespace: fmt.Sprintf("bench-%d", namespaces.Add(1))}
	var err error
	b.dynamic, err = dynamic.NewForConfig(config)
	require.NoError(t, err)
	counted := rest.CopyConfig(config)
	counted.Wrap(func(next http.RoundTripper) http.RoundTripper { b.original = next; return b })
	clients, err := dynamic.NewForConfig(counted)
	require.NoError(t, err)
	// A client of each: they may share one transport, which is wrapped once.
	disco, err := discovery.NewDiscoveryClientForConfig(counted)
	require.NoError(t, err)
	plain, err := discovery.NewDiscoveryClientForConfig(config)
	require.NoError(t, err)
	meta, err := metadata.NewForConfig(config)
	require.NoError(t, err)
	b.cluster, err = drift.NewCluster(drift.ClusterConfig{Dynamic: b.dynamic, Discovery: plain, Metadata: meta})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.cluster.Run(ctx) }()
	t.Cleanup(func() { cancel(); assert.NoError(t, <-done) })
	b.until("synced", b.cluster.Synced)
	b.Validator, err = New(Config{Dynamic: clients, Discovery: disco, Cluster: b.cluster, Manager: "ringfence", Namespace: "ringfence-system", Timeout: 2 * time.Second})
	require.NoError(t, err)
	b.makeNamespace(b.namespace)
	return b
}

func (b *bench) until(what string, holds func() bool) {
	b.Helper()
	require.Eventually(b, holds, 20*time.Second, 10*time.Millisecond, what)
}

func (b *bench) makeNamespace(name string) {
	b.Helper()
	b.create(runtimeschema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "", `{apiVersion: v1, kind: Namespace, metadata: {name: `+name+`}}`)
	b.until("namespace "+name, func() bool { return b.cluster.Namespace(name) != nil })
}

func (b *bench) create(gvr runtimeschema.GroupVersionResource, namespace, text string) {
	b.Helper()
	var r dynamic.ResourceInterface = b.dynamic.Resource(gvr)
	if namespace != "" {
		r = b.dynamic.Resource(gvr).Namespace(namespace)
	}
	_, err := r.Create(b.Context(), object(b.T, text), metav1.CreateOptions{})
	require.NoError(b, err)
}

var definitions = runtimeschema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

const definition = "clusternetworkpolicies.policy.networking.k8s.io"

// define installs the definition of testdata until the test ends.
func (b *bench) define() {
	b.Helper()
	raw, err := os.ReadFile("testdata/definition.yaml")
	require.NoError(b, err)
	b.create(definitions, "", string(raw))
	k, _ := kinds.Find(runtimeschema.GroupKind{Group: kinds.GroupPolicy, Kind: "ClusterNetworkPolicy"})
	b.Cleanup(func() {
		assert.NoError(b, b.dynamic.Resource(definitions).Delete(context.Background(), definition, metav1.DeleteOptions{}))
		b.until("not served", func() bool { return !b.cluster.Served(k) })
	})
	b.until("served", func() bool { return b.cluster.Served(k) })
	b.until("published", func() bool {
		raw, err := b.config.Discovery.RESTClient().Get().AbsPath("/openapi/v3").Do(b.Context()).Raw()
		return err == nil && strings.Contains(string(raw), "apis/policy.networking.k8s.io/v1alpha2")
	})
	before := b.cluster.Definitions()
	b.until("noticed", func() bool { return b.cluster.Definitions() > before })
}

// forbid makes a rule of the cluster about NetworkPolicies until the test ends, and waits until it holds. It must hold for
// a policy of the bench's namespace whose name begins with "p".
func (b *bench) forbid(condition, message string) {
	b.Helper()
	policies := runtimeschema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"}
	bindings := policies.GroupVersion().WithResource("validatingadmissionpolicybindings")
	b.create(policies, "", fmt.Sprintf(`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: %[1]s}, spec: {
		matchConstraints: {resourceRules: [{apiGroups: [networking.k8s.io], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [networkpolicies]}]},
		validations: [{expression: %[2]q, message: %[3]q}]}}`, b.namespace, "!("+condition+")", message))
	b.create(bindings, "", fmt.Sprintf(`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: %[1]s}, spec: {policyName: %[1]s, validationActions: [Deny]}}`, b.namespace))
	b.Cleanup(func() {
		assert.NoError(b, b.dynamic.Resource(bindings).Delete(context.Background(), b.namespace, metav1.DeleteOptions{}))
		assert.NoError(b, b.dynamic.Resource(policies).Delete(context.Background(), b.namespace, metav1.DeleteOptions{}))
	})
	probe := object(b.T, strings.ReplaceAll(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: probe, namespace: NS}, spec: {podSelector: {}}}`, "NS", b.namespace))
	b.until("the rule holds", func() bool {
		_, err := b.dynamic.Resource(kinds.NetworkPolicy.GVR()).Namespace(b.namespace).Create(b.Context(), probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil
	})
}

func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	require.NoError(t, err, text)
	u := &unstructured.Unstructured{}
	require.NoError(t, u.UnmarshalJSON(raw), text)
	return u
}

// want returns an object as Git would say it. NS is the bench's namespace.
func (b *bench) want(text string) *drift.Wanted {
	b.Helper()
	return wanted(b.T, object(b.T, strings.ReplaceAll(text, "NS", b.namespace)))
}

func wanted(t testing.TB, u *unstructured.Unstructured) *drift.Wanted {
	t.Helper()
	k, ok := kinds.Find(u.GroupVersionKind().GroupKind())
	require.True(t, ok, "%s", u.GroupVersionKind())
	return drift.NewWanted(kustomize.Object{Unstructured: u, Kind: k, Origin: kustomize.Origin{File: "base/" + u.GetName() + ".yaml", Line: 1}})
}

// lines are faults as the tables have them.
func lines(faults []Fault) []string {
	var out []string
	for _, f := range faults {
		line := f.Message
		if f.Path != nil {
			line = fmt.Sprint(f.Path) + " " + line
		}
		if f.Hint != "" {
			line += " (" + f.Hint + ")"
		}
		out = append(out, line)
	}
	return out
}

func nowhere() []string { return nil }

func wants(w ...*drift.Wanted) []*drift.Wanted { return w }
