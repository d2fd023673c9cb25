package order

import (
	"net/netip"

	"github.com/ringfence/ringfence/drift/reach"
)

// Meet says whether some connection may be of both lists, each of which is what one unit's side allows. Any namespace for
// which exemplary answers true may stand for any other one: the cluster overlay is judged by a few tenants of each kind.
func Meet(a, b []reach.Connection, exemplary func(namespace string) bool) bool {
	for _, x := range a {
		for _, y := range b {
			if placesMeet(x.From, y.From, exemplary) && placesMeet(x.To, y.To, exemplary) && portsMeet(x.Ports, y.Ports) {
				return true
			}
		}
	}
	return false
}

// placesMeet says whether some pod, or some address that is no known pod's, may be in both places.
func placesMeet(a, b reach.Place, exemplary func(string) bool) bool {
	switch {
	case a.Any == "pod" || b.Any == "pod":
		return a.Any != "address" && b.Any != "address" && a.CIDR == "" && b.CIDR == ""
	case isAddress(a) != isAddress(b):
		return false
	case isAddress(a):
		return addressesMeet(a, b)
	case a.Namespace == "*" || b.Namespace == "*" || exemplary(a.Namespace) || exemplary(b.Namespace):
		return true
	case a.Namespace != b.Namespace:
		return false
	}
	// Workloads are called by what a unit's own selectors ask for; two names may be one pod.
	return true
}

func isAddress(p reach.Place) bool { return p.Any == "address" || p.CIDR != "" }

func addressesMeet(a, b reach.Place) bool {
	if a.Any == "address" || b.Any == "address" {
		return true
	}
	p, errP := netip.ParsePrefix(a.CIDR)
	q, errQ := netip.ParsePrefix(b.CIDR)
	return errP != nil || errQ != nil || p.Overlaps(q)
}

func portsMeet(a, b []reach.PortRow) bool {
	for _, x := range a {
		for _, y := range b {
			if !x.Ports().Intersect(y.Ports()).Empty() {
				return true
			}
		}
	}
	return false
}
