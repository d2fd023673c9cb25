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
	// Opened are allowed and should not be, Closed should be allowed and are not.
	Opened, Closed []reach.Connection
	// Inner says which namespaces the picture is about: each gets a band of its own. Nil means every namespace.
	Inner func(namespace string) bool
}

// side is where a node stands in its band: who calls from outside on the left, who is called outside on the right. Who does
// both is there twice.
type side uint8

const (
	inside side = iota
	callers
	called
)

// node is one end of connections, in one band.
type node struct {
	place       reach.Place
	side        side
	layer       int
	row         int // in the layer
	dummy       bool
	x, y        float64 // of the middle
	width       float64
	left, right []*slot // from top to bottom
}

// part is the connections of one kind.
type part struct {
	list  []reach.Connection
	mark  string // before the ports
	class string // in SVG
	arrow string // in Mermaid
}

func (p *Picture) parts() []part {
	return []part{
		{p.Connections, "", "", "-->"},
		{p.Opened, "opened: ", "opened", "==>"},
		{p.Closed, "closed: ", "closed", "-.->"},
		{p.Unknown, "unknown: ", "maybe", "-.->"},
	}
}

// edge is one connection.
type edge struct {
	from, to   *node
	lines      []string // of the label
	full       string   // the label in one line
	class      string   // what kind it is of
	path       []*node  // from, dummies, to; from left to right
	start, end *slot    // on from and on to
}

// band is the part of a picture that is about one namespace.
type band struct {
	namespace string // "" where it is about none
	nodes     []*node
	edges     []*edge
	layers    [][]*node
}

// bands sorts the connections into bands: by the inner namespace that is called, else by the one that calls.
func (p *Picture) bands() []*band {
	makers := map[string]*bandMaker{}
	for _, part := range p.parts() {
		for _, c := range part.list {
			name := p.home(c)
			if makers[name] == nil {
				makers[name] = &bandMaker{&band{namespace: name}, map[stand]*node{}}
			}
			makers[name].add(c, part)
		}
	}
	out := make([]*band, 0, len(makers))
	for _, m := range makers {
		out = append(out, m.band)
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

// stand is a place on one side of a band.
type stand struct {
	place reach.Place
	side  side
}

type bandMaker struct {
	band  *band
	known map[stand]*node
}

func (m *bandMaker) add(c reach.Connection, of part) {
	label := of.mark + ports(c)
	m.band.edges = append(m.band.edges, &edge{
		from: m.node(c.From, callers), to: m.node(c.To, called), full: label, lines: wrapped(label), class: of.class,
	})
}

func (m *bandMaker) node(p reach.Place, outside side) *node {
	at := stand{p, outside}
	if m.band.namespace == "" || p.Namespace == m.band.namespace {
		at.side = inside
	}
	if m.known[at] == nil {
		m.known[at] = &node{place: p, side: at.side}
		m.band.nodes = append(m.band.nodes, m.known[at])
	}
	return m.known[at]
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
