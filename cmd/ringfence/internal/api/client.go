package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Client asks a running daemon. Its methods may be called concurrently.
type Client struct {
	server string // without a slash at the end
	name   string // the same without a password
	token  string // the file of a bearer token; "": none
	http   http.Client
}

// ErrNoTenant is the error about a tenant that the daemon does not know.
var ErrNoTenant = errors.New("there is no such tenant")

// ClusterOverlay is the name by which Tenant, Drift and Watch know the cluster overlay, and what belongs to no tenant. No
// namespace can have that name.
const ClusterOverlay = "_cluster"

var errStranger = errors.New("this is no answer of a Ringfence daemon")

// Bounds of one answer: the daemon answers from memory, and five thousand tenants are some megabytes.
const (
	answerTime = 10 * time.Second
	answerSize = 1 << 28
)

// NewClient returns a client of the daemon at a URL such as http://127.0.0.1:8080. Nothing is asked yet.
func NewClient(server string) (*Client, error) {
	u, err := url.Parse(server)
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "") {
		err = errors.New("it must be as http://127.0.0.1:8080")
	}
	switch {
	case u == nil:
		return nil, fmt.Errorf("reading the daemon's URL: %w", err)
	case err != nil:
		return nil, fmt.Errorf("reading the daemon's URL %q: %w", u.Redacted(), err)
	}
	c := &Client{server: strings.TrimSuffix(server, "/"), name: strings.TrimSuffix(u.Redacted(), "/")}
	c.http = http.Client{Timeout: answerTime, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if next.URL.Host != via[0].URL.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return c, nil
}

// TokenFile makes the client show the bearer token in a file, which is read at each request, so that a rotated one is seen. It
// is to be called before anything is asked.
func (c *Client) TokenFile(name string) { c.token = name }

// authorize shows the token, if there is one.
func (c *Client) authorize(r *http.Request) error {
	if c.token == "" {
		return nil
	}
	data, err := os.ReadFile(c.token)
	if err != nil {
		return fmt.Errorf("reading the token: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(data)))
	return nil
}

// String returns the daemon's URL, without a password.
func (c *Client) String() string { return c.name }

// Status asks what is known as a whole.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return get(ctx, c, StatusPath, decodeRow[Status])
}

// Tenants asks for every tenant, sorted by name. The cluster overlay is not among them.
func (c *Client) Tenants(ctx context.Context) ([]Tenant, error) {
	return get(ctx, c, TenantsPath, decodeRows[Tenant])
}

// Tenant asks for one tenant, or the [ClusterOverlay]. The error is ErrNoTenant if the daemon knows no such.
func (c *Client) Tenant(ctx context.Context, name string) (Tenant, error) {
	return get(ctx, c, TenantsPath+"/"+url.PathEscape(name), decodeRow[Tenant])
}

// Drift asks for every difference that stands or was corrected lately; with a tenant, or the [ClusterOverlay], only for what
// is its, whether or not there is one.
func (c *Client) Drift(ctx context.Context, tenant string) ([]Difference, error) {
	all, err := get(ctx, c, DriftPath, decodeRows[Difference])
	if err != nil || tenant == "" {
		return all, err
	}
	of := []Difference{}
	for _, d := range all {
		if d.Tenant == tenant || d.Tenant == "" && tenant == ClusterOverlay {
			of = append(of, d)
		}
	}
	return of, nil
}

// Unfenced asks for the namespaces that should be fenced and are not.
func (c *Client) Unfenced(ctx context.Context) ([]string, error) {
	return get(ctx, c, UnfencedPath, decodeList[string])
}

// get asks for one path. A 200 that is not the JSON of that answer is an error.
func get[T any](ctx context.Context, c *Client, path string, decode func([]byte) (T, error)) (out T, err error) {
	fail := func(err error) (T, error) {
		var none T
		return none, fmt.Errorf("asking %s%s: %w", c.name, path, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, http.NoBody)
	if err != nil {
		return fail(err)
	}
	if err := c.authorize(request); err != nil {
		return fail(err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err // the URL is named already
		}
		return fail(fmt.Errorf("%w (hint: is the daemon running, and is this its http.listen?)", err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerSize+1))
	switch {
	case err != nil:
		return fail(err)
	case response.StatusCode == http.StatusNotFound && strings.HasPrefix(path, TenantsPath+"/"):
		return fail(ErrNoTenant)
	case response.StatusCode == http.StatusUnauthorized:
		return fail(fmt.Errorf("the answer is %s%s (hint: --token-file with a token of the cluster)", response.Status, said(body)))
	case response.StatusCode != http.StatusOK:
		return fail(fmt.Errorf("the answer is %s%s", response.Status, said(body)))
	case len(body) > answerSize:
		return fail(fmt.Errorf("the answer is larger than %d bytes", answerSize))
	}
	if out, err = decode(body); err != nil {
		return fail(fmt.Errorf("%w: %w", errStranger, err))
	}
	return out, nil
}

// said returns what an answer that refuses says why, with a colon before it; "" if it says nothing.
func said(body []byte) string {
	answer, err := decode[struct {
		Message string `json:"message"`
	}](body)
	if err != nil || answer.Message == "" {
		return ""
	}
	return ": " + answer.Message
}
