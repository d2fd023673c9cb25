package reach

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Between finds a window, or a cut, exactly where a look at every single pair of the three states does.
func TestBetween(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := drawConfig(t)
		config.Implied = false // what is compared must have the same workloads
		have := changed(nil, drawChanges(t, nil, config.CalicoVersion))
		var states [3]*Connectivity
		w := freshOf(t, config, have)
		for i := range states {
			states[i] = w.Connectivity()
			if changes := withoutWorkloads(drawChanges(t, have, config.CalicoVersion)); chance(t, "fresh", 30) {
				have = changed(have, changes)
				w = freshOf(t, config, have)
			} else {
				have = changed(have, changes)
				w = w.With(changes...)
			}
		}
		a, s, b := states[0], states[1], states[2]
		got := Between(s, a, b)
		turned := Between(s, b, a)
		require.Equal(t, len(got.Gained) > 0, len(turned.Gained) > 0, "which end is which does not matter")
		require.Equal(t, len(got.Lost) > 0, len(turned.Lost) > 0, "which end is which does not matter")
		require.Equal(t, Moves(a, s), Between(s, a, a))
		require.True(t, Between(a, a, b).Empty())
		require.True(t, Between(b, a, b).Empty())

		cells := [3]map[string][2]Ports{cellsOf(a, s, b), cellsOf(b, a, s), cellsOf(s, a, b)}
		window, cut := false, false
		for _, every := range cells[:] {
			for cell := range every {
				x, y, z := cells[0][cell], cells[1][cell], cells[2][cell]
				from, to, state := state{x[0], x[1]}, state{y[0], y[1]}, state{z[0], z[1]}
				left, right := moves(from, state), moves(to, state)
				window = window || !left[0].Intersect(right[0]).Empty()
				cut = cut || !left[1].Intersect(right[1]).Empty()
			}
		}
		require.Equal(t, window, len(got.Gained) > 0, "%v\n%v\n%v", got, cells, s.Report(true))
		require.Equal(t, cut, len(got.Lost) > 0, "%v", got)
	})
}

// withoutWorkloads returns the changes that leave every workload where it is, and with the same network.
func withoutWorkloads(changes []Change) []Change {
	return slices.DeleteFunc(changes, func(c Change) bool {
		kind := textAt(c.Object.Content, "kind")
		return kind == "Pod" || kind == "Deployment"
	})
}

// cellsOf returns what a connectivity allows and leaves unknown, for single pods and for addresses at which any
// of the given connectivities may change its mind.
func cellsOf(c *Connectivity, others ...*Connectivity) map[string][2]Ports {
	samples := map[netip.Addr]bool{netip.IPv4Unspecified(): true, netip.IPv6Unspecified(): true}
	note := func(r Report) {
		for _, list := range [][]Connection{r.Connections, r.Unknown} {
			for _, one := range list {
				for _, p := range []Place{one.From, one.To} {
					if prefix, err := netip.ParsePrefix(p.CIDR); err == nil {
						samples[prefix.Addr()] = true
						samples[lastOf(prefix).Next()] = true
					}
				}
			}
		}
	}
	report := c.Report(true)
	note(report)
	for _, o := range others {
		note(o.Report(true))
	}
	out := map[string][2]Ports{}
	for k, list := range [][]Connection{report.Connections, report.Unknown} {
		for _, one := range list {
			for from := range spelled(one.From, samples) {
				for to := range spelled(one.To, samples) {
					cell := out[from+" "+to]
					cell[k] = cell[k].Union(portsOfRows(one.Ports))
					out[from+" "+to] = cell
				}
			}
		}
	}
	return out
}

func spelled(p Place, samples map[netip.Addr]bool) map[string]bool {
	out := map[string]bool{}
	switch {
	case p.Any == "address":
		for a := range samples {
			if a.IsValid() {
				out[a.String()] = true
			}
		}
	case p.CIDR != "":
		prefix := netip.MustParsePrefix(p.CIDR)
		for a := range samples {
			if a.IsValid() && prefix.Contains(a) {
				out[a.String()] = true
			}
		}
	default:
		out[p.String()] = true
	}
	return out
}

func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}
