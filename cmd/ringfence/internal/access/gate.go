package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/cache"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/ringfence/ringfence/drift"
)

// Memory is how long an answer of the API server is believed, and Longest how long one request may last.
const (
	Memory  = 10 * time.Second
	Longest = 10 * time.Minute
)

// Bounds: pairs that are remembered, questions to the API server each second and at once, and how long one may take.
const (
	remembered = 1024
	perSecond  = 20
	burst      = 40
	patience   = 5 * time.Second
)

// Config says who is asked.
type Config struct {
	// Tokens asks the API server who has a token. Required. Whatever bounds the writes of a replica that stands by must not
	// bound it, nor Rights: a review is a POST.
	Tokens authentication.TokenReviewInterface
	// Rights asks it who may read. Required.
	Rights authorization.SubjectAccessReviewInterface
	// Log is told when the API server cannot be asked. Required.
	Log *slog.Logger
}

// Gate lets those through who may. It is safe for concurrent use.
type Gate struct {
	config  Config
	known   *cache.LRUExpireCache // of question → verdict
	asking  singleflight.Group
	pace    *rate.Limiter
	silence *rate.Limiter // of the log
}

// New returns a Gate.
func New(c Config) *Gate {
	return &Gate{
		config: c, known: cache.NewLRUExpireCache(remembered), pace: rate.NewLimiter(perSecond, burst),
		silence: rate.NewLimiter(rate.Every(time.Minute), 1),
	}
}

// Guard returns a handler that passes on what may be asked of next. Other requests are answered 401 (no token, or one that
// nobody knows), 403 (it may not be read) or 503 (it cannot be told).
func (g *Gate) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := bearer(r)
		if !ok {
			refuse(w, verdict{Code: http.StatusUnauthorized, Message: "a bearer token of the cluster is needed (hint: " + hint(r) + ")"})
			return
		}
		if v := g.verdict(r.Context(), token, verb(r.Method), URL(r.URL.Path)); v.Code != http.StatusOK {
			refuse(w, v)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), Longest)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Prefix stands before the paths of the daemon in reviews, and so in nonResourceURLs of ClusterRoles.
const Prefix = "/ringfence"

// URL returns what a path of the daemon is called in reviews. All but /metrics have the Prefix: everybody whom the API server
// knows, any pod's account too, may get /api and what is below it there (ClusterRole system:discovery), and these are other
// paths than ours. /metrics is meant as everywhere, by the rights that a Prometheus has already.
func URL(path string) string {
	if path == "/metrics" {
		return path
	}
	return Prefix + path
}

// hint says how to come by a token: who asks for a page has a browser, which sends none.
func hint(r *http.Request) string {
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		return "a browser sends none: open the page through a proxy that adds it, as README.md shows under \"Who may read\""
	}
	return "Authorization: Bearer TOKEN"
}

// bearer returns the token of a request. One is enough: who sends two may mean either.
func bearer(r *http.Request) (token string, ok bool) {
	given := r.Header.Values("Authorization")
	if len(given) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	// The API server would take the first of several words.
	return token, strings.EqualFold(scheme, "Bearer") && token != "" && !strings.ContainsAny(token, " \t")
}

// verb returns what RBAC calls a method.
func verb(method string) string {
	if method == http.MethodHead {
		return "get"
	}
	return strings.ToLower(method)
}

// verdict is the answer to a request: 200 lets it through.
type verdict struct {
	Code    int
	Message string
}

// verdict returns what is remembered, or asks; several who ask the same wait for one answer.
func (g *Gate) verdict(ctx context.Context, token, verb, path string) verdict {
	question := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", verb, path, token))
	if v, ok := g.known.Get(question); ok {
		return v.(verdict) //nolint:errcheck // the cache holds nothing else
	}
	out, _, _ := g.asking.Do(string(question[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // others may wait for it too
		defer cancel()
		v, err := g.ask(ctx, token, verb, path)
		if err != nil {
			if g.silence.Allow() {
				g.config.Log.Warn("nobody is let in, for the API server cannot be asked who may read", "err", drift.WithGrant(err))
			}
			return v, nil // and not remembered
		}
		g.known.Add(question, v, Memory)
		return v, nil
	})
	return out.(verdict) //nolint:errcheck // it returns nothing else
}

func refuse(w http.ResponseWriter, v verdict) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	switch v.Code {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", `Bearer realm="ringfence"`)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", "1")
	}
	w.WriteHeader(v.Code)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": v.Message}) // the client has gone
}
