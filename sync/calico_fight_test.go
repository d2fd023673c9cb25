package sync

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/drift"
)

// wire is what one writer was answered by 200, past all that it makes of it.
type wire struct {
	next     http.RoundTripper
	mu       stdsync.Mutex
	lost     int
	versions []string
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(r)
	if err != nil || r.Method == http.MethodGet || answer.StatusCode >= 300 {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	var o struct{ Metadata metav1.ObjectMeta }
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.Metadata.Name == "" {
		w.lost++
	} else {
		w.versions = append(w.versions, o.Metadata.ResourceVersion)
	}
	return answer, nil
}

// taken returns what was answered since it was last asked.
func (w *wire) taken() (lost int, versions []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	lost, versions, w.lost, w.versions = w.lost, w.versions, 0, nil
	return lost, versions
}

// wired returns a client whose answers are noted.
func wired(t *testing.T, config *rest.Config) (dynamic.Interface, *wire) {
	t.Helper()
	w := &wire{}
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { w.next = next; return w })
	client, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	return client, w
}

// crdPolicies are what Calico's own API server stores policies as.
var crdPolicies = schema.GroupVersionResource{Group: "crd.projectcalico.org", Version: "v1", Resource: "networkpolicies"}

// scribble writes a policy's order, so many times, and does not care what becomes of it.
func (b *bench) scribble(client dynamic.Interface, resource schema.GroupVersionResource, name string, from, times int) {
	for n := range times {
		patch := fmt.Sprintf(`{"spec":{"order":%d}}`, from+1+n)
		_, _ = client.Resource(resource).Namespace(b.namespace).Patch(b.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "rogue"})
	}
}

// stored is what etcd held of one policy, by version: its order.
type stored struct {
	mu     stdsync.Mutex
	orders map[string]float64
}

func watchStored(b *bench, name string) *stored {
	b.Helper()
	h := &stored{orders: map[string]float64{}}
	below := b.rogue.Resource(crdPolicies).Namespace(b.namespace)
	list, err := below.List(b.Context(), metav1.ListOptions{})
	require.NoError(b, err)
	events, err := below.Watch(b.Context(), metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	require.NoError(b, err)
	b.Cleanup(events.Stop)
	go func() {
		for e := range events.ResultChan() {
			u, ok := e.Object.(*unstructured.Unstructured)
			if !ok || u.GetName() != name {
				continue
			}
			order, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "order")
			h.mu.Lock()
			h.orders[u.GetResourceVersion()], _ = toFloat(order)
			h.mu.Unlock()
		}
	}()
	return h
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// of returns the order that a version had, once it is known.
func (h *stored) of(t *testing.T, version string) (order float64) {
	t.Helper()
	require.Eventually(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		var known bool
		order, known = h.orders[version]
		return known
	}, 20*time.Second, 2*time.Millisecond, "version %s never was", version)
	return order
}

// Three writers fight over one policy: we, one who asks for no precondition, as most tools do, and one who writes what is
// stored below Calico's own API server. That one loses some of the writes and calls them done. Whatever we were told was done
// was, and what was not we know of.
func TestCalicoFight(t *testing.T) {
	b := newBenchOn(t, calicoServer(t))
	client, ours := wired(t, b.server)
	told := 0
	b.dynamic, b.lost = client, func(drift.ID) { told++ }
	git := `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: default.fought, namespace: NS}, spec: {selector: all(), types: [Ingress], order: ORDER}}`
	want := func(round int) *drift.Wanted {
		return b.want(strings.Replace(git, "ORDER", fmt.Sprint(round*100), 1))
	}
	history := watchStored(b, "default.fought")
	_, err := b.apply(t.Context(), want(0), nil)
	require.NoError(t, err)
	id := want(0).ID
	rounds := scaled(200)
	done, refused, lost, theirs, theirLost := 0, 0, 0, 0, 0
	var rogues [2]*wire
	var clients [2]dynamic.Interface
	for i := range rogues {
		clients[i], rogues[i] = wired(t, b.server)
	}
	for round := 1; round <= rounds; round++ {
		_, _ = ours.taken()
		before := told
		live := b.live(id)
		var work stdsync.WaitGroup
		work.Go(func() { b.scribble(clients[0], id.Kind.GVR(), id.Name, round*100, 3) })
		work.Go(func() { b.scribble(clients[1], crdPolicies, id.Name, round*100+50, 3+round%20) })
		_, err := b.apply(t.Context(), want(round), live)
		work.Wait()
		for _, w := range rogues {
			n, versions := w.taken()
			theirs, theirLost = theirs+n+len(versions), theirLost+n
		}
		onWire, versions := ours.taken()
		lost += onWire
		assert.Equal(t, onWire, told-before, "what was lost was told")
		if err == nil {
			done++
			require.NotEmpty(t, versions)
			assert.InDelta(t, float64(round*100), history.of(t, versions[len(versions)-1]), 0, "what was said to be done was")
		} else {
			refused++
			assert.True(t, apierrors.IsConflict(err), "%v", err)
		}
	}
	t.Logf("%d rounds: ours were done %d times and known not to be %d times, with %d lost on the way; of theirs %d of %d were lost, and called done", rounds, done, refused, lost, theirLost, theirs)
	_, err = b.apply(t.Context(), want(rounds+1), b.live(id))
	require.NoError(t, err)
	b.stands(want(rounds + 1))
}
