package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client asks a running daemon. Its methods may be called concurrently.
type Client struct {
	server string
	http   http.Client
}

var errStranger = errors.New("this is no answer of a Ringfence daemon")

// answerTime bounds one request: the daemon answers from memory.
const answerTime = 30 * time.Second

// NewClient returns a client of the daemon at a URL such as http://127.0.0.1:8080. Nothing is asked yet.
func NewClient(server string) (*Client, error) {
	u, err := url.Parse(server)
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "") {
		err = errors.New("it must be as http://127.0.0.1:8080")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the daemon's URL %q: %w", server, err)
	}
	c := &Client{server: strings.TrimSuffix(server, "/")}
	c.http = http.Client{Timeout: answerTime, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if next.URL.Host != via[0].URL.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return c, nil
}

// Status asks what is known as a whole.
func (c *Client) Status(ctx context.Context) (Status, error) {
	s, err := get[Status](ctx, c, StatusPath)
	if err == nil && s.Instance == "" {
		return s, fmt.Errorf("asking %s%s: %w", c.server, StatusPath, errStranger)
	}
	return s, err
}

// Tenants asks for every tenant, sorted by name.
func (c *Client) Tenants(ctx context.Context) ([]Tenant, error) {
	return get[[]Tenant](ctx, c, TenantsPath)
}

// Drift asks for every difference that stands or was corrected lately.
func (c *Client) Drift(ctx context.Context) ([]Difference, error) {
	return get[[]Difference](ctx, c, DriftPath)
}

// Unfenced asks for the namespaces that should be fenced and are not.
func (c *Client) Unfenced(ctx context.Context) ([]string, error) {
	return get[[]string](ctx, c, UnfencedPath)
}

// get asks for one path. A 200 that is not the JSON of that answer is an error.
func get[T any](ctx context.Context, c *Client, path string) (out T, err error) {
	fail := func(err error) (T, error) {
		var none T
		return none, fmt.Errorf("asking %s%s: %w", c.server, path, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, http.NoBody)
	if err != nil {
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
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return fail(err)
	case response.StatusCode != http.StatusOK:
		return fail(fmt.Errorf("the answer is %s", response.Status))
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return fail(fmt.Errorf("%w: %w", errStranger, err))
	}
	return out, nil
}
