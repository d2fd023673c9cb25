package valid

import calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"

// orders are those of the tiers that Calico makes by itself (libcalico-go,
// lib/apis: tier.go), which cannot be changed.
var orders = map[string]float64{
	defaultTier:                  1_000_000,
	"adminnetworkpolicy":         1_000,
	"baselineadminnetworkpolicy": 10_000_000,
}

func (k *checks) tier(t *calico.Tier) {
	at := path{"metadata", "name"}
	if len(t.Name) > maxTierName {
		k.add(at, "has %d bytes, and a tier's may have %d", len(t.Name), maxTierName)
	}
	if !isLabel.MatchString(t.Name) {
		k.add(at, "is %q, and a tier's must be of lower-case letters, digits and -", t.Name)
	}
	k.metadata(path{"metadata"}, t.Labels, t.Annotations)
	given := orders[defaultTier] // where none is given
	if t.Spec.Order != nil {
		given = *t.Spec.Order
	}
	if order, ok := orders[t.Name]; ok && given != order {
		k.add(path{"spec", "order"}, "must be %.0f in Calico's own tier %q", order, t.Name)
	}
	if a := t.Spec.DefaultAction; a != nil && *a != calico.Deny && *a != calico.Pass {
		k.add(path{"spec", "defaultAction"}, "is %q, and a tier's default action is Deny or Pass", *a)
	}
}
