package kustomize

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The caller's grammar is asked for every selector of Calico's, and what it says has a place.
func TestSelectorsAreTheCallers(t *testing.T) {
	tree := small()
	tree["overlays/acme/web.yaml"] = &fstest.MapFile{Data: []byte(`apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: web}
spec:
  tier: default
  selector: one
  types: [Ingress]
  ingress:
  - action: Allow
    source: {selector: two, namespaceSelector: three}
`)}
	require.Len(t, render(t, Config{}, tree).Tenants[0].Objects, 2, "without a grammar nothing is said")
	got := render(t, Config{Selector: func(text string) error { return errors.New("no " + text) }}, tree)
	var said []string
	for _, p := range got.Tenants[0].Problems {
		said = append(said, p.Error())
	}
	assert.Equal(t, []string{
		`overlays/acme/web.yaml:6:3: spec.selector is "one", which is no selector: no one`,
		`overlays/acme/web.yaml:10:14: spec.ingress[0].source.selector is "two", which is no selector: no two`,
		`overlays/acme/web.yaml:10:29: spec.ingress[0].source.namespaceSelector is "three", which is no selector: no three`,
	}, said)
}

func TestTierPrefixIsTheCallers(t *testing.T) {
	tree := small()
	tree["overlays/acme/web.yaml"] = &fstest.MapFile{Data: []byte(`apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: web}
spec: {tier: shop, types: [Ingress]}
`)}
	require.Len(t, render(t, Config{TenantTiers: []string{"shop"}}, tree).Tenants[0].Objects, 2)
	got := render(t, Config{TenantTiers: []string{"shop"}, TierPrefix: true}, tree)
	require.Len(t, got.Tenants[0].Problems, 1)
	assert.Equal(t, `overlays/acme/web.yaml:3:12: metadata.name is "web", and in the tier "shop" Calico up to 3.31 takes "shop.web" only`, got.Tenants[0].Problems[0].Error())
}
