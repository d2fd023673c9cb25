package sync

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	stdsync "sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
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

// plane is one API server for the tests of this package, started by the first that needs it.
type plane struct {
	once    stdsync.Once
	control *controlplane.ControlPlane
	err     error
}

var (
	planes = map[controlplane.Calico]*plane{controlplane.CalicoCRD: {}, controlplane.CalicoAggregated: {}, controlplane.NoCalico: {}}
	// benches is how many namespaces were made.
	benches atomic.Int64
)

func TestMain(m *testing.M) {
	if config := os.Getenv(asChild); config != "" {
		if err := childMain(config); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	code := m.Run()
	for _, p := range planes {
		if p.control == nil {
			continue
		}
		if err := p.control.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// sharedCalico is how Calico's kinds are served on the shared API server: with RINGFENCE_TEST_CALICO=aggregated by Calico's
// own, with none not at all.
func sharedCalico() controlplane.Calico {
	switch named := os.Getenv("RINGFENCE_TEST_CALICO"); named {
	case "none":
		return controlplane.NoCalico
	default:
		return cmp.Or(controlplane.Calico(named), controlplane.CalicoCRD)
	}
}

// withCalico says whether the shared API server serves Calico's kinds.
func withCalico() bool { return sharedCalico() != controlplane.NoCalico }

// apiServer returns a client's configuration for the shared API server.
func apiServer(t *testing.T) *rest.Config {
	t.Helper()
	return serverOf(t, sharedCalico())
}

// calicoServer returns a client's configuration for an API server beside which Calico's own runs.
func calicoServer(t *testing.T) *rest.Config {
	t.Helper()
	return serverOf(t, controlplane.CalicoAggregated)
}

// onEachFlavour runs a test on the API server of each way in which Calico's kinds are served; with -short, or if
// RINGFENCE_TEST_CALICO names one, on the shared one alone.
func onEachFlavour(t *testing.T, test func(*testing.T, controlplane.Calico)) {
	t.Helper()
	for _, c := range []struct {
		name   string
		calico controlplane.Calico
	}{{"native", controlplane.CalicoCRD}, {"aggregated", controlplane.CalicoAggregated}, {"none", controlplane.NoCalico}} {
		if (testing.Short() || os.Getenv("RINGFENCE_TEST_CALICO") != "") && c.calico != sharedCalico() {
			continue
		}
		t.Run(c.name, func(t *testing.T) { test(t, c.calico) })
	}
}

// serverOf returns a client's configuration for the API server that serves Calico's kinds so.
func serverOf(t *testing.T, calico controlplane.Calico) *rest.Config {
	t.Helper()
	p := planes[calico]
	p.once.Do(func() {
		p.control, p.err = controlplane.Start(context.Background(), controlplane.Config{Calico: calico})
	})
	require.NoError(t, p.err)
	return p.control.REST()
}

// fault stands between a client and the API server. It answers a request itself,
// or does something and answers nil to let it pass.
type fault func(*http.Request) *http.Response

// dryRun says whether a request asks what would happen, and writes nothing.
func dryRun(r *http.Request) bool { return r.URL.Query().Has("dryRun") }

type faulty struct {
	next  http.RoundTripper
	fault *atomic.Pointer[fault]
}

func (f faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	if do := f.fault.Load(); do != nil && *do != nil {
		if answer := (*do)(r); answer != nil {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			answer.Request = r
			return answer, nil
		}
	}
	return f.next.RoundTrip(r)
}

// bench is a writer on the real API server, and someone else who writes there.
type bench struct {
	*testing.T
	*writer
	server    *rest.Config // of the API server
	namespace string
	faults    atomic.Pointer[fault]
	rogue     dynamic.Interface
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchOn(t, apiServer(t))
}

// newBenchFor makes one on an API server that serves the objects of a text.
func newBenchFor(t *testing.T, text string) *bench {
	t.Helper()
	if !withCalico() && strings.Contains(text, kinds.GroupCalico) {
		return newBenchOn(t, calicoServer(t))
	}
	return newBench(t)
}

// newBenchOn makes one on an API server of its own.
func newBenchOn(t *testing.T, config *rest.Config) *bench {
	t.Helper()
	b := &bench{T: t, server: config, namespace: fmt.Sprintf("bench-%d", benches.Add(1))}
	var err error
	b.rogue, err = dynamic.NewForConfig(config)
	require.NoError(t, err)
	faultConfig := rest.CopyConfig(config)
	faultConfig.Wrap(func(next http.RoundTripper) http.RoundTripper { return faulty{next, &b.faults} })
	clients, err := dynamic.NewForConfig(faultConfig)
	require.NoError(t, err)
	disco, err := discovery.NewDiscoveryClientForConfig(config)
	require.NoError(t, err)
	meta, err := metadata.NewForConfig(config)
	require.NoError(t, err)
	cluster, err := drift.NewCluster(drift.ClusterConfig{Dynamic: clients, Discovery: disco, Metadata: meta})
	require.NoError(t, err)
	b.writer = &writer{dynamic: clients, manager: "ringfence", cluster: cluster}
	b.create(`{apiVersion: v1, kind: Namespace, metadata: {name: NS}}`)
	return b
}

// inject puts a fault between the writer and the API server; nil takes it away.
func (b *bench) inject(f fault) { b.faults.Store(&f) }

func kindOf(t testing.TB, u *unstructured.Unstructured) kinds.Kind {
	t.Helper()
	k, ok := kinds.Find(u.GroupVersionKind().GroupKind())
	require.True(t, ok, "no guarded kind: %s", u.GroupVersionKind())
	return k
}

func parseObject(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	raw, err := yaml.YAMLToJSON([]byte(text))
	require.NoError(t, err, text)
	require.NoError(t, u.UnmarshalJSON(raw), text)
	return u
}

// wantedFrom returns an object as Git would say it.
func wantedFrom(t testing.TB, text string) *drift.Wanted {
	t.Helper()
	u := parseObject(t, text)
	return drift.NewWanted(kustomize.Object{
		Unstructured: u, Kind: kindOf(t, u), Origin: kustomize.Origin{File: "base/" + u.GetName() + ".yaml", Line: 1},
	})
}

// text fills in the namespace, NS.
func (b *bench) text(text string) string { return strings.ReplaceAll(text, "NS", b.namespace) }

func (b *bench) want(text string) *drift.Wanted { return wantedFrom(b.T, b.text(text)) }

func (b *bench) others(id drift.ID) dynamic.ResourceInterface {
	r := b.rogue.Resource(id.Kind.GVR())
	if id.Kind.Namespaced {
		return r.Namespace(id.Namespace)
	}
	return r
}

func (b *bench) create(text string) *unstructured.Unstructured {
	b.Helper()
	w := b.want(text)
	u, err := b.others(w.ID).Create(b.Context(), w.DeepCopy(), metav1.CreateOptions{FieldManager: "someone"})
	require.NoError(b, err)
	return u
}

// merge changes an object by a merge patch, as an Update of the manager rogue.
func (b *bench) merge(id drift.ID, patch string) {
	b.Helper()
	raw, err := yaml.YAMLToJSON([]byte(b.text(patch)))
	require.NoError(b, err)
	_, err = b.others(id).Patch(b.Context(), id.Name, types.MergePatchType, raw, metav1.PatchOptions{FieldManager: "rogue"})
	require.NoError(b, err)
}

// force applies an object with force, as the manager rogue.
func (b *bench) force(text string) {
	b.Helper()
	w := b.want(text)
	raw, err := w.MarshalJSON()
	require.NoError(b, err)
	force := true
	_, err = b.others(w.ID).Patch(b.Context(), w.ID.Name, types.ApplyPatchType, raw, metav1.PatchOptions{FieldManager: "rogue", Force: &force})
	require.NoError(b, err)
}

// live returns the object as it is; nil if there is none.
func (b *bench) live(id drift.ID) *drift.Observed {
	b.Helper()
	u, err := b.others(id).Get(b.Context(), id.Name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return &drift.Observed{Unstructured: u, ID: id}
}

// stands checks that the object is what Git says, all of it and nothing else,
// and that one Apply entry of ours is all that managedFields say of us.
func (b *bench) stands(want *drift.Wanted) *drift.Observed {
	b.Helper()
	live := b.live(want.ID)
	require.NotNil(b, live, "%s does not exist", want.ID)
	fields, err := want.Fields(live)
	require.NoError(b, err)
	require.Empty(b, fields, "differs: %s", paths(fields))
	var ours []string
	for _, e := range live.GetManagedFields() {
		if e.Manager == b.manager {
			ours = append(ours, string(e.Operation)+e.Subresource)
		}
	}
	require.Equal(b, []string{"Apply"}, ours)
	return live
}
