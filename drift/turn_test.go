package drift

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

func TestContradicted(t *testing.T) {
	tiers, sets := map[kinds.Kind]bool{kinds.Tier: true}, map[kinds.Kind]bool{networkSet(): true}
	for _, c := range []struct {
		name    string
		flavour Flavour
		served  map[kinds.Kind]bool
		unknown bool
	}{
		{"nothing, of nobody", FlavourNone, nil, false},
		{"nothing, and nobody may be asked", "", nil, false},
		{"something, and nobody may be asked", "", tiers, false},
		{"withdrawn since it was named", FlavourNone, tiers, true},
		{"one definition", FlavourNative, sets, false},
		{"the last definition is gone, or the first is not served yet", FlavourNative, nil, true},
		{"all of Calico's server", FlavourAggregated, tiers, false},
		{"an outage that discovery calls an absence", FlavourAggregated, nil, true},
		{"an answer that has no tiers", FlavourAggregated, sets, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			served, unknown := map[kinds.Kind]bool{kinds.NetworkPolicy: true}, map[kinds.Kind]string{calicoPolicies: "an error"}
			for k := range c.served {
				served[k] = true
			}
			before := len(served)
			contradicted(c.flavour, served, unknown)
			assert.Equal(t, "an error", unknown[calicoPolicies], "the first reason stays")
			assert.True(t, served[kinds.NetworkPolicy])
			if !c.unknown {
				assert.Len(t, unknown, 1)
				assert.Len(t, served, before)
				return
			}
			assert.Len(t, unknown, 8, "every kind of Calico's, and no other")
			assert.Len(t, served, 1)
		})
	}
}

// Who may not read registrations sees all that there is, and takes the flavour for the worst.
func TestFlavourMayNotBeAsked(t *testing.T) {
	plane := startPlane(t, controlplane.Config{Calico: controlplane.CalicoCRD})
	s := prepareSite(t, plane.REST())
	forbidden := fault(func(r *http.Request, _ http.RoundTripper) *http.Response {
		if strings.HasPrefix(r.URL.Path, "/apis/apiregistration.k8s.io/v1/apiservices") {
			return status(403, "Forbidden", "")
		}
		return nil
	})
	s.fault.Store(&forbidden)
	s.start()
	eventually(t, "synced", s.Synced)
	assert.Equal(t, Flavour(""), s.Flavour())
	assert.True(t, s.Served(calicoPolicies))
	require.NotNil(t, s.Get(ID{Kind: kinds.Tier, Name: "default"}))
}
