package sources

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// errorBodyBytes bounds what is read of a response that is not a success.
const errorBodyBytes = 4 << 10

// connectHTTP makes a session; nothing is sent before its first use. Its connections live as long
// as the session.
func connectHTTP(at location, c Config, s secrets) (session, error) {
	tlsConfig, err := clientTLS(s)
	if err != nil {
		return nil, err
	}
	proxy := http.ProxyFromEnvironment
	if c.Proxy != "" {
		u, err := url.Parse(c.Proxy)
		if err != nil {
			return nil, errors.New("the proxy's URL cannot be parsed") // validate has excluded it
		}
		proxy = http.ProxyURL(u)
	}
	wire := &http.Transport{
		Proxy:                 proxy,
		DialContext:           (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       tlsConfig,
		TLSHandshakeTimeout:   15 * time.Second,
		ExpectContinueTimeout: time.Second,
		ForceAttemptHTTP2:     true,
	}
	client := githttp.NewClientWithOptions(&http.Client{
		Transport:     &bodyBounds{wire},
		CheckRedirect: stayHome(at),
	}, &githttp.ClientOptions{RedirectPolicy: githttp.FollowInitialRedirects})
	inner, err := client.NewUploadPackSession(at.endpoint(), basicAuth(s))
	if err != nil {
		return nil, err
	}
	return &httpSession{inner, wire}, nil
}

type httpSession struct {
	transport.UploadPackSession
	wire *http.Transport
}

func (s *httpSession) AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error) {
	refs, err := s.UploadPackSession.AdvertisedReferencesContext(ctx)
	return refs, unwrapped(err)
}

func (s *httpSession) UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	resp, err := s.UploadPackSession.UploadPack(ctx, req)
	return resp, unwrapped(err)
}

// unwrapped takes off go-git's wrappers that errors.As cannot look through.
func unwrapped(err error) error {
	if e, ok := errors.AsType[*plumbing.UnexpectedError](err); ok && e.Err != nil {
		return e.Err
	}
	if e, ok := errors.AsType[*plumbing.PermanentError](err); ok && e.Err != nil {
		return e.Err
	}
	return err
}

func (s *httpSession) Close() error {
	defer s.wire.CloseIdleConnections()
	return s.UploadPackSession.Close()
}

// basicAuth returns nil, an untyped one, where there are no credentials.
func basicAuth(s secrets) transport.AuthMethod {
	user := s.username
	if user == "" {
		user = defaultUser
	}
	switch {
	case s.token != "":
		return &githttp.BasicAuth{Username: user, Password: s.token}
	case s.password != "":
		return &githttp.BasicAuth{Username: user, Password: s.password}
	}
	return nil
}

// clientTLS trusts the system's roots and those of tls.caFile.
func clientTLS(s secrets) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.ca != "" {
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM([]byte(s.ca)) {
			return nil, &fault{reason: ReasonTLS, err: errors.New("source.tls.caFile holds no PEM certificate")}
		}
		c.RootCAs = roots
	}
	if s.certificate != "" {
		pair, err := tls.X509KeyPair([]byte(s.certificate), []byte(s.certificateKey))
		if err != nil {
			return nil, &fault{reason: ReasonTLS, err: fmt.Errorf("source.tls.certFile and keyFile do not fit: %w", err)}
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// redirected is where a server wanted to send us, without what may be secret in it.
type redirected struct{ to string }

func (r *redirected) Error() string { return "the server redirects to " + r.to }

// stayHome refuses every redirect to another scheme, host or port: credentials, and trust in what
// comes back, are bound to the URL that was configured.
func stayHome(at location) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, _ []*http.Request) error {
		to := location{scheme: req.URL.Scheme, host: strings.ToLower(req.URL.Hostname()), port: req.URL.Port(), path: req.URL.Path}
		if to.scheme == at.scheme && to.address() == at.address() {
			return nil
		}
		to.path = strings.TrimSuffix(to.path, "/info/refs")
		return &redirected{to.String()} // shortened by explain, which must see all of a secret to find it
	}
}

// bodyBounds bounds the bodies that go-git reads whole: those of failures, and the list of refs.
type bodyBounds struct{ next http.RoundTripper }

func (b *bodyBounds) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body := resp.Body
	switch {
	case resp.StatusCode >= http.StatusMultipleChoices:
		resp.Body = readCloser{io.LimitReader(body, errorBodyBytes), body}
	case req.Method == http.MethodGet:
		resp.Body = readCloser{bounded(body, advertisementBytes, "the list of refs"), body}
	}
	return resp, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}
