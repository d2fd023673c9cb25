package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/world"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/sync"
)

// clusterView is the view of all tenants together: those whose fences are alike in one row, and what is unlike by name.
type clusterView struct {
	Nothing  string // why there is nothing to show; "" if there is
	Blind    string
	Tenants  int
	Shapes   int
	Differ   []string // tenants of which the live state allows more or less than Git
	Everyone bool     // what differs concerns any pod
	Crossing []connection
	Crossed  int // all of them
	Query    string
	Found    string
	Columns  []column
	Others   bool // there is a column of the peers that have none
	Rows     []shapeRow
	Paging   paging
	Chosen   *chosenShape
}

// mostNamed bounds lists of names.
const mostNamed = 60

// column is one peer of the matrix.
type column struct{ Name string }

// shapeRow is one shape: what its tenants have to do with each column's peer.
type shapeRow struct {
	ID, Like, Href string
	More, Differs  int
	Cells          []cellWords
	Others         []cellWords // with peers that have no column
	Rest           int         // of those that are not listed
}

// cellWords are what may be opened to a peer, and by it.
type cellWords struct {
	Peer             string // in the column of the others alone
	Out, In, Unknown string
}

// chosenShape is the shape that is looked at.
type chosenShape struct {
	Like    string
	Count   int
	Members []member
	Paging  paging
	Fence   *fence
}

type member struct {
	Name    string
	State   sync.State
	Differs bool
}

func (h *Handler) clusterPage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	v := clusterView{Query: query.Get("q")}
	m, err := h.running.Look()
	switch {
	case err != nil:
		v.Nothing = err.Error()
	case m == nil:
		v.Nothing = "nothing was rendered yet"
	default:
		if err := h.fillCluster(&v, m, query); err != nil {
			v.Nothing = err.Error()
		}
	}
	h.show(w, http.StatusOK, "cluster", frame{View: "cluster", Title: "Cluster", Content: v})
}

func (h *Handler) fillCluster(v *clusterView, m *world.Moment, query url.Values) error {
	shapes := m.Shapes()
	v.Blind, v.Tenants, v.Shapes = m.Blind, len(m.Git.Tenants), len(shapes)
	differs := map[string]bool{}
	for _, name := range m.Differs() {
		if differs[name] = true; name == "" {
			v.Everyone = true
			continue
		}
		v.Differ = append(v.Differ, name)
	}
	crossing := m.Crossing()
	v.Crossed = len(crossing)
	for _, c := range crossing[:min(len(crossing), mostNamed)] {
		v.Crossing = append(v.Crossing, connection{From: c.From.String(), To: c.To.String(), Ports: c.Set().String()})
	}
	if id := query.Get("shape"); id != "" {
		if i := slices.IndexFunc(shapes, func(s world.Shape) bool { return s.ID == id }); i >= 0 {
			return h.choose(v, shapes[i], differs, query)
		}
	}
	matching := slices.DeleteFunc(slices.Clone(shapes), func(s world.Shape) bool {
		return !slices.ContainsFunc(s.Tenants, func(name string) bool { return found(v.Query, name) })
	})
	v.Found = counted(len(matching), "shape")
	page, paging := paged(matching, "/cluster", query)
	v.Paging = paging
	columns, others := columnsOf(page)
	v.Others = len(others) > 0
	for _, c := range columns {
		v.Columns = append(v.Columns, column{cmp.Or(c, "each other")})
	}
	for _, s := range page {
		row := rowOf(s, columns, differs, v.Query)
		row.Others, row.Rest = othersOf(s, others)
		v.Rows = append(v.Rows, row)
	}
	return nil
}

