package app

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
)

// replicas are what a relay is told of them, one look after the other; the last stays.
type replicas struct {
	looks []look
	seen  int
}

type look struct {
	leads   bool
	address string
	known   bool
}

func (r *replicas) now() look { return r.looks[min(r.seen, len(r.looks)-1)] }

// Leads implements leadership.
func (r *replicas) Leads() bool {
	defer func() { r.seen++ }()
	return r.now().leads
}

// LeaderAddress implements leadership.
func (r *replicas) LeaderAddress() (string, bool) { return r.now().address, r.now().known }

// trip is a transport that is a function.
type trip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A push is handed on to whoever leads in the end, once; not by the leader, nor to one that says no address; and in the end nobody waits.
func TestRelay(t *testing.T) {
	standby := look{address: "10.1.2.3:8081", known: true}
	for name, c := range map[string]struct {
		looks []look
		fail  int // so many tries fail
		want  int // so many are made
		err   bool
	}{
		"it leads":                       {looks: []look{{leads: true, address: "10.1.2.4:8081", known: true}}},
		"another leads":                  {looks: []look{standby}, want: 1},
		"another leads without address":  {looks: []look{{known: true}}},
		"it is not known who leads":      {looks: []look{{}, {}, standby}, want: 1},
		"it comes to lead":               {looks: []look{{}, {}, {leads: true}}},
		"another comes to lead":          {looks: []look{standby, standby}, fail: 1, want: 2},
		"nobody leads":                   {looks: []look{{}}, err: true},
		"the leader is never to be told": {looks: []look{standby}, fail: relayTries, want: relayTries, err: true},
	} {
		t.Run(name, func(t *testing.T) {
			secret := filepath.Join(t.TempDir(), "secret")
			require.NoError(t, os.WriteFile(secret, []byte("s3cret"), 0o600))
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				r := &relay{secretFile: secret, replicas: &replicas{looks: c.looks}, log: slog.New(slog.DiscardHandler), transport: trip(func(q *http.Request) (*http.Response, error) {
					tries++
					assert.Equal(t, "http://10.1.2.3:8081/hook/relayed", q.URL.String())
					if tries <= c.fail {
						return nil, errors.New("refused")
					}
					answer := httptest.NewRecorder()
					answer.WriteHeader(http.StatusAccepted)
					return answer.Result(), nil
				})}
				err := r.tell(t.Context())
				assert.Equal(t, c.err, err != nil, "%v", err)
				assert.Equal(t, c.want, tries)
			})
		})
	}
}

func TestHookAddress(t *testing.T) {
	for _, c := range []struct{ listen, hookListen, podIP, want string }{
		{":8080", ":8081", "10.1.2.3", "10.1.2.3:8081"},
		{":8080", "", "10.1.2.3", "10.1.2.3:8080"},
		{":8080", "0.0.0.0:8081", "10.1.2.3", "10.1.2.3:8081"},
		{":8080", "[::]:8081", "fd00::1", "[fd00::1]:8081"},
		{":8080", "127.0.0.1:8081", "10.1.2.3", "127.0.0.1:8081"},
		{":8080", ":8081", "", ""},
		{":8080", ":8081", "elsewhere.example.com", ""},
		{":8080", "localhost:8081", "10.1.2.3", ""},
		{":0", "", "10.1.2.3", ""},
	} {
		http := config.HTTP{Listen: c.listen, HookListen: c.hookListen, HookSecretFile: "secret"}
		assert.Equal(t, c.want, hookAddress(http, c.podIP), "%+v", c)
		http.HookSecretFile = ""
		assert.Empty(t, hookAddress(http, c.podIP))
	}
}
