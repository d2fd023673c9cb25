package access

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/sync/controlplane"
)

// guarded is a server behind a Gate that asks a real API server.
type guarded struct {
	url      string
	gate     *Gate
	requests *atomic.Int64 // to the API server
	log      *strings.Builder
}

func guard(t *testing.T, c *rest.Config) guarded {
	t.Helper()
	out := guarded{requests: &atomic.Int64{}, log: &strings.Builder{}}
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			out.requests.Add(1)
			return next.RoundTrip(r)
		})
	})
	kube, err := kubernetes.NewForConfig(c)
	require.NoError(t, err)
	out.gate = New(Config{
		Tokens: kube.AuthenticationV1().TokenReviews(), Rights: kube.AuthorizationV1().SubjectAccessReviews(),
		Log: slog.New(slog.NewTextHandler(out.log, nil)),
	})
	server := httptest.NewServer(out.gate.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deadline, ok := r.Context().Deadline()
		assert.True(t, ok && time.Until(deadline) <= Longest, "it ends some time")
		_, _ = io.WriteString(w, "secret")
	})))
	t.Cleanup(server.Close)
	out.url = server.URL
	return out
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// ask asks for a path and returns the code and the message of the answer.
func (g guarded) ask(t *testing.T, method, path string, authorization ...string) (code int, message string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, g.url+path, http.NoBody)
	require.NoError(t, err)
	for _, a := range authorization {
		request.Header.Add("Authorization", a)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if response.StatusCode == http.StatusOK {
		assert.Equal(t, method == http.MethodGet, string(body) == "secret")
		return response.StatusCode, ""
	}
	assert.NotContains(t, string(body), "secret")
	assert.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	assert.Equal(t, response.StatusCode == 401, response.Header.Get("WWW-Authenticate") != "")
	var said struct{ Message string }
	if method != http.MethodHead {
		require.NoError(t, json.Unmarshal(body, &said))
	}
	return response.StatusCode, said.Message
}

// account makes a service account and returns a token of it; paths are what it may get.
func account(t *testing.T, kube kubernetes.Interface, name string, paths ...string) string {
	t.Helper()
	ctx := t.Context()
	_, err := kube.CoreV1().ServiceAccounts("default").Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	require.NoError(t, err)
	if len(paths) > 0 {
		meta := metav1.ObjectMeta{Name: "reads-" + name}
		_, err = kube.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
			ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{NonResourceURLs: paths, Verbs: []string{"get"}}},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		_, err = kube.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: name}},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	token, err := kube.CoreV1().ServiceAccounts("default").CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	return "Bearer " + token.Status.Token
}

// patience of the tests, on a machine that is busy.
const testPatience = 60 * time.Second

