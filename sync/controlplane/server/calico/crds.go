package calico

import (
	"fmt"

	"github.com/projectcalico/calico/libcalico-go/config"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

const (
	storageGroup = "crd.projectcalico.org" // where Calico keeps its resources
	publicGroup  = "projectcalico.org"     // where it shows them
	publicPath   = "v3"
)

// shown lists what projectcalico.org/v3 serves, by the plural of the
// definition whose schema it has. Short names are those of Calico v3.31's API
// server (apiserver/pkg/registry/projectcalico/rest/storage_calico.go).
var shown = map[string]struct {
	kind, plural, singular string // as in the definition if empty
	short                  []string
}{
	"bgpconfigurations":               {short: []string{"bgpconfig", "bgpconfigs"}},
	"bgpfilters":                      {},
	"bgppeers":                        {},
	"caliconodestatuses":              {},
	"clusterinformations":             {short: []string{"clusterinfo"}},
	"felixconfigurations":             {short: []string{"felixconfig", "felixconfigs"}},
	"globalnetworkpolicies":           {short: []string{"gnp", "cgnp", "calicoglobalnetworkpolicies"}},
	"globalnetworksets":               {},
	"hostendpoints":                   {short: []string{"hep", "heps"}},
	"ipamconfigs":                     {kind: "IPAMConfiguration", plural: "ipamconfigurations", singular: "ipamconfiguration", short: []string{"ipamconfig"}},
	"ippools":                         {},
	"ipreservations":                  {},
	"kubecontrollersconfigurations":   {short: []string{"kcconfig"}},
	"networkpolicies":                 {short: []string{"cnp", "caliconetworkpolicy", "caliconetworkpolicies"}},
	"networksets":                     {short: []string{"netsets"}},
	"stagedglobalnetworkpolicies":     {short: []string{"sgnp"}},
	"stagedkubernetesnetworkpolicies": {short: []string{"sknp"}},
	"stagednetworkpolicies":           {short: []string{"snp"}},
	"tiers":                           {},
}

// CRDs returns the definitions of a flavour: published are Calico's own, as
// they are, and public those of projectcalico.org/v3, which only [Native] has.
func CRDs(f Flavour) (published, public []*apiextensions.CustomResourceDefinition, err error) {
	if f == None {
		return nil, nil, nil
	}
	published, err = config.AllCRDs()
	if err != nil {
		return nil, nil, fmt.Errorf("reading Calico's resource definitions: %w", err)
	}
	if f == Native {
		public, err = derive(published)
	}
	return published, public, err
}

// derive returns the definitions of projectcalico.org/v3.
func derive(published []*apiextensions.CustomResourceDefinition) (all []*apiextensions.CustomResourceDefinition, err error) {
	for _, crd := range published {
		if crd.Spec.Group != storageGroup {
			continue
		}
		if _, ok := shown[crd.Spec.Names.Plural]; !ok {
			continue
		}
		v3, err := toPublic(crd)
		if err != nil {
			return nil, err
		}
		all = append(all, v3)
	}
	if len(all) != len(shown) {
		return nil, fmt.Errorf("deriving %s/%s: Calico's module defines %d of the %d resources that it should", publicGroup, publicPath, len(all), len(shown))
	}
	return all, nil
}

// toPublic returns the definition of projectcalico.org/v3 that has the schema
// of crd, one of crd.projectcalico.org with a single version.
func toPublic(crd *apiextensions.CustomResourceDefinition) (*apiextensions.CustomResourceDefinition, error) {
	if n := len(crd.Spec.Versions); n != 1 {
		return nil, fmt.Errorf("deriving %s/%s from %s: it has %d versions, not one", publicGroup, publicPath, crd.Name, n)
	}
	as := shown[crd.Spec.Names.Plural]
	v3 := crd.DeepCopy()
	v3.Spec.Group = publicGroup
	v3.Spec.Versions[0].Name = publicPath
	names := &v3.Spec.Names
	if as.kind != "" {
		names.Kind, names.ListKind = as.kind, as.kind+"List"
		names.Plural, names.Singular = as.plural, as.singular
	}
	names.ShortNames = as.short
	v3.Name = names.Plural + "." + publicGroup
	return v3, nil
}
