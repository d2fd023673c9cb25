package valid

import (
	"net"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
)

// nets checks the CIDRs of a rule, where Calico wants the network's own address.
func (k *checks) nets(at path, nets []string, negated bool) {
	for i, text := range nets {
		ip, n, err := net.ParseCIDR(text)
		switch {
		case err != nil:
			k.add(at.at(i), "is %q, which is not a CIDR such as 10.0.0.0/8", text)
		case !ip.Equal(n.IP):
			k.add(at.at(i), "is %s, which has address bits beyond its prefix; write %s", text, n)
		case negated && isEverything(n):
			k.add(at.at(i), "is %s, and a rule of everything but that matches nothing", text)
		}
	}
}

func isEverything(n *net.IPNet) bool {
	ones, _ := n.Mask.Size()
	return ones == 0
}

// families checks that all nets of a rule are of one version of IP, which is
// the rule's own if it has one.
func (k *checks) families(at path, r *calico.Rule) {
	version := 0
	if v := r.IPVersion; v != nil && (*v == 4 || *v == 6) {
		version = *v
	}
	for _, list := range []struct {
		side, field string
		nets        []string
	}{
		{"source", "nets", r.Source.Nets},
		{"source", "notNets", r.Source.NotNets},
		{"destination", "nets", r.Destination.Nets},
		{"destination", "notNets", r.Destination.NotNets},
	} {
		for i, text := range list.nets {
			_, n, err := net.ParseCIDR(text)
			if err != nil {
				continue
			}
			family := 6
			if n.IP.To4() != nil {
				family = 4
			}
			if version == 0 {
				version = family
			}
			if family != version {
				k.add(at.at(list.side, list.field, i), "is %s, and the rule is of IPv%d; write a rule for each version of IP", text, version)
			}
		}
	}
}

// set checks a network set, whose members may be addresses too.
func (k *checks) set(name string, labels, annotations map[string]string, nets []string) {
	k.name(name)
	k.metadata(path{"metadata"}, labels, annotations)
	if _, ok := labels["projectcalico.org/namespace"]; ok {
		k.add(path{"metadata", "labels", "projectcalico.org/namespace"}, "cannot be set: Calico says by it where a set is")
	}
	for i, text := range nets {
		if _, _, err := net.ParseCIDR(text); err != nil && net.ParseIP(text) == nil {
			k.add(path{"spec", "nets", i}, "is %q, which is not a CIDR such as 10.0.0.0/8", text)
		}
	}
}
