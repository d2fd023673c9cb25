package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/sources/hook"
)

// relayPath is where a replica takes what another was told: it polls, and hands nothing on.
const relayPath = hookPath + "/relayed"

// How long the leader may take to answer, how often it is tried, and the pause before another try: who leads may change now. Later its
// own schedule polls.
const (
	relayPatience = 5 * time.Second
	relayTries    = 15
	relayPause    = time.Second
)

// leadership is what a relay must know of the replicas; [sync.Replica] does.
type leadership interface {
	// Leads says whether this one leads.
	Leads() bool
	// LeaderAddress returns where the one that leads is reached, "" for nowhere; false: it is not known who that is.
	LeaderAddress() (address string, known bool)
}

// relay hands push hooks that reach a replica which stands by on to the one that leads. What it sends is a hook of its own, signed
// with the same secret, so that the leader trusts nobody else for it, and nothing of the sender's is kept.
type relay struct {
	secretFile string
	replicas   leadership
	due        chan struct{} // capacity one
	transport  http.RoundTripper
	log        *slog.Logger
}

// newRelay returns a relay that hands on nothing until it runs.
func newRelay(c Config, replicas leadership) *relay {
	return &relay{
		secretFile: c.Daemon.HTTP.HookSecretFile, replicas: replicas, due: make(chan struct{}, 1), log: c.Log,
		transport: &http.Transport{DialContext: (&net.Dialer{Timeout: relayPatience}).DialContext, DisableKeepAlives: true}, // no proxy
	}
}

// hand makes it due to tell the leader. It never blocks.
func (r *relay) hand() {
	select {
	case r.due <- struct{}{}:
	default: // it will be told of this push too
	}
}

// Run hands on what is due until ctx is done. It returns nil.
func (r *relay) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.due:
		}
		if err := r.tell(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("the leader could not be told of a push, and sees it when it polls by itself", "err", err)
		}
	}
}

var errNoLeader = errors.New("nobody leads")

// tell tells the leader, unless that is this replica, or one that has no address.
func (r *relay) tell(ctx context.Context) error {
	err := errNoLeader
	for range relayTries {
		address, known := r.replicas.LeaderAddress()
		if r.replicas.Leads() || known && address == "" {
			return nil
		}
		if known {
			if err = r.send(ctx, address); err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(relayPause):
		}
	}
	return err
}

func (r *relay) send(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, relayPatience)
	defer cancel()
	return hook.Send(ctx, r.transport, "http://"+address+relayPath, r.secretFile)
}

// hookAddress returns where other replicas reach this one's hooks; "" if nowhere: podIP stands for every address of this machine.
func hookAddress(c config.HTTP, podIP string) string {
	if c.HookSecretFile == "" {
		return ""
	}
	listen := c.HookListen
	if listen == "" {
		listen = c.Listen
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return ""
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = podIP
	}
	address := net.JoinHostPort(host, port)
	if known, err := netip.ParseAddrPort(address); err != nil || known.Port() == 0 {
		return ""
	}
	return address
}
