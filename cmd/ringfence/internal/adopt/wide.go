package adopt

import (
	"net/netip"
	"slices"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
)

// width is how much of the world an object lets in or out, beside what Git allows already.
type width int

const (
	narrow width = iota
	wide         // pods are open to everybody, or may reach everything
	void         // any pod of the namespace is, on every port: nothing of the isolation is left in that direction
)

// widthOf measures what is open and would not be without the object, and says it for people.
func widthOf(namespace string, e drift.Exposure) (out width, words string) {
	var in, to bool // directions in which any pod is open
	for _, c := range e.Opens {
		for _, ends := range [][2]reach.Place{{c.From, c.To}, {c.To, c.From}} {
			near, far := ends[0], ends[1]
			switch {
			case near.Namespace != namespace || !everybody(far):
			case (near.Workload == "*" || near.Workload == "(other)") && c.Set().Equal(reach.AllPorts()):
				out, in, to = void, in || near == c.To, to || near == c.From
			default:
				out = max(out, wide)
			}
		}
	}
	switch {
	case in && to:
		return out, "lets everybody reach any pod, and any pod reach everything"
	case in:
		return out, "lets everybody reach any pod"
	case to:
		return out, "lets any pod reach everything"
	}
	return out, opening(e)
}

// everybody says whether a place is no one in particular: any pod, any other namespace, or a good part of all addresses.
func everybody(p reach.Place) bool {
	if p.Any != "" || p.Namespace == "*" {
		return true
	}
	ranges, err := netip.ParsePrefix(p.CIDR)
	return err == nil && ranges.Bits() <= 4
}

// opening says what is open that would not be without the object, for people; "" if nothing is.
func opening(e drift.Exposure) string {
	return drift.Exposure{Opens: e.Opens}.Words()
}

// sorted returns a list without what it repeats.
func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