// choose shows one shape: its members, and the picture of one of them.
func (h *Handler) choose(v *clusterView, s world.Shape, differs map[string]bool, query url.Values) error {
	c := &chosenShape{Like: s.Tenants[0], Count: len(s.Tenants)}
	if i := slices.IndexFunc(s.Tenants, func(name string) bool { return !differs[name] }); i >= 0 {
		c.Like = s.Tenants[i]
	}
	names := slices.DeleteFunc(slices.Clone(s.Tenants), func(name string) bool { return !found(v.Query, name) })
	v.Found = foundWords(len(names), v.Query != "")
	page, paging := paged(names, "/cluster", query)
	c.Paging = paging
	states := map[string]sync.State{}
	for _, t := range h.config.Engine.Tenants() {
		states[t.Name] = t.State
	}
	for _, name := range page {
		c.Members = append(c.Members, member{name, states[name], differs[name] || differs[""]})
	}
	var err error
	c.Fence, err = h.fenceOf(c.Like)
	v.Chosen = c
	return err
}

// mostColumns bounds the columns of the matrix, and mostOthers the peers that one row has besides.
const (
	mostColumns = 10
	mostOthers  = 3
)

// columnsOf returns the peers of shapes: what is within first, what few shapes have last. Where there are too many, those of
// one shape alone have no column and are the others.
func columnsOf(shapes []world.Shape) (columns, others []string) {
	count := map[string]int{}
	for _, s := range shapes {
		seen := map[string]bool{}
		for _, c := range s.Cells {
			if !seen[c.Peer] {
				seen[c.Peer] = true
				count[c.Peer]++
			}
		}
	}
	out := make([]string, 0, len(count))
	for peer := range count {
		out = append(out, peer)
	}
	slices.SortFunc(out, func(a, b string) int {
		if (a == "") != (b == "") {
			return cmp.Compare(len(a), len(b))
		}
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	})
	if len(out) <= mostColumns {
		return out, nil
	}
	n := slices.IndexFunc(out, func(peer string) bool { return peer != "" && count[peer] == 1 })
	if n < 0 || n > mostColumns {
		n = mostColumns
	}
	return out[:n], out[n:]
}

// othersOf returns what the tenants of a shape have to do with peers that have no column, and how many more there are.
func othersOf(s world.Shape, peers []string) (out []cellWords, rest int) {
	for _, peer := range peers {
		words := cellOf(s, peer)
		if words == (cellWords{}) {
			continue
		}
		if len(out) == mostOthers {
			rest++
			continue
		}
		words.Peer = peer
		out = append(out, words)
	}
	return out, rest
}

func rowOf(s world.Shape, columns []string, differs map[string]bool, query string) shapeRow {
	row := shapeRow{ID: s.ID, Like: s.Tenants[0], More: len(s.Tenants) - 1, Href: "/cluster?" + url.Values{"shape": {s.ID}}.Encode()}
	if i := slices.IndexFunc(s.Tenants, func(name string) bool { return found(query, name) }); i >= 0 {
		row.Like = s.Tenants[i]
	}
	for _, name := range s.Tenants {
		if differs[name] {
			row.Differs++
		}
	}
	for _, peer := range columns {
		row.Cells = append(row.Cells, cellOf(s, peer))
	}
	return row
}

// cellOf says what the tenants of a shape have to do with a peer.
func cellOf(s world.Shape, peer string) (words cellWords) {
	for _, c := range s.Cells {
		if c.Peer != peer {
			continue
		}
		switch c.Way {
		case world.Inbound:
			words.In = portWords(c.Ports)
		default:
			words.Out = portWords(c.Ports)
		}
		if !c.Unknown.Empty() {
			words.Unknown = portWords(c.Unknown)
		}
	}
	return words
}

// mostPorts bounds the ports that a cell lists.
const mostPorts = 4

func portWords(p reach.Ports) string {
	rows := p.Rows()
	var text string
	for i, row := range rows {
		if i == mostPorts {
			return text + fmt.Sprintf(" and %d more", len(rows)-i)
		}
		if i > 0 {
			text += ", "
		}
		text += row.String()
	}
	return text
}
