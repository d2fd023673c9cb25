package picture

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/drift/reach"
)

// Picture is what is drawn.
type Picture struct {
	// Title is what the picture shows.
	Title string
	// Connections are allowed, Unknown may be.
	Connections, Unknown []reach.Connection
	// Inner says which namespaces the picture is about: each gets a band of its own. Nil means every namespace.
	Inner func(namespace string) bool
}

// node is one end of connections, in one band.
type node struct {
	place reach.Place
	layer int
	row   int // in the layer
	dummy bool
	x, y  float64 // of the middle
	width float64
}

// edge is one connection.
type edge struct {
	from, to *node
	label    string
	unknown  bool
	path     []*node // from, dummies, to; from left to right
}

// band is the part of a picture that is about one namespace.
type band struct {
	namespace string
	nodes     []*node
	edges     []*edge
	layers    [][]*node
}

// bands sorts the connections into bands: by the inner namespace that is called, else by the one that calls.
func (p *Picture) bands() []*band {
	byName := map[string]*band{}
	known := map[string]map[reach.Place]*node{}
	for _, part := range []struct {
		list    []reach.Connection
		unknown bool
	}{{p.Connections, false}, {p.Unknown, true}} {
		for _, c := range part.list {
			name := p.home(c)
			if byName[name] == nil {
				byName[name], known[name] = &band{namespace: name}, map[reach.Place]*node{}
			}
			b := byName[name]
			at := func(place reach.Place) *node {
				if known[name][place] == nil {
					known[name][place] = &node{place: place}
					b.nodes = append(b.nodes, known[name][place])
				}
				return known[name][place]
			}
			b.edges = append(b.edges, &edge{from: at(c.From), to: at(c.To), label: ports(c), unknown: part.unknown})
		}
	}
	out := make([]*band, 0, len(byName))
	for _, b := range byName {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b *band) int { return cmp.Compare(a.namespace, b.namespace) })
	return out
}

func (p *Picture) home(c reach.Connection) string {
	for _, place := range []reach.Place{c.To, c.From} {
		if place.Namespace != "" && place.Namespace != "*" && (p.Inner == nil || p.Inner(place.Namespace)) {
			return place.Namespace
		}
	}
	return ""
}

func ports(c reach.Connection) string {
	texts := make([]string, len(c.Ports))
	for i, row := range c.Ports {
		texts[i] = row.String()
	}
	return strings.Join(texts, ", ")
}

// names returns the two lines of a node: what it is, and where.
func names(p reach.Place) (what, where string) {
	switch {
	case p.Any == "pod":
		return "any pod", "of any namespace"
	case p.Any != "":
		return "any " + p.Any, "outside the cluster too"
	case p.CIDR != "":
		return p.CIDR, "addresses"
	case p.Namespace == "*":
		return "any pod", "of any other namespace"
	case p.Workload == "*":
		return "any pod", p.Namespace
	}
	return p.Workload, p.Namespace
}
