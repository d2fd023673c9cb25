package sync

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func newStateStore(b *bench, instance string) *stateStore {
	b.Helper()
	config := rest.CopyConfig(b.server)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return faulty{next, &b.faults} })
	kube, err := kubernetes.NewForConfig(config)
	require.NoError(b, err)
	return &stateStore{kube: kube, namespace: b.namespace + "-system", instance: instance, manager: "ringfence"}
}

func TestStateSurvives(t *testing.T) {
	b := newBench(t)
	s := newStateStore(b, "default")
	empty, err := s.load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, state{}, empty)
	require.NoError(t, s.save(t.Context(), state{}), "nothing to say, nothing to write")
	_, err = s.kube.CoreV1().Namespaces().Get(t.Context(), s.namespace, metav1.GetOptions{})
	require.Error(t, err)

	since := someTime()
	st := state{
		Applied: "c1", Pending: []string{"c2", "c3"}, Owners: map[string]string{"a": "overlays/a"},
		Tenants: map[string]exception{"a": {Revision: "c0"}, "b": {Revision: "c0", Quarantined: &since}, "": {}},
	}
	require.NoError(t, s.save(t.Context(), st), "the namespace is made")
	again := newStateStore(b, "default")
	got, err := again.load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, st, got)
	assert.ElementsMatch(t, []string{"c0", "c1", "c2", "c3"}, got.commits())

	// The same once more, however it is spelled, is no request.
	b.inject(func(r *http.Request) *http.Response { t.Errorf("%s %s", r.Method, r.URL); return nil })
	require.NoError(t, again.save(t.Context(), st))
	b.inject(nil)
	// One that differs is one request.
	requests := 0
	b.inject(func(*http.Request) *http.Response { requests++; return nil })
	st.Pending = nil
	require.NoError(t, again.save(t.Context(), st))
	assert.Equal(t, 1, requests)
	b.inject(nil)
	// Whoever deletes it meanwhile: it is made anew.
	require.NoError(t, s.kube.CoreV1().ConfigMaps(s.namespace).Delete(t.Context(), StateName, metav1.DeleteOptions{}))
	st.Applied = "c4"
	require.NoError(t, again.save(t.Context(), st))
	got, err = newStateStore(b, "default").load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "c4", got.Applied)
}

// Two instances keep their states in one ConfigMap and never lose the other's.
func TestStateOfTwoInstances(t *testing.T) {
	b := newBench(t)
	one, two := newStateStore(b, "default"), newStateStore(b, "blue")
	for _, s := range []*stateStore{one, two} {
		_, err := s.load(t.Context())
		require.NoError(t, err)
	}
	for _, applied := range []string{"c1", "c2", "c3"} {
		require.NoError(t, one.save(t.Context(), state{Applied: "one-" + applied}))
		require.NoError(t, two.save(t.Context(), state{Applied: "two-" + applied}))
	}
	cm, err := one.kube.CoreV1().ConfigMaps(one.namespace).Get(t.Context(), StateName, metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"default.json": `{"applied":"one-c3"}`, "blue.json": `{"applied":"two-c3"}`}, cm.Data)
}

// A state that is not what Ringfence wrote is an error, and never an empty one.
func TestStateThatIsBroken(t *testing.T) {
	b := newBench(t)
	s := newStateStore(b, "default")
	require.NoError(t, s.save(t.Context(), state{Applied: "c1"}))
	cm, err := s.kube.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), StateName, metav1.GetOptions{})
	require.NoError(t, err)
	for _, text := range []string{"{", `{"applied": 7}`, "applied: c1"} {
		cm.Data = map[string]string{"default.json": text}
		cm, err = s.kube.CoreV1().ConfigMaps(s.namespace).Update(t.Context(), cm, metav1.UpdateOptions{})
		require.NoError(t, err)
		_, err = newStateStore(b, "default").load(t.Context())
		require.ErrorContains(t, err, "key default.json is not what Ringfence wrote", text)
		require.ErrorContains(t, err, "hint: mend it, or delete the key")
	}
	other, err := newStateStore(b, "blue").load(t.Context())
	require.NoError(t, err, "another instance's is no concern")
	assert.Equal(t, state{}, other)
}

// A state that cannot be saved now can be later.
func TestStateThatCannotBeSaved(t *testing.T) {
	b := newBench(t)
	s := newStateStore(b, "default")
	require.NoError(t, s.save(t.Context(), state{Applied: "c1"}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.save(ctx, state{Applied: "c2"})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "saving ConfigMap "+s.namespace+"/ringfence-state")
	require.NoError(t, s.save(t.Context(), state{Applied: "c2"}))
	got, err := newStateStore(b, "default").load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "c2", got.Applied)
}

// The state is composed from what each tenant was last known to stand at.
func TestCompose(t *testing.T) {
	b := newBench(t)
	o := newOwner(prepareDaemon(b, newRepository(t), nil).Engine)
	since := someTime()
	at := func(name, revision, list string) *target {
		return &target{name: name, overlay: "overlays/" + name, revision: revision, wanted: some(t, list), good: true}
	}
	quarantined := at("left", "c1", "deny-all")
	quarantined.quarantined = since
	o.previous = &world{revision: "c3", rendered: rendering(), targets: map[string]*target{
		"same": at("same", "c3", "allow"), "never": at("never", "c3", "allow"), "failing": at("failing", "c3", "allow deny-all"),
		"broken": at("broken", "c2", "allow"), "stuck": at("stuck", "c2", "allow"), "left": quarantined, "": at("", "c3", "tier"),
	}}
	o.base = map[string]*target{
		"same": at("same", "c2", "allow"), "failing": at("failing", "c1", "allow"), "broken": at("broken", "c2", "allow"),
		"stuck": at("stuck", "c1", "deny-all"), "left": at("left", "c1", "deny-all"), "": at("", "c1", "tier"),
	}
	assert.Equal(t, state{
		Applied: "c3", Pending: []string{"c2"}, // of stuck, parts of c2 may be in the cluster
		Tenants: map[string]exception{
			"never": {}, "failing": {Revision: "c1"}, "broken": {Revision: "c2"}, "stuck": {Revision: "c1"},
			"left": {Revision: "c1", Quarantined: &since},
		},
	}, o.compose())

	o.previous.rendered.Rendering.Unplaced = []string{"overlays/newcomer"}
	assert.Equal(t, map[string]string{
		"same": "overlays/same", "never": "overlays/never", "failing": "overlays/failing", "broken": "overlays/broken", "stuck": "overlays/stuck",
	}, o.compose().Owners)
}

// A state that cannot be read is waited for, and told.
func TestLoadWaits(t *testing.T) {
	b := newBench(t)
	d := prepareDaemon(b, newRepository(t), nil)
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: StateName}, Data: map[string]string{"default.json": "{"}}
	_, err := d.config.Kube.CoreV1().ConfigMaps(b.namespace).Create(t.Context(), cm, metav1.CreateOptions{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	d.until("told", func() bool { return strings.Contains(d.Status().Waiting, "not what Ringfence wrote") })
	select {
	case <-d.Loaded():
		t.Error("loaded")
	default:
	}
	cm.Data = map[string]string{"default.json": `{"applied":"c1"}`}
	_, err = d.config.Kube.CoreV1().ConfigMaps(b.namespace).Update(t.Context(), cm, metav1.UpdateOptions{})
	require.NoError(t, err)
	select {
	case <-d.Loaded():
	case <-time.After(10 * time.Second):
		t.Error("not loaded")
	}
	d.repo.mu.Lock()
	assert.Equal(t, "c1", d.repo.floor)
	d.repo.mu.Unlock()
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
