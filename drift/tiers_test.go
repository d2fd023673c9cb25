package drift

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

func emptyList() *http.Response {
	answer := status(200, "", "")
	answer.Body = io.NopCloser(strings.NewReader(`{"kind":"List","apiVersion":"projectcalico.org/v3","metadata":{"resourceVersion":"999999"},"items":[]}`))
	return answer
}

// Calico's own API server leaves out of its lists what is in a tier that we may not see, and says nothing:
// the kinds are blind for as long as there is such a tier.
func TestHiddenTiers(t *testing.T) {
	plane := startPlane(t, controlplane.Config{Calico: controlplane.CalicoCRD})
	asked, hides, short := &atomic.Int64{}, &atomic.Bool{}, &atomic.Bool{}
	aggregated := fault(func(r *http.Request, _ http.RoundTripper) *http.Response {
		if strings.HasSuffix(r.URL.Path, "/apiservices/v3.projectcalico.org") {
			answer := status(200, "", "")
			answer.Body = io.NopCloser(strings.NewReader(`{"kind":"APIService","apiVersion":"apiregistration.k8s.io/v1","metadata":{"name":"v3.projectcalico.org"},"spec":{"service":{"name":"calico-api"}}}`))
			return answer
		}
		if short.Load() && strings.HasSuffix(r.URL.Path, "/projectcalico.org/v3/networkpolicies") && len(r.URL.Query()["fieldSelector"])+len(r.URL.Query()["watch"]) == 0 {
			return emptyList()
		}
		tier, found := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "spec.tier=")
		if !found {
			return nil
		}
		asked.Add(1)
		if tier == "secret" && hides.Load() {
			return status(403, "Forbidden", "")
		}
		return emptyList()
	})
	s := prepareSite(t, plane.REST())
	s.fault.Store(&aggregated)
	s.start()
	eventually(t, "synced", s.Synced)
	assert.Equal(t, FlavourAggregated, s.Flavour())
	assert.Positive(t, asked.Load(), "before it is said that all is seen")

	hides.Store(true)
	health := s.healths()
	s.apply(t, `{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: secret}, spec: {order: 5}}`)
	eventually(t, "blind", func() bool { return len(s.Blind()) == 4 })
	for _, reason := range s.Blind() {
		assert.Contains(t, reason, "Policy.projectcalico.org: the policies of the tier secret are hidden: ")
	}
	eventually(t, "told", func() bool { return s.healths() > health })
	s.metric(t, "GlobalNetworkPolicy.projectcalico.org", 0)
	s.metric(t, "Tier.projectcalico.org", 1)

	hides.Store(false)
	s.apply(t, `{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: secret}, spec: {order: 6}}`)
	eventually(t, "sees again", s.Synced)
	assert.NotNil(t, s.Get(ID{Kind: kinds.Tier, Name: "secret"}))

	// Not before every kind was asked for: one that only doubts its list is blind as well.
	allHidden := func() bool {
		blind := s.Blind()
		for _, reason := range blind {
			if !strings.Contains(reason, "the policies of the tier secret are hidden: ") {
				return false
			}
		}
		return len(blind) == 4
	}

	// Hidden without a word, while a watch is renewed.
	hides.Store(true)
	pulse := &s.of(calicoPolicies).pulse
	eventually(t, "a watch ends", func() bool {
		pulse.mu.Lock()
		defer pulse.mu.Unlock()
		if pulse.stream == nil {
			return false
		}
		pulse.stream.Stop()
		return true
	})
	eventually(t, "blind", allHidden)
	hides.Store(false)
	s.retier()
	eventually(t, "sees again", s.Synced)

	// Hidden without a word, and an audit is the first to miss something.
	s.apply(t, `{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: secret.p, namespace: default}, spec: {tier: secret}}`)
	secret := ID{Kind: calicoPolicies, Namespace: "default", Name: "secret.p"}
	eventually(t, "seen, and nobody is about to look for tiers", func() bool {
		before := asked.Load()
		time.Sleep(3 * tierPause)
		return s.Get(secret) != nil && s.Synced() && asked.Load() == before
	})
	hides.Store(true)
	short.Store(true)
	n, err := s.Audit(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.False(t, s.Synced(), "unknown, and not gone")
	eventually(t, "blind", allHidden)
	hides.Store(false)
	short.Store(false)
	s.retier()
	eventually(t, "sees again", func() bool { return s.Synced() && s.Get(secret) != nil })

	// Hidden for so short a time that nobody noticed: what the audit took over is listed anew.
	short.Store(true)
	_, err = s.Audit(t.Context())
	require.NoError(t, err)
	short.Store(false)
	s.retier()
	eventually(t, "all of it", func() bool { return s.Synced() && s.Get(secret) != nil })

	// Nobody asks where the kinds are served from definitions.
	native := prepareSite(t, plane.REST())
	counts := fault(func(r *http.Request, _ http.RoundTripper) *http.Response {
		if strings.Contains(r.URL.Path, "projectcalico.org/v3") {
			assert.Empty(t, r.URL.Query().Get("fieldSelector"))
		}
		return nil
	})
	native.fault.Store(&counts)
	native.start()
	eventually(t, "synced", native.Synced)
	assert.Equal(t, FlavourNative, native.Flavour())
}
