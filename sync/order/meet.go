package order

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/drift/reach"
)

// Meet says whether some connection may be of both lists, each of which is what one unit's side allows.
func Meet(a, b []reach.Connection) bool {
	return len(Meeting(a, b)) > 0
}

// Meeting returns those of the first list of which some connection may be of the second one too.
func Meeting(a, b []reach.Connection) (out []reach.Connection) {
	for _, x := range a {
		if slices.ContainsFunc(b, func(y reach.Connection) bool {
			return placesMeet(x.From, y.From) && placesMeet(x.To, y.To) && portsMeet(x.Ports, y.Ports)
		}) {
			out = append(out, x)
		}
	}
	return out
}

// placesMeet says whether some pod, or some address that is no known pod's, may be in both places.
func placesMeet(a, b reach.Place) bool {
	switch {
	case a.Any == "pod" || b.Any == "pod":
		return a.Any != "address" && b.Any != "address" && a.CIDR == "" && b.CIDR == ""
	case isAddress(a) != isAddress(b):
		return false
	case isAddress(a):
		return addressesMeet(a, b)
	case a.Namespace != b.Namespace && !standsForMore(a) && !standsForMore(b):
		return false
	}
	return podsMeet(a.Workload, b.Workload)
}

// standsForMore says whether a place may be in another namespace than the one that it names: one that stands for others, or
// that only has labels.
func standsForMore(p reach.Place) bool {
	return p.Namespace == "*" || strings.HasPrefix(p.Namespace, "(")
}

// podsMeet says whether one pod may be called by both names. Workloads are called by what a unit's own selectors ask for
// ("app=a,role=b"), so two names may be one pod unless they ask for two values of one label.
func podsMeet(a, b string) bool {
	asked := map[string]string{}
	for _, term := range strings.Split(a, ",") {
		if key, value, ok := strings.Cut(term, "="); ok && value != reach.OtherValue {
			asked[key] = value
		}
	}
	for _, term := range strings.Split(b, ",") {
		key, value, ok := strings.Cut(term, "=")
		if was, both := asked[key]; ok && both && value != reach.OtherValue && was != value {
			return false
		}
	}
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
