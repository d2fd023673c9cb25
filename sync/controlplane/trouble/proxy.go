package trouble

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Config says where a proxy leads and what it does on the way.
type Config struct {
	// REST reaches the API server. Required.
	REST *rest.Config
	// Seed decides which faults meet which requests.
	Seed uint64
	// Seen, if set, is told of every answer that the API server gave, watches apart. It is
	// called concurrently.
	Seen func(Answer)
}

// Answer is what the API server answered to one request.
type Answer struct {
	Method, Path string
	Code         int
	Body         []byte
}

// Proxy is a proxy that runs. Its methods may be called concurrently.
type Proxy struct {
	config Config
	target *url.URL
	next   http.RoundTripper
	server *http.Server
	wire   *wire
	ca     []byte

	mu       sync.Mutex
	weather  Weather
	met      map[string]uint64 // requests by verb and path
	counts   map[Fault]int
	requests int
	cut      chan struct{} // closed when every watch is to be cut
}

// Start starts a proxy on the loopback interface, in calm weather.
func Start(c Config) (*Proxy, error) {
	p := &Proxy{config: c, met: map[string]uint64{}, counts: map[Fault]int{}, cut: make(chan struct{})}
	var err error
	if p.target, _, err = rest.DefaultServerUrlFor(c.REST); err != nil {
		return nil, fmt.Errorf("reading the API server's address: %w", err)
	}
	if p.next, err = rest.TransportFor(c.REST); err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	identity, ca, err := newIdentity()
	if err != nil {
		return nil, fmt.Errorf("making the proxy's certificate: %w", err)
	}
	p.ca = ca
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the proxy: %w", err)
	}
	p.wire = newWire(listener)
	p.server = &http.Server{
		Handler: http.HandlerFunc(p.handle), TLSConfig: identity, ReadHeaderTimeout: time.Minute,
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // broken connections are what it is for
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	go func() { _ = p.server.ServeTLS(p.wire, "", "") }() // ends with Close
	return p, nil
}

// connKey finds the connection of a request.
type connKey struct{}

// Close ends the proxy and every connection to it.
func (p *Proxy) Close() error {
	p.Part(false)
	return p.server.Close()
}

// Kubeconfig returns the text of a kubeconfig file that leads through the proxy.
func (p *Proxy) Kubeconfig() ([]byte, error) {
	return clientcmd.Write(api.Config{
		Clusters:       map[string]*api.Cluster{"trouble": {Server: p.url(), CertificateAuthorityData: p.ca}},
		Contexts:       map[string]*api.Context{"trouble": {Cluster: "trouble"}},
		CurrentContext: "trouble",
	})
}

// REST returns the configuration of a client through the proxy, without a client-side limit.
func (p *Proxy) REST() *rest.Config {
	return &rest.Config{Host: p.url(), TLSClientConfig: rest.TLSClientConfig{CAData: p.ca}, QPS: -1}
}

func (p *Proxy) url() string { return "https://" + p.wire.Addr().String() }

// Turn changes the weather for the requests that are yet to come; nil calms it.
func (p *Proxy) Turn(w Weather) {
	p.mu.Lock()
	p.weather = maps.Clone(w)
	p.mu.Unlock()
}

// Part interrupts the way between the clients and the proxy, or mends it.
func (p *Proxy) Part(parted bool) { p.wire.part(parted) }

// Cut ends every watch in the middle.
func (p *Proxy) Cut() {
	p.mu.Lock()
	close(p.cut)
	p.cut = make(chan struct{})
	p.mu.Unlock()
}

// HangUp ends every connection.
func (p *Proxy) HangUp() { p.wire.hangUp() }

// Counts returns how often each fault met a request.
func (p *Proxy) Counts() map[Fault]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// Requests returns how many requests came, watches included.
func (p *Proxy) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// draw decides what becomes of a request.
func (p *Proxy) draw(r *http.Request) (fate, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	key := r.Method + " " + r.URL.Path
	p.met[key]++
	f := decide(p.config.Seed, p.weather, r, p.met[key])
	if f.fault != "" {
		p.counts[f.fault]++
	}
	return f, p.cut
}
