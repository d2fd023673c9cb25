package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"

	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/access"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/serve"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/web"
	"github.com/ringfence/ringfence/sources/hook"
)

// hookPath is where push hooks go.
const hookPath = "/hook"

// listen takes the addresses, the page's first. A nil hook is none.
func listen(ctx context.Context, c config.HTTP, h *web.Handler, hooks http.Handler, log *slog.Logger) ([]*serve.Server, error) {
	type place struct {
		key, address string
		handler      http.Handler
	}
	places := []place{{"listen", c.Listen, page(c, h, hooks)}}
	if c.MetricsListen != "" {
		places = append(places, place{"metricsListen", c.MetricsListen, serve.Local(h.Metrics(), name(c.MetricsListen)...)})
	}
	if c.HookListen != "" {
		mux := http.NewServeMux()
		mux.Handle(hookPath, hooks)
		mux.Handle(relayPath, hooks)
		places = append(places, place{"hookListen", c.HookListen, mux})
	}
	var out []*serve.Server
	for _, p := range places {
		s, err := serve.Listen(ctx, serve.Config{Address: p.address, Handler: p.handler, Log: log})
		if err != nil {
			for _, s := range out {
				_ = s.Close()
			}
			return nil, fmt.Errorf("listening on http.%s: %w (hint: another address, or end the process that has it)", p.key, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// page returns what the first address serves. Hooks have a check of their own, and come by any name.
func page(c config.HTTP, h *web.Handler, hooks http.Handler) http.Handler {
	local := serve.Local(h, name(c.Listen)...)
	if hooks == nil || c.HookListen != "" {
		return local
	}
	mux := http.NewServeMux()
	mux.Handle(hookPath, hooks)
	mux.Handle(relayPath, hooks)
	mux.Handle("/", local)
	return mux
}

// name returns the name in an address, if it is no IP address.
func name(address string) []string {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "" || net.ParseIP(host) != nil {
		return nil
	}
	return []string{strings.ToLower(host)}
}

// newHooks returns what takes push hooks from senders, which are handed on, and from other replicas; nil if hooks are not served.
func newHooks(c config.HTTP, pushed chan<- struct{}, handing *relay) http.Handler {
	if c.HookSecretFile == "" {
		return nil
	}
	poll := func() {
		select {
		case pushed <- struct{}{}:
		default: // one is due already, and it will see this push too
		}
	}
	mux := http.NewServeMux()
	mux.Handle(hookPath, hook.New(hook.Config{SecretFile: c.HookSecretFile, Poll: func() {
		poll()
		handing.hand()
	}}))
	mux.Handle(relayPath, hook.New(hook.Config{SecretFile: c.HookSecretFile, Poll: poll}))
	return mux
}

// newGuard returns what stands before the page and the API; nil if everybody may read. Its client is its own: that of a
// replica that stands by may write nothing, and a review is a POST.
func newGuard(c Config) (func(http.Handler) http.Handler, error) {
	if c.Daemon.HTTP.Auth != "kubernetes" {
		return nil, nil
	}
	rc := rest.CopyConfig(c.REST)
	rc.QPS, rc.UserAgent = -1, "ringfence/"+c.Build.Version // the gate has a bound of its own
	authentication, err := authenticationv1.NewForConfig(rc)
	if err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	authorization, err := authorizationv1.NewForConfig(rc)
	if err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	gate := access.New(access.Config{
		Tokens: authentication.TokenReviews(), Rights: authorization.SubjectAccessReviews(), Log: c.Log,
	})
	return gate.Guard, nil
}
