package world

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/drift/reach"
)

// Shape is what the fences of some tenants have in common: all that they allow, but for the names of the tenants themselves.
type Shape struct {
	// ID is equal for equal shapes, also of other moments.
	ID string
	// Tenants are those of that shape, sorted.
	Tenants []string
	// Cells say what a tenant of this shape has to do with whom, each peer and direction once.
	Cells []Cell
}

// Way is the direction of a Cell.
type Way uint8

// The ways.
const (
	Within   Way = iota // between workloads of the tenant
	Outbound            // from the tenant
	Inbound             // to the tenant
)

// Cell is what a tenant may open to a peer, or the reverse.
type Cell struct {
	Way Way
	// Peer is a namespace, addresses in words, "any pod", or "other tenants"; "" for what is within.
	Peer string
	// Ports are all that are allowed between any of theirs.
	Ports reach.Ports
	// Unknown are those of which it is not known.
	Unknown reach.Ports
}

// Crossing is a connection from one tenant to another that Git allows.
func (m *Moment) Crossing() []reach.Connection { return m.survey().crossing }

// Shapes returns the shapes of all tenants' fences as Git has them, the most frequent first.
func (m *Moment) Shapes() []Shape { return m.survey().shapes }

// survey is what is known of all tenants together.
type survey struct {
	shapes   []Shape
	crossing []reach.Connection
}

// surveyOf groups the tenants. Connections are compared as they are, and put into words for one tenant of each shape alone.
func surveyOf(m *Moment) survey {
	var out survey
	anyPod := map[string][]int{} // those of index.anyPod, by the tenants that they name
	all := slices.Concat(m.report.Connections, m.report.Unknown)
	for _, i := range m.index.anyPod {
		for _, name := range ends(all[i]) {
			anyPod[name] = append(anyPod[name], i)
		}
	}
	byID := map[string]*Shape{}
	for _, tenant := range m.Git.Tenants {
		numbers := slices.Concat(m.index.named[tenant], anyPod[tenant])
		id := m.shapeOf(tenant, all, numbers)
		if byID[id] == nil {
			byID[id] = &Shape{ID: id, Cells: m.cells(tenant, all, numbers)}
		}
		byID[id].Tenants = append(byID[id].Tenants, tenant)
		for _, i := range numbers {
			c := all[i]
			if c.From.Namespace == tenant && c.To.Namespace != tenant && m.Git.isTenant(c.To.Namespace) && i < len(m.report.Connections) {
				out.crossing = append(out.crossing, c)
			}
		}
	}
	for _, s := range byID {
		out.shapes = append(out.shapes, *s)
	}
	slices.SortFunc(out.shapes, func(a, b Shape) int {
		return cmp.Or(cmp.Compare(len(b.Tenants), len(a.Tenants)), cmp.Compare(a.Tenants[0], b.Tenants[0]))
	})
	return out
}

// shapeOf returns a digest of a tenant's connections in which its own name is left out.
func (m *Moment) shapeOf(tenant string, all []reach.Connection, numbers []int) string {
	lines := make([]string, 0, len(numbers))
	var b strings.Builder
	place := func(p reach.Place) {
		if p.Namespace == tenant {
			p.Namespace = ""
		}
		for _, part := range []string{p.Namespace, p.Workload, p.CIDR, p.Any} {
			b.WriteString(part)
			b.WriteByte(0)
		}
	}
	for _, i := range numbers {
		b.Reset()
		place(all[i].From)
		place(all[i].To)
		for _, row := range all[i].Ports {
			b.WriteString(row.String())
			b.WriteByte(0)
		}
		if i >= len(m.report.Connections) {
			b.WriteByte(1)
		}
		lines = append(lines, b.String())
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:6])
}

// cells gathers a tenant's connections by peer and way.
func (m *Moment) cells(tenant string, all []reach.Connection, numbers []int) []Cell {
	var known, unknown []reach.Connection
	for _, i := range numbers {
		if i < len(m.report.Connections) {
			known = append(known, all[i])
		} else {
			unknown = append(unknown, all[i])
		}
	}
	type key struct {
		way  Way
		peer string
	}
	found := map[key]*Cell{}
	at := func(way Way, peer string) *Cell {
		if found[key{way, peer}] == nil {
			found[key{way, peer}] = &Cell{Way: way, Peer: peer}
		}
		return found[key{way, peer}]
	}
	cell := func(c reach.Connection) *Cell {
		switch {
		case c.From.Namespace == tenant && c.To.Namespace == tenant:
			return at(Within, "")
		case c.From.Namespace == tenant:
			return at(Outbound, m.peerWords(c.To))
		}
		return at(Inbound, m.peerWords(c.From))
	}
	for _, c := range reach.Gather(known) {
		it := cell(c)
		it.Ports = it.Ports.Union(c.Set())
	}
	for _, c := range reach.Gather(unknown) {
		it := cell(c)
		it.Unknown = it.Unknown.Union(c.Set())
	}
	out := make([]Cell, 0, len(found))
	for _, k := range slices.SortedFunc(maps.Keys(found), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.way, b.way), cmp.Compare(a.peer, b.peer))
	}) {
		out = append(out, *found[k])
	}
	return out
}

// peerWords says who a peer is, as roughly as a column does.
func (m *Moment) peerWords(p reach.Place) string {
	switch {
	case p.Any == "pod":
		return "any pod"
	case p.Any != "":
		return "any " + p.Any
	case p.CIDR != "":
		return p.CIDR
	case p.Namespace == "*":
		return "other namespaces"
	case m.Git.isTenant(p.Namespace):
		return "other tenants"
	}
	return p.Namespace
}
