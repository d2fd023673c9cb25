package trouble

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ringfence/ringfence/sync/controlplane"
)

// road is a proxy before a real API server, with what it has seen.
type road struct {
	*testing.T
	*Proxy
	straight, through typed.ConfigMapInterface

	mu   sync.Mutex
	seen []Answer
}

func newRoad(t *testing.T) *road {
	t.Helper()
	plane, err := controlplane.Start(t.Context(), controlplane.Config{Log: io.Discard})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, plane.Stop()) })
	r := &road{T: t}
	r.Proxy, err = Start(Config{REST: plane.REST(), Seed: 1, Seen: func(a Answer) {
		r.mu.Lock()
		r.seen = append(r.seen, a)
		r.mu.Unlock()
	}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	maps := func(c *rest.Config) typed.ConfigMapInterface {
		client, err := kubernetes.NewForConfig(c)
		require.NoError(t, err)
		return client.CoreV1().ConfigMaps("default")
	}
	text, err := r.Kubeconfig()
	require.NoError(t, err)
	through, err := clientcmd.RESTConfigFromKubeConfig(text)
	require.NoError(t, err)
	r.straight, r.through = maps(plane.REST()), maps(through)
	return r
}

// create makes a ConfigMap through the proxy, and says whether it is there.
func (r *road) create(name string) (stands bool, err error) {
	_, err = r.through.Create(r.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	_, absent := r.straight.Get(r.Context(), name, metav1.GetOptions{})
	return absent == nil, err
}

func TestProxy(t *testing.T) {
	r := newRoad(t)
	for _, tt := range []struct {
		fault  Fault
		stands bool
		code   int32 // of the error, 0 if it is none of the API's
	}{
		{Drop, false, 0},
		{Hangup, false, 0},
		{Lost, true, 0},
		{Late, true, 504},
		{Half, true, 0},
		{Conflict, false, 409},
		{Internal, false, 500},
		{Unavailable, false, 503},
		{Delay, true, -1},
	} {
		t.Run(string(tt.fault), func(t *testing.T) {
			r.Turn(Weather{tt.fault: 1})
			defer r.Turn(nil)
			stands, err := r.create("one-" + string(tt.fault))
			assert.Equal(t, tt.stands, stands)
			if tt.code < 0 {
				assert.NoError(t, err)
			} else {
				require.Error(t, err)
				var status apierrors.APIStatus
				if tt.code > 0 && assert.ErrorAs(t, err, &status) {
					assert.Equal(t, tt.code, status.Status().Code)
				}
			}
			assert.Positive(t, r.Counts()[tt.fault])
		})
	}
	t.Run("429, and the client tries again", func(t *testing.T) {
		r.Turn(Weather{TooMany: 0.5})
		defer r.Turn(nil)
		stands, err := r.create("one-too-many")
		require.NoError(t, err)
		assert.True(t, stands)
	})
	t.Run("watches", r.watches)
	t.Run("parted", r.parted)
	r.mu.Lock()
	defer r.mu.Unlock()
	assert.Contains(t, string(r.seen[0].Body), "one-lost", "the API server's answers are told, lost ones too")
}

// watches checks that each fault of a watch ends it, and that calm ones tell everything.
func (r *road) watches(t *testing.T) {
	for _, f := range []Fault{Cut, Stall, Expired, ""} {
		r.Turn(Weather{f: 1})
		w, err := r.through.Watch(t.Context(), metav1.ListOptions{})
		r.Turn(nil)
		if f == Expired {
			assert.True(t, apierrors.IsResourceExpired(err), "%v", err)
			continue
		}
		require.NoError(t, err)
		if f == "" {
			e := <-w.ResultChan()
			assert.NotEmpty(t, e.Type)
			r.Cut()
		}
		select {
		case <-ended(w.ResultChan()):
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the watch goes on", f)
		}
	}
}

func ended[E any](c <-chan E) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range c {
		}
	}()
	return done
}

// parted checks that what is sent while the wire is interrupted arrives afterwards.
func (r *road) parted(t *testing.T) {
	r.Part(true)
	done := make(chan error, 1)
	go func() {
		_, err := r.through.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "late"}}, metav1.CreateOptions{})
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("an answer came: %v", err)
	case <-time.After(time.Second):
	}
	_, err := r.straight.Get(t.Context(), "late", metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), "%v", err)
	r.Part(false)
	assert.NoError(t, <-done)
}

// What meets a request depends on the seed and on the request alone.
func TestFaultsFollowTheSeed(t *testing.T) {
	weather := Weather{}
	for _, f := range Faults() {
		weather[f] = 0.05
	}
	draw := func(seed uint64) (all []Fault) {
		for n := range uint64(200) {
			all = append(all, decide(seed, weather, httptest.NewRequest(http.MethodPatch, "/apis/x", http.NoBody), n).fault,
				decide(seed, weather, httptest.NewRequest(http.MethodGet, "/apis/x?watch=true", http.NoBody), n).fault)
		}
		return all
	}
	first, again := draw(1), draw(1)
	assert.Equal(t, first, again)
	assert.NotEqual(t, draw(1), draw(2))
	met := map[Fault]bool{}
	for _, f := range draw(3) {
		met[f] = true
	}
	for _, f := range append(Faults(), "") {
		assert.True(t, met[f], "%q never happens", f)
	}
}
