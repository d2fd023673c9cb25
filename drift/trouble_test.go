package drift

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

const policiesPath = "/apis/networking.k8s.io/v1/networkpolicies"

func status(code int, reason, more string) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":"in trouble","code":%d%s}`, reason, code, more)
	return &http.Response{
		StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

func watching(q url.Values) bool { return q.Get("watch") != "" }

// streams are the open watches of a fault, to be cut.
type streams struct {
	mu   sync.Mutex
	open []io.Closer
}

func (s *streams) pass(r *http.Request, next http.RoundTripper) *http.Response {
	if !watching(r.URL.Query()) || r.URL.Path != policiesPath {
		return nil
	}
	answer, err := next.RoundTrip(r)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	s.open = append(s.open, answer.Body)
	s.mu.Unlock()
	return answer
}

func (s *streams) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		_ = c.Close()
	}
	s.open = nil
}

// Whatever happens to the watch of a kind, it is called blind for as long as changes
// may go unseen, and afterwards nothing is lost and nothing invented.
func TestTrouble(t *testing.T) {
	s := newSite(t, startPlane(t, controlplane.Config{}).REST())
	all := &streams{}
	pass := fault(all.pass)
	s.fault.Store(&pass)
	defer s.fault.Store(nil)
	eventually(t, "synced", s.Synced)
	s.apply(t, `{apiVersion: v1, kind: Namespace, metadata: {name: tenant}}`)
	policy := func(name string) ID { return ID{Kind: kinds.NetworkPolicy, Namespace: "tenant", Name: name} }
	others, err := dynamic.NewForConfig(s.rest) // whom no fault concerns
	require.NoError(t, err)
	policies := others.Resource(kinds.NetworkPolicy.GVR()).Namespace("tenant")
	create := func(name string) {
		u := &unstructured.Unstructured{Object: parse(t, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: `+name+`, namespace: tenant}, spec: {podSelector: {}}}`)}
		_, err := policies.Create(t.Context(), u, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	remove := func(name string) { require.NoError(t, policies.Delete(t.Context(), name, metav1.DeleteOptions{})) }
	refusing := func(answer func(q url.Values) *http.Response) fault {
		return func(r *http.Request, next http.RoundTripper) *http.Response {
			if r.URL.Path == policiesPath && r.Method == http.MethodGet {
				if response := answer(r.URL.Query()); response != nil {
					return response
				}
			}
			return all.pass(r, next)
		}
	}
	hang := make(chan struct{})
	for _, tt := range []struct {
		name   string
		answer func(q url.Values) *http.Response
		blind  string // what is said
	}{
		{"everything is forbidden", func(url.Values) *http.Response { return status(403, "Forbidden", "") }, "in trouble"},
		{"watches are forbidden", func(q url.Values) *http.Response {
			if watching(q) {
				return status(403, "Forbidden", "")
			}
			return nil
		}, "in trouble"},
		{"unavailable", func(url.Values) *http.Response { return status(503, "ServiceUnavailable", "") }, "in trouble"},
		{"an internal error", func(url.Values) *http.Response { return status(500, "InternalError", "") }, "in trouble"},
		{"always too old", func(url.Values) *http.Response { return status(410, "Expired", "") }, "no watch stands for 1s"},
		{"too many requests, for a while each", func(url.Values) *http.Response {
			answer := status(429, "TooManyRequests", `,"details":{"retryAfterSeconds":2}`)
			answer.Header.Set("Retry-After", "2")
			return answer
		}, "no watch stands for 1s"},
		{"no answer", func(url.Values) *http.Response { <-hang; return status(503, "ServiceUnavailable", "") }, "no watch stands for 1s"},
		{"half an answer", func(url.Values) *http.Response {
			answer := status(200, "", "")
			answer.Body = io.NopCloser(strings.NewReader(`{"kind":"NetworkPolicyList","apiVersion":"networking.k8s.io/v1","metadata":{"resourceVersion":"9`))
			return answer
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			create("before")
			eventually(t, "seen", func() bool { return s.Get(policy("before")) != nil && s.Synced() })
			began, health := time.Now(), s.healths()
			trouble := refusing(tt.answer)
			s.fault.Store(&trouble)
			defer s.fault.Store(&pass)
			all.cut()
			eventually(t, "blind", func() bool { return !s.Synced() })
			assert.Less(t, time.Since(began), 5*time.Second)
			require.Len(t, s.Blind(), 1, "nobody else is")
			assert.Contains(t, s.Blind()[0], "NetworkPolicy.networking.k8s.io: ")
			assert.Contains(t, s.Blind()[0], tt.blind)
			s.metric(t, "NetworkPolicy.networking.k8s.io", 0)
			assert.NotNil(t, s.Get(policy("before")), "what was known is not forgotten")
			create("meanwhile")
			remove("before")
			time.Sleep(2 * time.Second)
			assert.False(t, s.Synced())
			assert.LessOrEqual(t, s.healths(), health+3, "it does not come and go")
			s.fault.Store(&pass)
			if tt.name == "no answer" {
				close(hang)
			}
			eventually(t, "sees again", s.Synced)
			assert.NotNil(t, s.Get(policy("meanwhile")), "seen at once when it says that it sees")
			assert.Nil(t, s.Get(policy("before")))
			s.metric(t, "NetworkPolicy.networking.k8s.io", 1)
			remove("meanwhile")
			eventually(t, "the watch works", func() bool { return s.Get(policy("meanwhile")) == nil })
		})
	}

	t.Run("cut again and again", func(t *testing.T) {
		for i := range 20 {
			name := fmt.Sprint("cut-", i)
			create(name)
			all.cut()
			began := time.Now()
			eventually(t, name, func() bool { return s.Get(policy(name)) != nil })
			assert.Less(t, time.Since(began), 2*time.Second)
			remove(name)
			all.cut()
			eventually(t, "without "+name, func() bool { return s.Get(policy(name)) == nil })
		}
		n, err := s.Audit(t.Context())
		require.NoError(t, err)
		assert.Zero(t, n)
	})

	t.Run("a watch that is too old whenever it begins, as Calico's API server says it", func(t *testing.T) {
		old := refusing(func(q url.Values) *http.Response {
			if !watching(q) {
				return nil
			}
			answer := status(200, "", "")
			answer.Body = io.NopCloser(strings.NewReader(`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","message":"too old resource version: 1 (307)"}}`))
			return answer
		})
		s.fault.Store(&old)
		defer s.fault.Store(&pass)
		all.cut()
		for i := range 5 {
			name := fmt.Sprint("old-", i)
			create(name)
			began := time.Now()
			eventually(t, "a list tells "+name, func() bool { return s.Get(policy(name)) != nil })
			assert.Less(t, time.Since(began), 2*time.Second)
		}
	})

	t.Run("an API server that denies what every cluster has", func(t *testing.T) {
		denies := fault(func(r *http.Request, next http.RoundTripper) *http.Response {
			if r.URL.Path == "/apis/networking.k8s.io/v1" {
				return status(404, "NotFound", "")
			}
			return all.pass(r, next)
		})
		create("stays")
		eventually(t, "seen", func() bool { return s.Get(policy("stays")) != nil })
		s.fault.Store(&denies)
		require.Error(t, s.discover(t.Context(), &sync.WaitGroup{}))
		assert.True(t, s.Served(kinds.NetworkPolicy), "it is watched on")
		assert.NotNil(t, s.Get(policy("stays")))
		s.fault.Store(&pass)
	})
}