func TestGate(t *testing.T) {
	plane, err := controlplane.Start(t.Context(), controlplane.Config{Log: io.Discard})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, plane.Stop()) })
	kube, err := kubernetes.NewForConfig(plane.REST())
	require.NoError(t, err)
	reader := account(t, kube, "reader", "/ringfence/", "/ringfence/api/v1/*")
	one := account(t, kube, "one", "/ringfence/api/v1/status")
	nobody := account(t, kube, "nobody")
	g := guard(t, plane.REST())
	// An authorizer learns of a role when it sees it.
	require.Eventually(t, func() bool {
		g.gate.known.RemoveAll(func(any) bool { return true })
		for who, path := range map[string]string{reader: "/", one: "/api/v1/status"} {
			if code, _ := g.ask(t, http.MethodGet, path, who); code != 200 {
				return false
			}
		}
		return true
	}, testPatience, 100*time.Millisecond)
	g.gate.pace = rate.NewLimiter(rate.Inf, 0)

	for _, tt := range []struct {
		name, method, path string
		authorization      []string
		code               int
		says               string
	}{
		{"the page", "GET", "/", []string{reader}, 200, ""},
		{"the API", "GET", "/api/v1/drift", []string{reader}, 200, ""},
		{"only its head", "HEAD", "/api/v1/drift", []string{reader}, 200, ""},
		{"a query does not count", "GET", "/api/v1/drift?watch=1", []string{reader}, 200, ""},
		{"the scheme in other letters", "GET", "/", []string{"bearer" + strings.TrimPrefix(reader, "Bearer")}, 200, ""},
		{"another verb", "POST", "/api/v1/drift", []string{reader}, 403, "may not post /ringfence/api/v1/drift"},
		{"another path", "GET", "/metrics", []string{reader}, 403, "system:serviceaccount:default:reader may not get /metrics (hint: bind a ClusterRole with nonResourceURLs"},
		{"what everybody may get of the API server", "GET", "/api/v1/status", []string{nobody}, 403, "may not get /ringfence/api/v1/status"},
		{"the one path", "GET", "/api/v1/status", []string{one}, 200, ""},
		{"not the next", "GET", "/api/v1/drift", []string{one}, 403, "may not get"},
		{"not by a detour", "GET", "/api/v1/status/../drift", []string{one}, 403, "may not get"},
		{"not by another spelling", "GET", "/api/v1/%73tatus/%2e%2e/drift", []string{one}, 403, "may not get"},
		{"no right", "GET", "/", []string{nobody}, 403, "may not get /ringfence/ (hint"},
		{"no token", "GET", "/", nil, 401, "a bearer token of the cluster is needed"},
		{"an empty one", "GET", "/", []string{"Bearer "}, 401, "is needed"},
		{"a password", "GET", "/", []string{"Basic cmVhZGVyOng="}, 401, "is needed"},
		{"two", "GET", "/", []string{reader, reader}, 401, "is needed"},
		{"one that is cut", "GET", "/", []string{reader[:len(reader)-4]}, 401, "does not know"},
		{"one with something behind it", "GET", "/", []string{reader + " x"}, 401, "is needed"},
		{"one with something before it", "GET", "/", []string{strings.Replace(reader, "Bearer ", "Bearer x ", 1)}, 401, "is needed"},
		{"anything", "GET", "/", []string{"Bearer x"}, 401, "does not know"},
	} {
		code, message := g.ask(t, tt.method, tt.path, tt.authorization...)
		assert.Equal(t, tt.code, code, "%s: %s", tt.name, message)
		if tt.method != http.MethodHead {
			assert.Contains(t, message, tt.says, tt.name)
		}
	}

	t.Run("remembers for a while", func(t *testing.T) {
		before := g.requests.Load()
		for range 50 {
			code, _ := g.ask(t, http.MethodGet, "/", reader)
			assert.Equal(t, 200, code)
			code, _ = g.ask(t, http.MethodGet, "/", "Bearer x")
			assert.Equal(t, 401, code)
		}
		assert.LessOrEqual(t, g.requests.Load()-before, int64(12), "none, or a few if this took longer than it remembers")
		for _, key := range g.gate.known.Keys() {
			assert.IsType(t, [32]byte{}, key, "a hash, and no token")
		}
		assert.LessOrEqual(t, len(g.gate.known.Keys()), remembered)
	})
	t.Run("bounds what strangers cost", func(t *testing.T) {
		g := guard(t, plane.REST())
		g.gate.pace = rate.NewLimiter(0, 2)
		for i, want := range []int{401, 401, 503, 503} {
			code, message := g.ask(t, http.MethodGet, "/", "Bearer stranger"+string(rune('a'+i)))
			assert.Equal(t, want, code)
			assert.Equal(t, want == 503, strings.Contains(message, "too many ask at a time"))
		}
		assert.Equal(t, int64(2), g.requests.Load())
	})
	t.Run("says which right the daemon lacks", func(t *testing.T) {
		c := plane.REST()
		c.Impersonate = rest.ImpersonationConfig{UserName: "weak"}
		code, message := guard(t, c).ask(t, http.MethodGet, "/", reader)
		assert.Equal(t, 503, code)
		assert.Contains(t, message, "the daemon may not create a TokenReview (hint:")
	})
	t.Run("a token that is taken away", func(t *testing.T) {
		require.NoError(t, kube.CoreV1().ServiceAccounts("default").Delete(t.Context(), "one", metav1.DeleteOptions{}))
		g := guard(t, plane.REST())
		require.Eventually(t, func() bool {
			g.gate.known.RemoveAll(func(any) bool { return true })
			code, _ := g.ask(t, http.MethodGet, "/api/v1/status", one)
			return code == 401
		}, testPatience, 100*time.Millisecond, "the API server believes a token for some seconds itself")
	})
	t.Run("closed while the API server is away", func(t *testing.T) {
		fresh := guard(t, plane.REST())
		require.NoError(t, plane.Stop())
		for range 3 {
			code, message := fresh.ask(t, http.MethodGet, "/", reader)
			assert.Equal(t, 503, code)
			assert.Equal(t, "it cannot be told now who may read this: the API server does not answer", message)
		}
		assert.Equal(t, 1, strings.Count(fresh.log.String(), "nobody is let in"), "it is said once, with the reason")
		assert.NotContains(t, fresh.log.String(), strings.TrimPrefix(reader, "Bearer "))
		assert.Empty(t, fresh.gate.known.Keys(), "what was not answered is not remembered")
	})
}

// Who asks the same at once waits for one answer, and one who goes away does not take it from the others.
func TestGateAsksOnce(t *testing.T) {
	asked, answer := make(chan struct{}, 10), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-answer
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "tokenreviews") {
			_, _ = io.WriteString(w, `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":{"authenticated":true,"user":{"username":"u"}}}`)
			return
		}
		_, _ = io.WriteString(w, `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":true}}`)
	}))
	t.Cleanup(api.Close)
	g := guard(t, &rest.Config{Host: api.URL})
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan verdict, 1)
	go func() { first <- g.gate.verdict(ctx, "token", "get", "/") }()
	<-asked
	leave()
	second := make(chan verdict, 1)
	go func() { second <- g.gate.verdict(t.Context(), "token", "get", "/") }()
	close(answer)
	assert.Equal(t, verdict{Code: 200}, <-first)
	assert.Equal(t, verdict{Code: 200}, <-second)
	assert.Equal(t, int64(2), g.requests.Load())
}
